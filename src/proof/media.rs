//! What the body claims to be.
//!
//! Two parsers that take one body for two media types read two different things, so exactly one type is believed,
//! in a grammar without slack.

use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use super::head::aliases;

/// A media type that proofs are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Media {
    /// `application/json` and `application/…+json`, in UTF-8.
    Json,
    /// `application/x-www-form-urlencoded`, in UTF-8.
    Form,
    /// `multipart/form-data`, in UTF-8: its fields, never its files. Read only where it is accepted.
    #[cfg(feature = "multipart")]
    #[cfg_attr(docsrs, doc(cfg(feature = "multipart")))]
    Multipart,
}

// === impl Media ===

impl Media {
    /// Whether it holds names and values, and nothing nested.
    pub(crate) fn is_flat(self) -> bool {
        match self {
            Self::Json => false,
            Self::Form => true,
            #[cfg(feature = "multipart")]
            Self::Multipart => true,
        }
    }
}

/// Why a body is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaError {
    /// No `Content-Type`, several, or one that is not a [`Media`].
    UnsupportedType,
    /// A `Content-Encoding` other than `identity`.
    UnsupportedEncoding,
}

/// The media type of a body, as its headers tell.
///
/// # Errors
///
/// When there is not exactly one `Content-Type`, it is no [`Media`], has a `charset` other than UTF-8 or anything that
/// is not plainly a parameter; when there is a `Content-Encoding` that is not exactly one `identity`; when another
/// header aliases one of the two (`content_type`).
pub(crate) fn media_of(headers: &HeaderMap) -> Result<Media, MediaError> {
    for name in headers.keys() {
        if aliases(name.as_str(), CONTENT_TYPE.as_str()) && name != CONTENT_TYPE {
            return Err(MediaError::UnsupportedType);
        }
        if aliases(name.as_str(), CONTENT_ENCODING.as_str()) && name != CONTENT_ENCODING {
            return Err(MediaError::UnsupportedEncoding);
        }
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let media = match (types.next(), types.next()) {
        (Some(value), None) => value.to_str().ok().and_then(parse).ok_or(MediaError::UnsupportedType)?,
        _ => return Err(MediaError::UnsupportedType),
    };
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(media),
        (Some(value), None) if value.as_bytes().eq_ignore_ascii_case(b"identity") => Ok(media),
        _ => Err(MediaError::UnsupportedEncoding),
    }
}

fn parse(value: &str) -> Option<Media> {
    // By far the most common spellings.
    match value {
        "application/json" => return Some(Media::Json),
        "application/x-www-form-urlencoded" => return Some(Media::Form),
        _ => {}
    }
    #[cfg(feature = "multipart")]
    if value.split(';').next().is_some_and(|essence| trim(essence).eq_ignore_ascii_case("multipart/form-data")) {
        return super::multipart::boundary(value).map(|_| Media::Multipart);
    }
    let (essence, parameters) = match value.split_once(';') {
        Some((essence, parameters)) => (essence, Some(parameters)),
        None => (value, None),
    };
    let (kind, subtype) = trim(essence).split_once('/')?;
    if !kind.eq_ignore_ascii_case("application") || !is_token(subtype) {
        return None;
    }
    let media = if subtype.eq_ignore_ascii_case("json") {
        Media::Json
    } else if subtype.eq_ignore_ascii_case("x-www-form-urlencoded") {
        Media::Form
    } else {
        let (before, suffix) = subtype.split_at_checked(subtype.len().checked_sub("+json".len())?)?;
        (!before.is_empty() && suffix.eq_ignore_ascii_case("+json")).then_some(Media::Json)?
    };
    let mut charset = false;
    for text in parameters.into_iter().flat_map(|all| all.split(';')) {
        let (name, value) = parameter(text)?;
        if name.eq_ignore_ascii_case("charset") {
            if charset || !value.eq_ignore_ascii_case("utf-8") {
                return None;
            }
            charset = true;
        }
    }
    Some(media)
}

/// A parameter's name and value. `None` for anything that is not plainly one.
pub(super) fn parameter(text: &str) -> Option<(&str, &str)> {
    let (name, value) = trim(text).split_once('=')?;
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"').filter(|inside| inside.chars().all(is_plain_quoted))?,
        None => Some(value).filter(|value| is_token(value))?,
    };
    is_token(name).then_some((name, value))
}

pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A token of RFC 9110, section 5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Quoted text without escapes and without what a careless parser splits at. (`;` has been split at already.)
fn is_plain_quoted(c: char) -> bool {
    matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | ',')
}
