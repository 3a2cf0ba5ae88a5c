//! Reads bodies with the user's closure instead of the built-in readers.

use std::{borrow::Cow, fmt, sync::Arc};

use http::{HeaderMap, request::Parts};
use tower::BoxError;

use super::{
    field::unescape,
    fold::{Found, Keys},
    media::content_type_of,
    objects::Member,
    parameters::{is_token, trim},
    plan::Plan,
    value::{Unreadable, Value, Values},
};
use crate::error::ConfigError;

/// The values that a closure found in a body: values of [`Field::body`](crate::Field::body) fields, by their pointers.
///
/// ```
/// use tower_jverify::Extracted;
///
/// let age: Option<String> = None;
/// let extracted = Extracted::new().with("/token", "t".to_owned()).with("/age", age);
/// assert_eq!(format!("{extracted:?}"), r#"Extracted(["/token"])"#);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Extracted(Vec<(Cow<'static, str>, String)>);

type Extract = dyn Fn(&Parts, &[u8]) -> Result<Extracted, BoxError> + Send + Sync;

/// The user's closure, and the media types that it reads.
#[derive(Clone)]
pub(crate) struct Extractor {
    media_types: Arc<[Box<str>]>,
    extract: Arc<Extract>,
}

// === impl Extracted ===

impl Extracted {
    /// Returns an empty set of values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the value of the body's field with this pointer, as in `/phone`; `None` if the body does not have it. A pointer
    /// that no field of the rule has is ignored.
    /// Default: no values.
    pub fn with(mut self, pointer: impl Into<Cow<'static, str>>, value: impl Into<Option<String>>) -> Self {
        self.0.extend(value.into().map(|value| (pointer.into(), value)));
        self
    }
}

impl Extracted {
    /// Stores the values of a plan's fields. Values from the closure are validated like any others.
    ///
    /// # Errors
    ///
    /// A pointer that some parser reads as a field's; an invalid value; two values for one field.
    pub(crate) fn fill<'v>(&'v self, plan: &Plan, values: &mut Values<'v>) -> Result<(), Unreadable> {
        for (pointer, value) in &self.0 {
            if let Some(slot) = slot(plan, pointer)? {
                values.put(slot, Value::text(Cow::Borrowed(value))?)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Extracted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointers: Vec<&str> = self.0.iter().map(|(pointer, _)| &**pointer).collect();
        f.debug_tuple("Extracted").field(&format_args!("{pointers:?}")).finish()
    }
}

// === impl Extractor ===

impl Extractor {
    pub(crate) fn new(
        media_types: impl IntoIterator<Item = impl Into<Box<str>>>,
        extract: impl Fn(&Parts, &[u8]) -> Result<Extracted, BoxError> + Send + Sync + 'static,
    ) -> Self {
        Self { media_types: media_types.into_iter().map(Into::into).collect(), extract: Arc::new(extract) }
    }

    /// # Errors
    ///
    /// Names the setting `extract`: no media type, or an invalid one.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if self.media_types.is_empty() {
            return Err(ConfigError::unshown("extract", "a closure that reads no media type is never called"));
        }
        let is_type = |text: &str| text.split_once('/').is_some_and(|(kind, sub)| is_token(kind) && is_token(sub));
        match self.media_types.iter().find(|text| !is_type(text)) {
            Some(other) => {
                Err(ConfigError::new("extract", other.clone(), "a media type is written as in `application/xml`"))
            }
            None => Ok(()),
        }
    }

    /// Whether the closure reads a body with these headers.
    pub(crate) fn takes(&self, headers: &HeaderMap) -> bool {
        let Ok(content_type) = content_type_of(headers) else { return false };
        let essence = trim(content_type.split(';').next().unwrap_or_default());
        self.media_types.iter().any(|known| &**known == "*/*" || known.eq_ignore_ascii_case(essence))
    }

    /// Calls the closure to read the body's fields.
    ///
    /// # Errors
    ///
    /// The closure returns an error. The error is discarded, because it might quote the body.
    pub(crate) fn extract(&self, parts: &Parts, body: &[u8]) -> Result<Extracted, Unreadable> {
        let refused = |_| Unreadable::BodyMalformed("the closure of `extract` refuses the body");
        (self.extract)(parts, body).map_err(refused)
    }
}

/// Compares by identity.
impl PartialEq for Extractor {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.extract, &other.extract) && Arc::ptr_eq(&self.media_types, &other.media_types)
    }
}

/// The slot of the body's field with this pointer.
fn slot(plan: &Plan, pointer: &str) -> Result<Option<usize>, Unreadable> {
    let mut object = plan.object(0);
    let mut slot = None;
    for segment in pointer.split('/').skip(1) {
        let name = unescape(segment).unwrap_or_default();
        let member = match plan.names().find(&name, Keys::Json) {
            Found::Nothing => None,
            Found::Like(_) => return Err(Unreadable::ProofMalformed("a name like a guarded one")),
            Found::Name(id) => object.and_then(|object| object.member(id)),
        };
        (object, slot) = match member {
            Some(Member::Object(number)) => (plan.object(number), None),
            Some(Member::Value(slot)) => (None, Some(slot)),
            None => return Ok(None),
        };
    }
    Ok(slot)
}

impl fmt::Debug for Extractor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Extractor").field(&self.media_types).finish()
    }
}
