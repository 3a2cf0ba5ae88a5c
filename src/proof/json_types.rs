//! Media types that a user declares as JSON, each as a whole value.

use std::sync::Arc;

use super::parameters::{is_token, is_utf8, parameter, trim};
use crate::error::ConfigError;

/// Values of `Content-Type` that are read as JSON. See [`Media::json_types`](super::Media::json_types).
///
/// ```
/// use tower_jverify::{Media, Rule, number};
///
/// let rule = Rule::post("/login", number()).accept([Media::json_types(["application/vnd.api+json"])]);
/// # let _ = rule;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonTypes {
    /// In the user's spelling.
    types: Arc<[Box<str>]>,
}

/// Readers that compare a prefix or search for a substring (axum's `Form`, Fastify's formbody, PHP, Undertow) find another
/// media type in a value that contains one of these.
const OTHERS: [&str; 4] = ["x-www-form-urlencoded", "form-data", "multipart", "application/grpc"];

// === impl JsonTypes ===

impl JsonTypes {
    pub(super) fn new(types: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        Self { types: types.into_iter().map(Into::into).collect() }
    }

    /// Whether a `Content-Type` is one of them, compared without case and white space.
    pub(super) fn contain(&self, content_type: &str) -> bool {
        self.named(content_type).is_some()
    }

    /// The user's spelling of a `Content-Type`, if it is one of them.
    pub(crate) fn named(&self, content_type: &str) -> Option<&str> {
        self.types.iter().find(|known| bare(known).eq(bare(content_type))).map(|known| &**known)
    }

    /// # Errors
    ///
    /// Names the setting `accept`: an empty list; a value that is not a media type; a charset other than UTF-8; a value that
    /// some reader treats as a form, multipart or gRPC.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if self.types.is_empty() {
            return Err(ConfigError::unshown("accept", "`Media::json_types` without a type accepts nothing"));
        }
        self.types.iter().try_for_each(|known| {
            problem(known).map_or(Ok(()), |it| Err(ConfigError::new("accept", known.clone(), it)))
        })
    }
}

/// Removes white space and converts to lower case.
fn bare(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !matches!(c, ' ' | '\t')).map(|c| c.to_ascii_lowercase())
}

fn problem(named: &str) -> Option<&'static str> {
    let whole: String = bare(named).collect();
    if OTHERS.iter().any(|other| whole.contains(other)) {
        return Some("some readers take this type for a form, multipart or gRPC: it cannot be JSON");
    }
    let mut pieces = named.split(';').map(trim);
    let essence = pieces.next().unwrap_or_default();
    if !essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype)) {
        return Some("a media type is written as in `application/vnd.api+json`");
    }
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        match parameter(piece) {
            None => return Some("a parameter is written as in `v=2`"),
            Some((name, _)) if name.contains('*') => return Some("an encoded parameter has several readings"),
            Some((name, value)) if name.eq_ignore_ascii_case("charset") && !is_utf8(value) => {
                return Some("JSON is read in UTF-8 only");
            }
            Some(_) => {}
        }
    }
    None
}
