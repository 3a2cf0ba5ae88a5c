//! A header by which testers enforce a rule for one request.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use subtle::ConstantTimeEq;

use crate::{
    error::ConfigError,
    headers::{is_common, only},
    secret::Secret,
};

/// The header and its value. Shared, so that a rule is small.
#[derive(Clone)]
pub(crate) struct Tester(Arc<(HeaderName, Secret)>);

/// The tester headers that a request has exactly once, with their values.
pub(crate) struct Shown(Vec<(HeaderName, HeaderValue)>);

/// The least number of bytes of a value that clients cannot guess.
const LEAST: usize = 16;

// === impl Tester ===

impl Tester {
    pub(crate) fn new(header: HeaderName, secret: Secret) -> Self {
        Self(Arc::new((header, secret)))
    }

    pub(super) fn header(&self) -> &HeaderName {
        &self.0.0
    }

    fn secret(&self) -> &str {
        self.0.1.expose()
    }

    /// # Errors
    ///
    /// `enforce_when`.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if is_common(self.header()) {
            let problem = "the header is removed from every request, so it cannot be one that others use";
            return Err(ConfigError::new("enforce_when", self.header().as_str(), problem));
        }
        let secret = self.secret();
        if secret.len() < LEAST || HeaderValue::from_str(secret).is_err() || secret.trim() != secret {
            let problem = "a secret has at least 16 bytes, and can be the value of a header";
            return Err(ConfigError::unshown("enforce_when", problem));
        }
        Ok(())
    }

    /// Whether the request has the header with this value. Takes as long for every value of one length.
    pub(super) fn is_shown(&self, shown: &Shown) -> bool {
        let is_equal = |value: &HeaderValue| bool::from(value.as_bytes().ct_eq(self.secret().as_bytes()));
        shown.0.iter().any(|(header, value)| header == self.header() && is_equal(value))
    }
}

// === impl Shown ===

impl Shown {
    /// A header that is repeated, or has another spelling, is not shown.
    #[cold]
    pub(crate) fn of(headers: &HeaderMap, testers: &[HeaderName]) -> Option<Self> {
        let shown = testers.iter().filter_map(|name| Some((name.clone(), only(headers, name).ok()??.clone())));
        Some(Self(shown.collect())).filter(|shown| !shown.0.is_empty())
    }
}
