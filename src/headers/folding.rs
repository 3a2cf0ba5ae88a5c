//! Decides which header names another server may confuse.
//!
//! CGI (and with it PHP, WSGI, Rack, IIS) converts `X-Token`, `x_token` and `x.token` to the same `HTTP_X_TOKEN`. All
//! comparisons of header names that another server may confuse are in this file.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};

/// Whether a server or gateway may confuse two header names.
#[inline]
pub(crate) fn aliases(one: &str, other: &str) -> bool {
    // Folds last, because nearly all names differ in length.
    one.len() == other.len() && begins_like(one.as_bytes(), other.as_bytes())
}

/// Whether a name begins with `start`, in any spelling.
#[inline]
pub(super) fn begins_like(name: &[u8], start: &[u8]) -> bool {
    name.len() >= start.len() && start.iter().zip(name).all(|(&one, &other)| one == other || fold(one) == fold(other))
}

/// All characters except letters and digits are equal.
#[inline]
fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'_' }
}

/// Rebuilds the map from the results of `keep` for each line. `HeaderMap::remove` would change the order of the remaining
/// headers.
pub(super) fn rebuild(headers: &mut HeaderMap, mut keep: impl FnMut(&HeaderName, HeaderValue) -> Option<HeaderValue>) {
    let mut kept = HeaderMap::with_capacity(headers.keys_len());
    // `HeaderMap`'s iterator returns a header's name only with its first value.
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

/// Removes these headers in every spelling that another server may read as one of the names.
pub(crate) fn remove(headers: &mut HeaderMap, names: &[HeaderName]) {
    rebuild(headers, |name, value| {
        let goes = names.iter().any(|other| aliases(name.as_str(), other.as_str()));
        (!goes).then_some(value)
    });
}

/// Whether a server removes the headers that this header lists: `Connection` (RFC 9110, 7.6.1), and `Proxy-Connection` for
/// tinyproxy (`remove_connection_headers`).
#[inline]
pub(crate) fn lists_headers(name: &str) -> bool {
    matches!(name, "connection" | "proxy-connection")
}

/// The words of all headers for which [`lists_headers`] is true.
pub(crate) fn listed(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    [CONNECTION, HeaderName::from_static("proxy-connection")]
        .into_iter()
        .flat_map(|name| headers.get_all(name))
        .flat_map(words)
}

/// Whether a word of `Connection` names a header that says where the body ends. A server that removed it would read the body of a
/// request that no rule matches as the next request.
pub(super) fn is_of_framing(word: &[u8]) -> bool {
    [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| word.eq_ignore_ascii_case(name.as_str().as_bytes()))
}

/// Whether some server reads this name, which is in lower case, as one of a header that says where the body ends, and HTTP does not:
/// Puma before 6.4.3 reads `Transfer_Encoding`.
#[inline]
pub(super) fn is_like_framing(name: &str) -> bool {
    match name.len() {
        14 => name != "content-length" && aliases(name, "content-length"),
        17 => name != "transfer-encoding" && aliases(name, "transfer-encoding"),
        _ => false,
    }
}

/// What a server may read as one of the names in `Connection`: an element of the list, or a word in it.
fn words(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    elements(value).flat_map(|element| std::iter::once(element).chain(tokens(element)))
}

/// The elements of a list, as RFC 9110 splits it.
fn elements(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// The words of an element. Between them is everything that no header name contains: Apache (`find_conn_headers`) also splits at `;` and
/// white space, tinyproxy (`remove_connection_headers`) at each separator of RFC 2616.
fn tokens(element: &[u8]) -> impl Iterator<Item = &[u8]> {
    let separates = |byte: &u8| !(byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte));
    element.split(separates).filter(|token| !token.is_empty())
}

/// A list without the elements and the words for which `is_removed` is true; unchanged if there are none; `None` if nothing is left.
pub(super) fn without_words(value: HeaderValue, is_removed: impl Fn(&[u8]) -> bool) -> Option<HeaderValue> {
    if !words(&value).any(&is_removed) {
        return Some(value);
    }
    let elements = elements(&value).filter(|element| !is_removed(element));
    list(elements.flat_map(tokens).filter(|token| !is_removed(token)))
}

/// A list of these parts of a value; `None` if there are none.
pub(super) fn list<'v>(parts: impl Iterator<Item = &'v [u8]>) -> Option<HeaderValue> {
    let joined = parts.collect::<Vec<_>>().join(b", ".as_slice());
    // Parts of a valid value joined by ", " are a valid value.
    (!joined.is_empty()).then(|| HeaderValue::from_bytes(&joined).ok()).flatten()
}

/// Why a header has more than one value for some reader.
pub(crate) enum NotOne {
    Twice,
    /// Another header has a name that some servers read as this one.
    Aliased,
}

/// The only value of a header, if it is present. Used for every header that the layer reads.
///
/// # Errors
///
/// The header occurs twice, or another header has a name that some server reads as this one.
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
