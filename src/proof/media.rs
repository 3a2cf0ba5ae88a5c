//! What the body claims to be.
//!
//! Two parsers that take one body for two media types read two different things, so exactly one type is believed,
//! in a grammar without slack.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use super::head::aliases;
use crate::Coding;

/// A media type that proofs are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Media {
    /// `application/json` and `application/…+json`, in UTF-8; at most 127 levels deep.
    Json,
    /// `application/x-www-form-urlencoded`, in UTF-8; at most 1,000 pairs.
    Form,
    /// gRPC over HTTP/2: `application/grpc` and `application/grpc+proto`.
    ///
    /// A [`Field::body`](crate::Field::body) then names protobuf fields by their numbers, `/1/2`; a rule of such fields
    /// accepts nothing else. With the descriptors of the method it may name them by name.
    #[cfg(feature = "grpc")]
    #[cfg_attr(docsrs, doc(cfg(feature = "grpc")))]
    Grpc,
    /// `multipart/form-data`, in UTF-8: its fields, never its files. Read only where it is accepted.
    #[cfg(feature = "multipart")]
    #[cfg_attr(docsrs, doc(cfg(feature = "multipart")))]
    Multipart,
}

/// Why a body is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaError {
    /// No `Content-Type`, several, or one that is not a [`Media`].
    UnsupportedType,
    /// A `Content-Encoding` that is neither `identity` nor allowed.
    UnsupportedEncoding,
}

/// The media type of a body, as its headers tell.
///
/// # Errors
///
/// As [`content_type_of`]; when it is no [`Media`], has a `charset` other than UTF-8 or anything that is not plainly a
/// parameter.
pub(crate) fn media_of(headers: &HeaderMap) -> Result<Media, MediaError> {
    parse(content_type_of(headers)?).ok_or(MediaError::UnsupportedType)
}

/// The only `Content-Type`.
///
/// # Errors
///
/// When there is not exactly one, in ASCII; when another header aliases it (`content_type`).
pub(super) fn content_type_of(headers: &HeaderMap) -> Result<&str, MediaError> {
    let value = only(headers, &CONTENT_TYPE).map_err(|()| MediaError::UnsupportedType)?;
    value.and_then(|value| value.to_str().ok()).ok_or(MediaError::UnsupportedType)
}

/// The coding that a body has to be decoded from to be read.
///
/// # Errors
///
/// When there is a `Content-Encoding` that is not exactly one, `identity` or one of those allowed; when another header
/// aliases it.
pub(crate) fn coding_of(headers: &HeaderMap, allowed: &[Coding]) -> Result<Option<Coding>, MediaError> {
    let value = only(headers, &CONTENT_ENCODING).map_err(|()| MediaError::UnsupportedEncoding)?;
    match value.map(HeaderValue::as_bytes) {
        None => Ok(None),
        Some(name) if name.eq_ignore_ascii_case(b"identity") => Ok(None),
        Some(name) => match Coding::named(name).filter(|coding| allowed.contains(coding)) {
            Some(coding) => Ok(Some(coding)),
            None => Err(MediaError::UnsupportedEncoding),
        },
    }
}

/// The only value of a header, if there is any; an error if it comes twice or beside an alias.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, ()> {
    let mut only = None;
    for (other, value) in headers {
        let is_alias = other != name && aliases(other.as_str(), name.as_str());
        if is_alias || (other == name && only.replace(value).is_some()) {
            return Err(());
        }
    }
    Ok(only)
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
    // What follows the name says what is in the frames: `+json` there makes no JSON of them, and some servers take a
    // parameter for it.
    if let Some(codec) = strip_prefix(subtype, "grpc") {
        return if parameters.is_none() { grpc(codec) } else { None };
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
        // RFC 2231: `charset*=utf-8''utf-7` and `charset*0=utf-7` are a charset to Django and to readers of mail.
        if name.contains('*') {
            return None;
        }
        if name.eq_ignore_ascii_case("charset") {
            if charset || !value.eq_ignore_ascii_case("utf-8") {
                return None;
            }
            charset = true;
        }
    }
    Some(media)
}

#[cfg(feature = "grpc")]
fn grpc(codec: &str) -> Option<Media> {
    (codec.is_empty() || codec.eq_ignore_ascii_case("+proto")).then_some(Media::Grpc)
}

#[cfg(not(feature = "grpc"))]
fn grpc(_: &str) -> Option<Media> {
    None
}

/// Without case.
fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
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
