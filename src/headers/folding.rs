//! Which header names are one name to a server further on.
//!
//! CGI (and with it PHP, WSGI, Rack, IIS) makes `HTTP_X_TOKEN` of `X-Token`, `x_token` and `x.token` alike. Each question about
//! header names that another server may take for each other is answered here.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Whether a server or gateway may take one header name for the other.
#[inline]
pub(crate) fn aliases(one: &str, other: &str) -> bool {
    // Folded last: nearly all names differ in length.
    one.len() == other.len() && begins_like(one.as_bytes(), other.as_bytes())
}

/// Whether a name begins as `start` does, in any spelling.
#[inline]
pub(super) fn begins_like(name: &[u8], start: &[u8]) -> bool {
    name.len() >= start.len() && start.iter().zip(name).all(|(&one, &other)| one == other || fold(one) == fold(other))
}

/// Every character but a letter or a digit is one and the same.
#[inline]
fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'_' }
}

/// Makes the map again, of what `keep` returns for each line. `HeaderMap::remove` would change the order of what stays.
pub(super) fn rebuild(headers: &mut HeaderMap, mut keep: impl FnMut(&HeaderName, HeaderValue) -> Option<HeaderValue>) {
    let mut kept = HeaderMap::with_capacity(headers.keys_len());
    // `HeaderMap`'s iterator names a header once and leaves the name out for its further values.
    let mut last: Option<HeaderName> = None;
    for (name, value) in std::mem::take(headers) {
        if name.is_some() {
            last = name;
        }
        let Some(name) = &last else { continue };
        if let Some(value) = keep(name, value) {
            kept.append(name.clone(), value);
        }
    }
    *headers = kept;
}

/// Removes headers in every spelling that a server further on may take for one of these names.
pub(crate) fn remove(headers: &mut HeaderMap, names: &[HeaderName]) {
    rebuild(headers, |name, value| {
        let goes = names.iter().any(|other| aliases(name.as_str(), other.as_str()));
        (!goes).then_some(value)
    });
}

/// The elements of a list, such as `Connection`'s.
pub(crate) fn tokens(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

/// A list without the elements for which `is_removed` is true, as it came if there are none; `None` when nothing is left.
pub(super) fn without_tokens(value: HeaderValue, is_removed: impl Fn(&[u8]) -> bool) -> Option<HeaderValue> {
    if !tokens(&value).any(&is_removed) {
        return Some(value);
    }
    let kept: Vec<&[u8]> = tokens(&value).filter(|token| !is_removed(token)).collect();
    let joined = kept.join(b", ".as_slice());
    // Parts of a valid value joined by ", " are a valid value.
    (!joined.is_empty()).then(|| HeaderValue::from_bytes(&joined).ok()).flatten()
}

/// Why a header has more than one value, to one reader or another.
pub(crate) enum NotOne {
    Twice,
    /// Another header has a name that some servers take for it.
    Aliased,
}

/// The only value of a header, if there is any: for every header that the layer reads.
///
/// # Errors
///
/// The header comes twice, or another header has a name that some server takes for it.
pub(crate) fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, NotOne> {
    let name = name.as_str();
    let mut found = None;
    for (other, value) in headers {
        let other = other.as_str();
        if !aliases(other, name) {
            continue;
        }
        if other != name {
            return Err(NotOne::Aliased);
        }
        if found.replace(value).is_some() {
            return Err(NotOne::Twice);
        }
    }
    Ok(found)
}
