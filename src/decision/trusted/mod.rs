//! Reads a decision from headers in another process.
//!
//! The layer removes every header under its prefix from each request, and writes its own. So a backend behind the layer may
//! trust them if only the layer can reach it: a client that reaches the backend directly can write these headers and log in
//! as any user. Bind the backend to a private address, or require mutual TLS from the proxy.
//!
//! Gateways between the layer and the backend may join, repeat, rename or empty headers. So headers that the layer never
//! writes are an error, not a decision.

mod error;
mod stated;
mod words;

use http::HeaderMap;

pub use self::error::TrustedHeadersError;
pub(crate) use self::stated::{Accepts, Stated};
use super::Decision;
use crate::{
    error::ConfigError,
    headers::{Header, Names, NotOne},
};

/// Reads decisions from the headers that a layer in another process wrote.
///
/// [`Decision::from_trusted_headers`] is the short form, which never treats an unverified request as verified. Create this
/// value once if the backend accepts more, or uses a custom prefix:
///
/// ```
/// use http::HeaderMap;
/// use tower_jverify::{TrustedHeaders, TrustedHeadersError};
///
/// // A staging environment whose proxy uses a sandbox.
/// let trusted = TrustedHeaders::new("x-jverify")?.danger_accept_sandbox(true);
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(trusted.read(&headers).unwrap_err(), TrustedHeadersError::NotDecided);
/// headers.insert("x-jverify-decision", "allow".parse().unwrap());
/// headers.insert("x-jverify-sandbox", "1".parse().unwrap());
/// assert!(trusted.read(&headers).unwrap().is_verified());
/// # Ok::<_, tower_jverify::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrustedHeaders {
    names: Names,
    accepts: Accepts,
}

/// The values of the layer's headers, each once and not empty.
struct Values<'h> {
    names: &'h Names,
    headers: &'h HeaderMap,
}

// === impl Decision ===

impl Decision {
    /// Reads the decision from the headers that a layer in another process wrote: for the backend of a proxy.
    ///
    /// `prefix` is the layer's [`header_prefix`](crate::JVerifyBuilder::header_prefix), by default `x-jverify`.
    ///
    /// **Danger:** call it only if every request comes through the layer. A client that can reach the backend directly
    /// writes these headers itself.
    ///
    /// An empty header is absent. The decision is unverified ([`Decision::is_verified`] returns `false`, and
    /// [`Decision::phone`] returns `None`) if the layer wrote `not-guarded`, `not-asked` or
    /// `would-deny`, or if a sandbox answered. See
    /// [`TrustedHeaders`] to accept these.
    ///
    /// The headers contain less than the decision in the layer's process: no code, `exID` or cause; the phone only if
    /// [`forward_phone`](crate::JVerifyBuilder::forward_phone) is set; only the highest score; at most 16 tags. For an
    /// unverified decision they do not show which check passed, so all its verdicts have [`Class::Unknown`](crate::Class).
    ///
    /// ```
    /// use http::{HeaderMap, StatusCode};
    /// use tower_jverify::{Decision, Phone};
    ///
    /// /// The phone to log in.
    /// fn phone(headers: &HeaderMap) -> Result<Phone, StatusCode> {
    ///     let decision = Decision::from_trusted_headers(headers, "x-jverify").map_err(|_| StatusCode::FORBIDDEN)?;
    ///     decision.phone().filter(|_| decision.is_verified()).ok_or(StatusCode::FORBIDDEN)
    /// }
    ///
    /// let mut headers = HeaderMap::new();
    /// assert!(phone(&headers).is_err());
    /// headers.insert("x-jverify-decision", "allow".parse().unwrap());
    /// headers.insert("x-jverify-phone", "13800000000".parse().unwrap());
    /// assert_eq!(phone(&headers).unwrap().as_str(), "13800000000");
    ///
    /// // Also a name that another server reads as the layer's header.
    /// headers.insert("x_jverify_decision", "allow".parse().unwrap());
    /// assert!(phone(&headers).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// Returns a [`TrustedHeadersError`] if there is no decision, or if the layer does not write such headers: a header
    /// occurs twice or has an alias, this version does not know the decision or reason, a phone is malformed, or headers
    /// contradict each other.
    pub fn from_trusted_headers(headers: &HeaderMap, prefix: &str) -> Result<Self, TrustedHeadersError> {
        TrustedHeaders::new(prefix).map_err(TrustedHeadersError::Prefix)?.read(headers)
    }
}

// === impl TrustedHeaders ===

impl TrustedHeaders {
    /// Creates a reader for a prefix such as `x-jverify`.
    ///
    /// # Errors
    ///
    /// Returns a [`ConfigError`] that names `header_prefix` if the prefix is invalid.
    pub fn new(prefix: &str) -> Result<Self, ConfigError> {
        Ok(Self { names: Names::new(prefix)?, accepts: Accepts::default() })
    }

    /// **Danger.** Sets whether a decision from a sandbox counts as verified. Default: `false`. For tests and staging: a
    /// sandbox accepts every client that sends its magic proofs.
    pub fn danger_accept_sandbox(mut self, accept: bool) -> Self {
        self.accepts.sandbox = accept;
        self
    }

    /// **Danger.** Sets whether `not-guarded` counts as verified. Default: `false`. Such a request was not verified and has
    /// no phone: the backend must identify the client by other means, such as its session.
    pub fn danger_accept_not_guarded(mut self, accept: bool) -> Self {
        self.accepts.not_guarded = accept;
        self
    }

    /// **Danger.** Sets whether `not-asked` counts as verified. Default: `false`. The application in the layer's process
    /// was to start the checks, and the request was passed on before their answer.
    pub fn danger_accept_not_asked(mut self, accept: bool) -> Self {
        self.accepts.not_asked = accept;
        self
    }

    /// Reads the decision.
    ///
    /// # Errors
    ///
    /// As [`Decision::from_trusted_headers`].
    pub fn read(&self, headers: &HeaderMap) -> Result<Decision, TrustedHeadersError> {
        let values = Values { names: &self.names, headers };
        // Reads all of them, so that a repeated or aliased header is always refused.
        let word = values.get(Header::Decision)?;
        let (level, score, tags) =
            (values.get(Header::RiskLevel)?, values.get(Header::RiskScore)?, values.get(Header::RiskTags)?);
        let (checks, ids) = (values.get(Header::Checks)?, values.get(Header::Id)?);
        let reason = values.get(Header::Reason)?;
        let (phone, sandbox) = (values.get(Header::Phone)?, values.get(Header::Sandbox)?);
        let mode = values.get(Header::Mode)?;
        values.get(Header::Assertion)?;

        let stated = Stated {
            word: word.ok_or(TrustedHeadersError::NotDecided)?,
            reason,
            level,
            score: score.map(words::number).transpose()?,
            tags: tags.map_or_else(|| Ok(Vec::new()), words::tags)?,
            checks: checks.map_or_else(Vec::new, |list| list.split(',').collect()),
            ids: ids.map(|list| list.split(',').map(|id| Some(id).filter(|id| *id != "-")).collect()),
            phone,
            is_sandbox: match sandbox {
                None => false,
                Some("1") => true,
                Some(_) => return Err(TrustedHeadersError::invalid(Header::Sandbox)),
            },
            mode,
        };
        stated.decide(self.accepts)
    }
}

// === impl Values ===

impl<'h> Values<'h> {
    fn get(&self, header: Header) -> Result<Option<&'h str>, TrustedHeadersError> {
        let value = self.names.read(self.headers, header).map_err(|not_one| {
            let header = header.as_str();
            match not_one {
                NotOne::Twice => TrustedHeadersError::Repeated { header },
                NotOne::Aliased => TrustedHeadersError::Aliased { header },
            }
        })?;
        let Some(value) = value else { return Ok(None) };
        let value = value.to_str().map_err(|_| TrustedHeadersError::invalid(header))?.trim_matches([' ', '\t']);
        Ok(Some(value).filter(|value| !value.is_empty()))
    }
}
