//! Finds what identifies a person or carries a proof in a request that no rule reads, or in a cookie.
//!
//! A backend that ignores the method, as PHP's scripts and Django's views do, treats `GET /login?phone=…` as a login.

use http::HeaderMap;

use super::{
    fold::{Found, Keys},
    form, hidden,
    plan::Plan,
};
use crate::{foreign_backend::Suspicion, headers::aliases};

impl Plan {
    /// Whether a header that the rule reads is present, in any spelling.
    pub(crate) fn is_in_headers(&self, headers: &HeaderMap) -> bool {
        let is_read = |name: &str| self.header_names().iter().any(|own| aliases(own.as_str(), name));
        headers.keys().any(|name| is_read(name.as_str()))
    }

    /// Whether a query contains the name of a phone, a login token or a captcha's answer, or cannot be decoded. A `token`
    /// alone does not count: invitation links contain one.
    pub(crate) fn is_in_query(&self, query: &str) -> bool {
        let names = self.identities() & self.guarded_in_query();
        if names == 0 {
            return false;
        }
        let mut scratch = Vec::new();
        query.trim_start_matches('?').split(['&', ';']).any(|pair| {
            let keys = [pair.split('=').next(), form::torn_name(pair)];
            keys.into_iter()
                .flatten()
                .any(|key| form::decode(key, &mut scratch).is_none_or(|key| self.names_like(key) & names != 0))
        })
    }

    /// Whether a backend that merges cookies with the body may read this cookie name as the name of a phone, or of a field
    /// that changes the meaning of others. The name is decoded like the most lenient readers do: Perl's `CGI::Cookie` and
    /// classic ASP decode `%u0070hone`.
    pub(crate) fn is_phone_cookie(&self, name: &[u8]) -> bool {
        let mut scratch = Vec::new();
        self.foreign().suspects(Suspicion::Cookie)
            && self.names_like(hidden::decode(name, &mut scratch)) & self.cookies() != 0
    }

    /// The bits of all names as which some parser could read a decoded key: the whole key, or its last segment.
    fn names_like(&self, key: &str) -> u64 {
        let whole = match self.names().find(key, Keys::Form) {
            Found::Nothing => 0,
            Found::Name(id) => 1 << id,
            Found::Like(names) => names,
        };
        whole | self.names().like_last(key)
    }
}
