//! Removes headers under the prefix, in every spelling, and headers that a foreign backend must not receive.

use http::{HeaderMap, HeaderName, Method, Uri, header::UPGRADE, uri::PathAndQuery};

use super::{
    folding::{aliases, begins_like, is_of_framing, listed, lists_headers, rebuild, without_words},
    names::Names,
    routing::{Keeping, Routing},
};

// === impl Names ===

impl Names {
    /// Removes every header under the prefix, and removes such names from `Connection`. In front of a foreign backend it
    /// also removes headers that name another path, method or protocol.
    ///
    /// Runs on every request, so it only reads, unless there is something to remove; then it rebuilds the map.
    #[inline]
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        if self.occurs_in(headers, Keeping::All) {
            self.remove(headers, &[], Keeping::All);
        }
    }

    /// Removes scheme and host of a URI (of a request over HTTP/2, or with a whole URL in its request line) if either is something
    /// else: a proxy behind the layer makes `X-Forwarded-Proto` and `Host` of them (RFC 9113, 8.3.1).
    #[inline]
    pub(crate) fn strip_host(&self, uri: &mut Uri) {
        if let Some(authority) = uri.authority()
            && let Some(routing) = self.routing()
            && !routing.is_origin(uri.scheme_str(), authority.as_str())
        {
            routing.warn("host");
            remove_host(uri);
        }
    }

    /// As [`Names::strip`], and also removes the named headers: for trailers, which must not contain a proof's header.
    pub(crate) fn strip_with(&self, headers: &mut HeaderMap, also: &[HeaderName]) {
        let is_named = |name: &HeaderName| also.iter().any(|other| aliases(name.as_str(), other.as_str()));
        if self.occurs_in(headers, Keeping::Nothing) || headers.keys().any(is_named) {
            self.remove(headers, also, Keeping::Nothing);
        }
    }

    /// Removes headers that name a method, even if they are kept: the method on a guarded path must not change.
    pub(crate) fn strip_overrides(&self, headers: &mut HeaderMap) {
        if self.occurs_in(headers, Keeping::NoMethods) {
            self.remove(headers, &[], Keeping::NoMethods);
        }
    }

    /// Whether some backend may read this name as one under the prefix: any character except letters and digits may replace
    /// a dash (CGI converts them all to `_`).
    #[inline]
    pub(crate) fn covers(&self, name: &[u8]) -> bool {
        let prefix = self.prefix().as_bytes();
        begins_like(name, prefix) && name.get(prefix.len()).is_none_or(|next| !next.is_ascii_alphanumeric())
    }

    /// Whether the request asks a proxy behind the layer for a tunnel to a host (RFC 9110, 9.3.6): the method CONNECT without a
    /// path. With a path it is a WebSocket over HTTP/2 (RFC 8441).
    #[inline]
    pub(crate) fn refuses_tunnel(&self, method: &Method, uri: &Uri) -> bool {
        method.as_str().eq_ignore_ascii_case(Method::CONNECT.as_str())
            && uri.path_and_query().is_none()
            && self.routing().is_some_and(Routing::suspects_tunnels)
    }

    /// Whether the client's header with this name never reaches the inner service.
    pub(crate) fn removes(&self, name: &str) -> bool {
        self.covers(name.as_bytes())
            || self.hides(name)
            || self.routing().is_some_and(|routing| routing.removes_always(name, Keeping::NoMethods))
    }

    /// Whether a server may read this name as one of the further headers that are removed.
    #[inline]
    fn hides(&self, name: &str) -> bool {
        self.hidden().is_some_and(|hidden| hidden.iter().any(|header| aliases(name, header.as_str())))
    }

    /// Whether there is something to remove. Runs on every header of every request: one pass, with the tests that most
    /// names fail first.
    #[inline]
    fn occurs_in(&self, headers: &HeaderMap, keeping: Keeping) -> bool {
        if self.hidden().is_some() || self.routing().is_some() {
            return self.occurs_with_others(headers, keeping);
        }
        headers.keys().any(|name| self.is_ours(name.as_str(), headers))
    }

    #[inline(never)]
    fn occurs_with_others(&self, headers: &HeaderMap, keeping: Keeping) -> bool {
        headers.iter().any(|(name, value)| {
            let name = name.as_str();
            self.is_ours(name, headers)
                || self.hides(name)
                || self.routing().is_some_and(|routing| routing.concerns(name, value, keeping))
        })
    }

    /// Whether a name is under the prefix, or that of a `Connection` that names such a header.
    #[inline]
    fn is_ours(&self, name: &str, headers: &HeaderMap) -> bool {
        // A prefix ends with a letter or a digit, which is the same in every spelling, and a `HeaderName` is in lower case.
        let Some((last, before)) = self.prefix().as_bytes().split_last() else { return false };
        (name.as_bytes().get(before.len()) == Some(last) && self.covers_name(name))
            || (lists_headers(name) && self.is_named_by_connection(headers))
    }

    #[inline(never)]
    fn covers_name(&self, name: &str) -> bool {
        self.covers(name.as_bytes())
    }

    #[cold]
    fn is_named_by_connection(&self, headers: &HeaderMap) -> bool {
        listed(headers).any(|word| self.is_removed_word(word, true))
    }

    /// Whether a word of `Connection` is removed. `upgrades`: `Upgrade` stays. No header has a name that is not ASCII, and what a server
    /// reads in place of such a character is not known.
    fn is_removed_word(&self, word: &[u8], upgrades: bool) -> bool {
        !word.is_ascii()
            || self.covers(word)
            || is_of_framing(word)
            || self.routing().is_some_and(|routing| routing.is_removed_word(word, upgrades))
    }

    #[cold]
    fn remove(&self, headers: &mut HeaderMap, also: &[HeaderName], keeping: Keeping) {
        let routing = self.routing();
        let upgrades = routing.is_none_or(|routing| routing.leaves_an_upgrade(headers));
        rebuild(headers, |name, value| {
            let text = name.as_str();
            if self.covers(text.as_bytes())
                || self.hides(text)
                || also.iter().any(|other| aliases(text, other.as_str()))
            {
                return None;
            }
            if lists_headers(text) {
                return without_words(value, |word| self.is_removed_word(word, upgrades));
            }
            let Some(routing) = routing else { return Some(value) };
            if routing.removes(text, &value, keeping) {
                routing.warn(text);
                return None;
            }
            if name == UPGRADE { routing.without_http2(value) } else { Some(value) }
        });
    }
}

/// Removes scheme and host of a URI. A request line such as `POST login` has a host and no path, and stays.
#[cold]
fn remove_host(uri: &mut Uri) {
    let mut parts = std::mem::take(uri).into_parts();
    if let Some(path) = &mut parts.path_and_query {
        if path.as_str() == "/" {
            // After a host the slash may not be written.
            *path = PathAndQuery::from_static("/");
        }
        (parts.scheme, parts.authority) = (None, None);
    }
    *uri = Uri::from_parts(parts).expect("a path, or the parts of a URI");
}
