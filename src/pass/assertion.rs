//! The assertions of a layer, as they are set, and the key that signs them.

use std::{fmt, sync::Arc};

use super::{jwks, jws::Key, key::PassKey, subject::NAME};
use crate::error::ConfigError;

/// Signs a statement about each request that a rule lets through, in the header `x-jverify-assertion`: for a backend that does not want to
/// trust the network between the layer and itself. Set it with [`JVerifyBuilder::assertion`](crate::JVerifyBuilder::assertion).
///
/// An assertion is a JWT that is signed with Ed25519 (`EdDSA`), so that a backend can verify assertions and cannot write any. It is valid for
/// 60 s, for one audience, and for the method, path and body of its request. In Rust, `pass::Verifier` checks it (feature `pass`); other
/// languages check it with the keys of [`Assertions::jwks`]. [The page on assertions](crate::docs::assertion) lists the claims.
///
/// ```
/// use tower_jverify::{Assertions, JVerifyLayer, Rule, number};
/// # use tower_jverify::{Check, Class, Verdict};
///
/// # fn build(pkcs8: &[u8]) -> Result<(), tower_jverify::ConfigError> {
/// # let verifier = tower::service_fn(|check: Check| async move {
/// #     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
/// # });
/// // openssl genpkey -algorithm ed25519 -outform DER -out assertion.der
/// let assertions = Assertions::ed25519("2026-11", pkcs8).audience("accounts");
/// let keys = assertions.jwks()?; // for the backend
/// let layer = JVerifyLayer::builder(verifier).rule(Rule::post("/login", number())).assertion(assertions).build()?;
/// # let _ = (keys, layer);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "assertions are signed by a layer that gets them"]
pub struct Assertions(Arc<Set>);

#[derive(Clone)]
struct Set {
    signing: (Box<str>, PassKey),
    /// Keys that only [`Assertions::jwks`] contains.
    others: Vec<(Box<str>, PassKey)>,
    audience: Option<Box<str>>,
    issuer: Box<str>,
}

/// The issuer, unless another one is set.
pub(super) const ISSUER: &str = "jverify";

/// The setting's name.
pub(super) const SETTING: &str = "assertion";

/// The most keys of one layer.
const KEYS: usize = 8;

// === impl Assertions ===

impl Assertions {
    /// Signs with this private key of Ed25519, as PKCS#8 in DER. `kid` names the key: 1 to 64 letters, digits and `-_.`.
    ///
    /// An [`audience`](Self::audience) is required. Otherwise `build()` returns an error.
    pub fn ed25519(kid: impl Into<Box<str>>, pkcs8: impl AsRef<[u8]>) -> Self {
        let signing = (kid.into(), PassKey::ed25519(pkcs8));
        Self(Arc::new(Set { signing, others: Vec::new(), audience: None, issuer: ISSUER.into() }))
    }

    /// Adds a key to [`Assertions::jwks`] that does not sign: the next or the previous one, while keys are rotated. At most 8 keys
    /// together. Default: no further key.
    pub fn also(mut self, kid: impl Into<Box<str>>, pkcs8: impl AsRef<[u8]>) -> Self {
        Arc::make_mut(&mut self.0).others.push((kid.into(), PassKey::ed25519(pkcs8)));
        self
    }

    /// Sets the backend that the assertions are for: 1 to 128 characters of visible ASCII, without `"` and `\`. Required, without a default. A backend
    /// refuses assertions for another audience.
    pub fn audience(mut self, audience: impl Into<Box<str>>) -> Self {
        Arc::make_mut(&mut self.0).audience = Some(audience.into());
        self
    }

    /// Sets the name of the layer that signs, as [`audience`](Self::audience). Default: `jverify`.
    pub fn issuer(mut self, issuer: impl Into<Box<str>>) -> Self {
        Arc::make_mut(&mut self.0).issuer = issuer.into();
        self
    }

    /// Returns the public keys as a JSON Web Key Set (RFC 7517), for the backends: publish it, or configure it there.
    ///
    /// # Errors
    ///
    /// As `build()` of the layer: a [`ConfigError`] that names `assertion` for an invalid or repeated key, or for a missing Cargo feature `pass`.
    pub fn jwks(&self) -> Result<String, ConfigError> {
        let (signing, others) = self.0.keys()?;
        Ok(jwks::export(std::iter::once(&signing).chain(&others)))
    }

    /// The key that signs, the audience and the issuer.
    ///
    /// # Errors
    ///
    /// `assertion`: an invalid key, or no feature `pass`; `assertion.audience`, `assertion.issuer`.
    pub(super) fn checked(&self) -> Result<(Key, Box<str>, Box<str>), ConfigError> {
        let Set { audience, issuer, .. } = &*self.0;
        let audience = audience.clone().ok_or_else(|| {
            ConfigError::unshown("assertion.audience", "an assertion is for one audience, which is required")
        })?;
        named("assertion.audience", &audience)?;
        named("assertion.issuer", issuer)?;
        let (signing, _) = self.0.keys()?;
        Ok((signing, audience, issuer.clone()))
    }
}

impl fmt::Debug for Assertions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Set { signing: (kid, _), others, audience, issuer } = &*self.0;
        let also: Vec<&str> = others.iter().map(|(kid, _)| &**kid).collect();
        f.debug_struct("Assertions")
            .field("kid", kid)
            .field("also", &also)
            .field("audience", audience)
            .field("issuer", issuer)
            .finish_non_exhaustive()
    }
}

// === impl Set ===

impl Set {
    /// The key that signs, and the others.
    ///
    /// # Errors
    ///
    /// `assertion`.
    fn keys(&self) -> Result<(Key, Vec<Key>), ConfigError> {
        let all = || std::iter::once(&self.signing).chain(&self.others);
        if all().count() > KEYS {
            return Err(ConfigError::new(SETTING, all().count().to_string(), "at most 8 keys"));
        }
        let mut kids: Vec<&str> = all().map(|(kid, _)| &**kid).collect();
        kids.sort_unstable();
        if let Some(twice) = kids.windows(2).find_map(|pair| pair.first().filter(|first| pair.last() == Some(first))) {
            return Err(ConfigError::new(SETTING, *twice, "two keys have this id"));
        }
        let key = |(kid, key): &(Box<str>, PassKey)| Key::new(SETTING, kid, key);
        Ok((key(&self.signing)?, self.others.iter().map(key).collect::<Result<_, _>>()?))
    }
}

/// Refuses a text that is not a short name.
pub(super) fn named(setting: &'static str, name: &str) -> Result<(), ConfigError> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
    if (1..=NAME).contains(&name.len()) && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(ConfigError::new(setting, name, "1 to 128 characters of visible ASCII, without `\"` and `\\`"))
}
