//! The keys, as they are set.

use std::{fmt, sync::Arc};

use secrecy::{ExposeSecret, SecretSlice};

use crate::{error::ConfigError, mac::MacKey, secret::Secret};

/// A key that signs passes, or that accepts them.
///
/// `Debug` does not show it, and its memory is overwritten when it is dropped.
///
/// ```
/// use tower_jverify::PassKey;
///
/// let key = PassKey::hs256("b3f1c02d5e6a4798b3f1c02d5e6a4798"); // openssl rand -hex 16
/// assert_eq!(format!("{key:?}"), "PassKey(HS256)");
/// ```
#[derive(Clone)]
pub struct PassKey(pub(super) Material);

#[derive(Clone)]
pub(super) enum Material {
    Hs256(Secret),
    /// PKCS#8, in DER.
    Ed25519(Arc<SecretSlice<u8>>),
}

/// The length of a hash of SHA-256 (RFC 7518, section 3.2), in bytes.
const LEAST: usize = 32;

/// The longest id of a key, in bytes.
const LONGEST_KID: usize = 64;

// === impl PassKey ===

impl PassKey {
    /// A shared secret of at least 32 bytes, for HMAC with SHA-256 (`HS256`).
    pub fn hs256(secret: impl Into<Secret>) -> Self {
        Self(Material::Hs256(secret.into()))
    }

    /// A private key of Ed25519 (`EdDSA`), as PKCS#8 in DER. `openssl genpkey -algorithm ed25519 -outform DER` writes one.
    pub fn ed25519(pkcs8: impl AsRef<[u8]>) -> Self {
        Self(Material::Ed25519(Arc::new(SecretSlice::from(pkcs8.as_ref().to_vec()))))
    }

    /// Derives a key for hashes, which is the same in each process that has this key. It is used for no signature and for no other purpose.
    #[cfg_attr(not(feature = "pass"), allow(dead_code))]
    pub(super) fn mac_key(&self, purpose: &[u8]) -> MacKey {
        match &self.0 {
            Material::Hs256(secret) => MacKey::derived(secret.expose().as_bytes(), purpose),
            Material::Ed25519(der) => MacKey::derived(der.expose_secret(), purpose),
        }
    }

    /// Refuses a secret that is too short, and an invalid id.
    ///
    /// # Errors
    ///
    /// Names the setting. The key is not shown.
    pub(super) fn validate(&self, setting: &'static str, kid: &str) -> Result<(), ConfigError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !(1..=LONGEST_KID).contains(&kid.len()) || !kid.bytes().all(is_plain) {
            return Err(ConfigError::new(setting, kid, "the id of a key has 1 to 64 letters, digits and `-_.`"));
        }
        match &self.0 {
            Material::Hs256(secret) if secret.expose().len() < LEAST => Err(ConfigError::unshown(
                setting,
                "a secret has at least 32 bytes: `openssl rand -base64 32` writes one",
            )),
            Material::Ed25519(der) if der.expose_secret().is_empty() => Err(ConfigError::unshown(setting, NO_KEY)),
            Material::Hs256(_) | Material::Ed25519(_) => Ok(()),
        }
    }
}

/// Why a private key cannot be used.
pub(super) const NO_KEY: &str = "not a private key of Ed25519 as PKCS#8 in DER";

impl fmt::Debug for PassKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Material::Hs256(_) => "PassKey(HS256)",
            Material::Ed25519(_) => "PassKey(EdDSA)",
        })
    }
}
