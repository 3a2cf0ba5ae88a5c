//! Taking out everything under our prefix, in whatever spelling.

use http::{HeaderMap, HeaderName, HeaderValue, header::CONNECTION};

use super::Names;

// === impl Names ===

impl Names {
    /// Removes every header under the prefix and takes such names out of `Connection`.
    ///
    /// Runs on every request, so it only looks, unless something of ours is there; then the map is built anew, because
    /// `HeaderMap::remove` would change the order of what stays.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        if self.occurs_in(headers) {
            self.rebuild(headers, &[]);
        }
    }

    /// As [`Names::strip`], and the named headers as well: for trailers, where a proof's header has no business.
    pub(crate) fn strip_with(&self, headers: &mut HeaderMap, also: &[HeaderName]) {
        if self.occurs_in(headers) || headers.keys().any(|name| also.iter().any(|other| is_alias(name, other))) {
            self.rebuild(headers, also);
        }
    }

    /// Whether some backend may read this name as one under the prefix: any character but a letter or a digit may
    /// stand for a dash (CGI turns them all into `_`).
    #[inline]
    pub(crate) fn covers(&self, name: &[u8]) -> bool {
        let prefix = self.prefix().as_bytes();
        name.len() >= prefix.len()
            && prefix.iter().zip(name).all(|(&ours, &theirs)| same(ours, theirs))
            && name.get(prefix.len()).is_none_or(|next| !next.is_ascii_alphanumeric())
    }

    #[inline]
    fn occurs_in(&self, headers: &HeaderMap) -> bool {
        let first = self.prefix().as_bytes().first();
        headers.keys().any(|name| {
            let name = name.as_str().as_bytes();
            // The cheap tests first: most headers differ in their first letter.
            (name.first() == first && self.covers(name))
                || (name == b"connection" && self.is_named_by_connection(headers))
        })
    }

    #[cold]
    fn is_named_by_connection(&self, headers: &HeaderMap) -> bool {
        headers.get_all(CONNECTION).iter().any(|value| tokens(value).any(|token| self.covers_any_case(token)))
    }

    /// As [`Names::covers`], for what is not folded yet, without folding a copy: browsers send `Connection` every time.
    fn covers_any_case(&self, token: &[u8]) -> bool {
        let prefix = self.prefix().as_bytes();
        token.len() >= prefix.len()
            && prefix.iter().zip(token).all(|(&ours, theirs)| same(ours, theirs.to_ascii_lowercase()))
            && token.get(prefix.len()).is_none_or(|next| !next.is_ascii_alphanumeric())
    }

    #[cold]
    fn rebuild(&self, headers: &mut HeaderMap, also: &[HeaderName]) {
        let mut kept = HeaderMap::with_capacity(headers.keys_len());
        // `HeaderMap`'s iterator names a header once and leaves the name out for its further values.
        let mut last: Option<HeaderName> = None;
        for (name, value) in std::mem::take(headers) {
            if name.is_some() {
                last = name;
            }
            let Some(name) = &last else { continue };
            if self.covers(name.as_str().as_bytes()) || also.iter().any(|other| is_alias(name, other)) {
                continue;
            }
            if name == CONNECTION {
                if let Some(value) = self.without_ours(value) {
                    kept.append(CONNECTION, value);
                }
                continue;
            }
            kept.append(name.clone(), value);
        }
        *headers = kept;
    }

    /// A `Connection` value without our names; `None` when nothing is left.
    fn without_ours(&self, value: HeaderValue) -> Option<HeaderValue> {
        if !tokens(&value).any(|token| self.covers_any_case(token)) {
            return Some(value);
        }
        let kept: Vec<&[u8]> = tokens(&value).filter(|token| !self.covers_any_case(token)).collect();
        let joined = kept.join(b", ".as_slice());
        // Parts of a valid value joined by ", " are a valid value.
        (!joined.is_empty()).then(|| HeaderValue::from_bytes(&joined).ok()).flatten()
    }
}

/// Whether a server further on may take one name for the other.
fn is_alias(name: &HeaderName, other: &HeaderName) -> bool {
    let (name, other) = (name.as_str().as_bytes(), other.as_str().as_bytes());
    name.len() == other.len() && name.iter().zip(other).all(|(&a, &b)| same(a, b))
}

#[inline]
fn same(a: u8, b: u8) -> bool {
    a == b || !(a.is_ascii_alphanumeric() || b.is_ascii_alphanumeric())
}

fn tokens(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}
