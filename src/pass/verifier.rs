//! Verifies assertions, in a backend.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::request::Parts;

use super::{
    assertion::{ISSUER, named},
    assertion_error::AssertionError,
    claims::{Claims, TYPE, bounded_method, bounded_path, digest, seconds},
    jwks,
    jws::{PublicKey, verify},
};
use crate::{
    clock::Clock,
    decision::{Accepts, Decision},
    error::ConfigError,
    headers::{Header, Names, NotOne, USUAL},
};

/// Verifies the assertions of requests: in a backend in Rust, behind a layer in another process with
/// [`assertion`](crate::JVerifyBuilder::assertion). Clones share one set of keys.
///
/// It requires a signature by one of the keys, the audience and the issuer, and that the assertion is not expired and is for the
/// method, path and body of this request. It accepts verified requests only.
///
/// An assertion is not bound to the query or to other headers: a backend must not read from there who logs in. It can be used again for
/// the same request within 60 s. A backend that must exclude this keeps each [`Assertion::id`] for a minute.
///
/// ```
/// use http::{StatusCode, request::Parts};
/// use tower_jverify::{Phone, pass::Verifier};
///
/// /// `jwks`: what `Assertions::jwks` returned to the operator of the layer.
/// fn verifier(jwks: &str) -> Result<Verifier, tower_jverify::ConfigError> {
///     Verifier::new(jwks).audience("accounts").build()
/// }
///
/// /// The phone to log in, if the layer has `forward_phone`.
/// fn phone(verifier: &Verifier, head: &Parts, body: &[u8]) -> Result<Phone, StatusCode> {
///     let assertion = verifier.verify(head, body).map_err(|_| StatusCode::FORBIDDEN)?;
///     assertion.decision().phone().ok_or(StatusCode::FORBIDDEN)
/// }
/// # let _ = (verifier, phone);
/// ```
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    keys: Vec<PublicKey>,
    audience: Box<str>,
    issuer: Box<str>,
    names: Names,
    accepts: Accepts,
    accepts_unverified: bool,
    accepts_unbound_bodies: bool,
    clock: Clock,
}

/// Builds a [`Verifier`]: see [`Verifier::new`].
#[must_use = "a builder verifies nothing until it is built"]
pub struct VerifierBuilder {
    jwks: Box<[u8]>,
    audience: Option<Box<str>>,
    issuer: Box<str>,
    header_prefix: Box<str>,
    accepts_sandbox: bool,
    accepts_unverified: bool,
    accepts_unbound_bodies: bool,
}

/// What a valid assertion says about a request.
#[derive(Clone, Debug)]
pub struct Assertion {
    decision: Decision,
    id: Box<str>,
    rule: Option<Box<str>>,
    issued: u64,
    expires: u64,
    binds_body: bool,
}

/// How far in the future an assertion may have been signed, in seconds: clocks differ. An expired one has no leeway.
const AHEAD: u64 = 30;

// === impl Verifier ===

impl Verifier {
    /// Returns a builder of a verifier with the keys of [`Assertions::jwks`](crate::Assertions::jwks): a JSON Web Key Set (RFC 7517). Keys of other kinds are ignored.
    ///
    /// A verifier keeps its keys. When the layer gets others, build another verifier.
    #[allow(clippy::new_ret_no_self, reason = "an audience is required as well, so this is the start of a builder")]
    pub fn new(jwks: impl AsRef<[u8]>) -> VerifierBuilder {
        VerifierBuilder {
            jwks: jwks.as_ref().into(),
            audience: None,
            issuer: ISSUER.into(),
            header_prefix: USUAL.into(),
            accepts_sandbox: false,
            accepts_unverified: false,
            accepts_unbound_bodies: false,
        }
    }

    /// Verifies the assertion of a request. `head`: as it came from the layer. `body`: all of its bytes, without trailers.
    ///
    /// ```
    /// use tower_jverify::pass::{AssertionError, Verifier};
    ///
    /// let jwks = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    /// let verifier = Verifier::new(jwks).audience("accounts").build()?;
    /// let (head, body) = http::Request::post("/login").body("{}").unwrap().into_parts();
    /// assert_eq!(verifier.verify(&head, body.as_bytes()).err(), Some(AssertionError::Missing));
    /// # Ok::<_, tower_jverify::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an [`AssertionError`] if the assertion is missing or not valid for this request, or if it says that the request was not verified.
    pub fn verify(&self, head: &Parts, body: &[u8]) -> Result<Assertion, AssertionError> {
        let inner = &*self.0;
        let value = inner.names.read(&head.headers, Header::Assertion).map_err(|not_one| match not_one {
            NotOne::Twice => AssertionError::Repeated,
            NotOne::Aliased => AssertionError::Aliased,
        })?;
        let text = value.ok_or(AssertionError::Missing)?.to_str().map_err(|_| AssertionError::Signature)?;
        let claims: Claims<String> = verify(&inner.keys, TYPE, text).map_err(|_| AssertionError::Signature)?;
        if *claims.iss != *inner.issuer {
            return Err(AssertionError::Issuer);
        }
        if *claims.aud != *inner.audience {
            return Err(AssertionError::Audience);
        }
        let now = seconds(inner.clock.now());
        if claims.exp <= now {
            return Err(AssertionError::Expired);
        }
        if claims.iat > now.saturating_add(AHEAD) {
            return Err(AssertionError::NotYetValid);
        }
        if claims.htm != bounded_method(head.method.as_str()) {
            return Err(AssertionError::Method);
        }
        if claims.htu != bounded_path(head.uri.path()) {
            return Err(AssertionError::Path);
        }
        match &claims.bd {
            Some(bd) if *bd != digest(body) => return Err(AssertionError::Body),
            None if !inner.accepts_unbound_bodies => return Err(AssertionError::BodyNotBound),
            Some(_) | None => {}
        }
        let decision = claims.stated().decide(inner.accepts).map_err(|_| AssertionError::Claims)?;
        if !decision.is_verified() && !inner.accepts_unverified {
            return Err(AssertionError::Unverified(decision.reason()));
        }
        Ok(Assertion {
            decision,
            id: claims.jti.into(),
            rule: claims.rule.map(Into::into),
            issued: claims.iat,
            expires: claims.exp,
            binds_body: claims.bd.is_some(),
        })
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { keys, audience, issuer, .. } = &*self.0;
        f.debug_struct("Verifier")
            .field("keys", keys)
            .field("audience", audience)
            .field("issuer", issuer)
            .finish_non_exhaustive()
    }
}

// === impl VerifierBuilder ===

impl VerifierBuilder {
    /// Sets the name of this backend: the layer's [`Assertions::audience`](crate::Assertions::audience). Required, without a
    /// default.
    pub fn audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Sets the layer's [`Assertions::issuer`](crate::Assertions::issuer). Default: `jverify`.
    pub fn issuer(mut self, issuer: impl Into<Box<str>>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// Sets the layer's [`header_prefix`](crate::JVerifyBuilder::header_prefix). Default: `x-jverify`.
    pub fn header_prefix(mut self, prefix: impl Into<Box<str>>) -> Self {
        self.header_prefix = prefix.into();
        self
    }

    /// **Danger.** Sets whether an answer of a sandbox counts as verified. Default: `false`. For tests and staging: a sandbox accepts every
    /// client that sends its magic proofs.
    pub fn danger_accept_sandbox(mut self, accept: bool) -> Self {
        self.accepts_sandbox = accept;
        self
    }

    /// **Danger.** Sets whether [`Verifier::verify`] returns the assertion of a request that was not verified, such as one of a rule in shadow, or one that passed by a fallback of the policy.
    /// Default: `false`. Check [`Decision::is_verified`] then.
    pub fn danger_accept_unverified(mut self, accept: bool) -> Self {
        self.accepts_unverified = accept;
        self
    }

    /// **Danger.** Sets whether an assertion may be for any body. Default: `false`. The layer signs such an assertion for a request whose body it has
    /// not read to its end: the fields of the rule are in the head, a gRPC call has a stream of messages, or the rule is in shadow. Anyone who
    /// sees the assertion can send it with another body for 60 s. Check [`Assertion::binds_body`] then.
    pub fn danger_accept_unbound_bodies(mut self, accept: bool) -> Self {
        self.accepts_unbound_bodies = accept;
        self
    }

    /// Builds the verifier.
    ///
    /// # Errors
    ///
    /// Returns a [`ConfigError`] that names `verifier.jwks`, `verifier.audience`, `verifier.issuer` or `header_prefix`.
    pub fn build(self) -> Result<Verifier, ConfigError> {
        let keys = jwks::parse(&self.jwks).map_err(|problem| ConfigError::unshown("verifier.jwks", problem))?;
        let audience = self.audience.ok_or_else(|| {
            ConfigError::unshown(
                "verifier.audience",
                "a backend accepts assertions for one audience, which is required",
            )
        })?;
        named("verifier.audience", &audience)?;
        named("verifier.issuer", &self.issuer)?;
        Ok(Verifier(Arc::new(Inner {
            keys,
            audience,
            issuer: self.issuer,
            names: Names::new(&self.header_prefix)?,
            accepts: Accepts { sandbox: self.accepts_sandbox, ..Accepts::default() },
            accepts_unverified: self.accepts_unverified,
            accepts_unbound_bodies: self.accepts_unbound_bodies,
            clock: Clock::new(),
        })))
    }
}

impl fmt::Debug for VerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifierBuilder").field("audience", &self.audience).finish_non_exhaustive()
    }
}

// === impl Assertion ===

impl Assertion {
    /// The layer's decision. It contains what the headers contain: see [`Decision::from_trusted_headers`]. It has the phone only if the layer sets
    /// [`forward_phone`](crate::JVerifyBuilder::forward_phone).
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The id of the assertion (`jti`): 128 random bits, as 22 characters.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name of the rule that let the request through. `None` if the layer cannot know it, because a request in shadow may mean several rules.
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// When the layer signed it, to the second.
    pub fn issued(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.issued)).unwrap_or(UNIX_EPOCH)
    }

    /// When it expires: 60 s after it was signed.
    pub fn expires(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.expires)).unwrap_or(UNIX_EPOCH)
    }

    /// Whether it is for one body alone. Always `true`, unless [`VerifierBuilder::danger_accept_unbound_bodies`] is set.
    pub fn binds_body(&self) -> bool {
        self.binds_body
    }
}
