//! Signs assertions.

use std::fmt;

use http::HeaderValue;

use super::{
    assertion::{Assertions, SETTING},
    claims,
    jws::Key,
    subject::{NAME, Subject, length},
};
use crate::{clock::Clock, error::ConfigError};

/// Signs assertions.
pub(crate) struct Signer {
    key: Key,
    audience: Box<str>,
    issuer: Box<str>,
    clock: Clock,
}

// === impl Signer ===

impl Signer {
    /// # Errors
    ///
    /// As [`Assertions::checked`].
    pub(crate) fn new(assertions: &Assertions) -> Result<Self, ConfigError> {
        let (key, audience, issuer) = assertions.checked()?;
        Ok(Self { key, audience, issuer, clock: Clock::new() })
    }

    /// Refuses the name of a rule that is too long for an assertion.
    ///
    /// # Errors
    ///
    /// `assertion`.
    pub(crate) fn check_rule(name: &str) -> Result<(), ConfigError> {
        if length(name) <= NAME {
            return Ok(());
        }
        let problem =
            "assertions contain the rule's name, which is too long for a header: set one of at most 64 characters";
        Err(ConfigError::unshown(SETTING, problem))
    }

    /// The value of the header. `None` only if the library fails: the backend then refuses the request.
    #[cold]
    pub(crate) fn sign(&self, subject: &Subject<'_>) -> Option<HeaderValue> {
        let text = claims::sign(&self.key, (&self.issuer, &self.audience), self.clock.now(), subject)?;
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("key", &self.key).field("audience", &self.audience).finish_non_exhaustive()
    }
}
