//! The setting: which keys sign passes, for whom, and for how long.

use std::time::Duration;

use super::key::PassKey;
use crate::{error::ConfigError, secret::Secret};

/// Lets a client repeat a request without a second number check: see [`Rule::passes`](crate::Rule::passes).
///
/// A denial `captcha_required` that follows a passed number check has a pass, as the member `pass` of the problem document and as the header
/// `x-jverify-pass` (of a gRPC answer, as metadata). The client solves the captcha and repeats the request with the pass in place of its
/// token: [`docs/step-up.md`](crate::docs::step_up) shows the exchange.
///
/// A pass is signed (JWS). It says that the number check of this rule passed for this phone, with which risk. **It carries a proof,
/// never a right**: the rule's *current* policy decides, so a pass with a high risk still needs the captcha. It contains no phone and
/// no address in the clear. It works once, only for its rule, the rule's account, the method and path of its request, and its phone. It ends one
/// lifetime after the number check. A later pass of the same check ends when the first one does.
///
/// **It is signed, not encrypted**: the client can read the score, the tags and the id that JPush returned for its phone.
///
/// Its single use is claimed in the store of the [`Guards`](crate::Guards). **In memory, each instance claims for itself**: with several instances set
/// [`GuardsBuilder::redis`](crate::GuardsBuilder::redis), or a pass works once for each of them. The memory accepts no pass whose number check is older
/// than the memory: a restart, or a reload with other guards, ends all passes. If the store does not answer, no pass is accepted, whatever
/// [`StorePolicy`](crate::StorePolicy) says. The clocks of instances must not differ by more than 15 minutes.
///
/// All instances need the same keys. To rotate, accept the new key everywhere ([`Passes::also`]), then sign with it, and remove the old one after
/// a lifetime; [`JVerifyLayer::reload`](crate::JVerifyLayer::reload) does each step without a restart.
///
/// Needs the Cargo feature `pass`: without it `build()` returns an error.
///
#[cfg_attr(feature = "pass", doc = "```")]
#[cfg_attr(not(feature = "pass"), doc = "```ignore")]
/// use tower_jverify::{JVerifyLayer, Passes, Rule, number};
/// # use tower_jverify::{Check, Class, Verdict};
/// # let verifier = tower::service_fn(|check: Check| async move {
/// #     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
/// # });
/// # let secret = "b3f1c02d5e6a4798b3f1c02d5e6a4798";
///
/// let layer = JVerifyLayer::builder(verifier)
///     .passes(Passes::hs256("2026-11", secret).audience("accounts"))
///     .rule(Rule::post("/login", number()))
///     .build()?;
/// # let _ = layer;
/// # Ok::<_, tower_jverify::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Passes {
    /// The first key signs.
    pub(super) keys: Vec<(Box<str>, PassKey)>,
    pub(super) audience: Option<Box<str>>,
    pub(super) lifetime: Duration,
    pub(super) binds_client: bool,
}

/// How many keys are accepted.
const MOST: usize = 8;

/// The longest audience, in bytes.
const LONGEST_AUDIENCE: usize = 64;

/// The longest lifetime.
pub(super) const LONGEST: Duration = Duration::from_secs(15 * 60);

const SHORTEST: Duration = Duration::from_secs(30);

// === impl Passes ===

impl Passes {
    /// Passes that are signed with a shared secret of at least 32 bytes (HMAC with SHA-256). `kid`: the id of the key, 1 to 64 letters, digits and
    /// `-_.`, which each pass shows.
    pub fn hs256(kid: impl Into<Box<str>>, secret: impl Into<Secret>) -> Self {
        Self::signed(kid.into(), PassKey::hs256(secret))
    }

    /// Passes that are signed with a private key of Ed25519, as PKCS#8 in DER: see [`PassKey::ed25519`].
    pub fn ed25519(kid: impl Into<Box<str>>, pkcs8: impl AsRef<[u8]>) -> Self {
        Self::signed(kid.into(), PassKey::ed25519(pkcs8))
    }

    fn signed(kid: Box<str>, key: PassKey) -> Self {
        Self { keys: vec![(kid, key)], audience: None, lifetime: Duration::from_secs(5 * 60), binds_client: false }
    }

    /// Also accepts passes of this key. At most eight keys, each with another id. Default: no further key.
    pub fn also(mut self, kid: impl Into<Box<str>>, key: PassKey) -> Self {
        self.keys.push((kid.into(), key));
        self
    }

    /// Sets the application that the passes are for: 1 to 64 characters of visible ASCII without quotes and backslashes. Required, without a default. Applications
    /// with other audiences do not accept them, even if they have the same keys: give staging another one than production.
    pub fn audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Sets for how long a pass works, from the time of the number check. Default: 5 minutes; 30 s to 15 minutes. If a reload
    /// shortens the lifetime, the new one also applies to passes that were issued before.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Accepts a pass only from the client's network: the same /24 of IPv4, or the same /48 of IPv6. Default: from any address, because phones
    /// change between Wi-Fi and cellular data.
    ///
    /// Requires `client_ip`, which finds the address. A request without an address gets no pass, and its pass is refused.
    pub fn bind_client(mut self) -> Self {
        self.binds_client = true;
        self
    }

    /// Whether a pass is for one network.
    pub(crate) fn binds_client(&self) -> bool {
        self.binds_client
    }

    /// Returns the audience.
    ///
    /// # Errors
    ///
    /// Names the setting: a missing or invalid audience, a lifetime out of its range, two keys with one id, too many keys.
    pub(super) fn validate(&self) -> Result<&str, ConfigError> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
        let Some(audience) = &self.audience else {
            return Err(ConfigError::unshown("passes.audience", "passes are for one application: set its `audience`"));
        };
        if !(1..=LONGEST_AUDIENCE).contains(&audience.len()) || !audience.bytes().all(is_plain) {
            let problem = "1 to 64 characters of visible ASCII without quotes and backslashes";
            return Err(ConfigError::new("passes.audience", audience.clone(), problem));
        }
        if !(SHORTEST..=LONGEST).contains(&self.lifetime) {
            let value = format!("{:?}", self.lifetime);
            return Err(ConfigError::new("passes.lifetime", value, "30 s to 15 minutes"));
        }
        if self.keys.len() > MOST {
            return Err(ConfigError::new("passes.also", self.keys.len().to_string(), "at most 8 keys"));
        }
        for (at, (kid, _)) in self.keys.iter().enumerate() {
            if self.keys.iter().take(at).any(|(other, _)| other == kid) {
                return Err(ConfigError::new("passes.also", kid.clone(), "two keys have this id"));
            }
        }
        Ok(audience)
    }
}
