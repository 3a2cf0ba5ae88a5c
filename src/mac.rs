//! Keyed hashes that leave the process: HMAC-SHA256 (RFC 2104, FIPS 180-4).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{error::ConfigError, secret::Secret};

/// A key of at least 32 bytes, the length of the hash (RFC 2104, section 3).
#[derive(Clone)]
pub(crate) struct MacKey(Hmac<Sha256>);

// === impl MacKey ===

impl MacKey {
    /// The minimum length of a key, in bytes.
    const LEAST: usize = 32;

    /// # Errors
    ///
    /// Names the setting, if the key is too short. The key is not shown.
    pub(crate) fn new(setting: &'static str, key: &Secret) -> Result<Self, ConfigError> {
        let key = key.expose().as_bytes();
        Some(key)
            .filter(|key| key.len() >= Self::LEAST)
            .and_then(|key| Hmac::new_from_slice(key).ok())
            .map(Self)
            .ok_or_else(|| {
                ConfigError::unshown(setting, "a key has at least 32 bytes: `openssl rand -base64 32` writes one")
            })
    }

    /// Derives a key for this purpose from another key, with HMAC.
    #[cfg_attr(not(feature = "pass"), allow(dead_code))]
    pub(crate) fn derived(from: &[u8], purpose: &[u8]) -> Self {
        let keyed = |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        let mut mac = keyed(from);
        mac.update(purpose);
        Self(keyed(&mac.finalize().into_bytes()))
    }

    /// The hash of these parts, one after the other. Parts of variable length need a separator that they cannot contain.
    pub(crate) fn mac<const N: usize>(&self, parts: [&[u8]; N]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_hmac_sha_256() {
        // Computed with the module `hmac` of Python.
        let key = MacKey::new("key", &Secret::from("0123456789abcdef0123456789abcdef")).unwrap();
        let expected = [
            19, 126, 101, 87, 195, 193, 58, 28, 165, 220, 126, 82, 163, 137, 160, 248, 107, 232, 203, 77, 180, 174, 97,
            198, 35, 150, 5, 139, 0, 172, 172, 208,
        ];
        assert_eq!(key.mac([b"what do ", b"ya want for nothing?"]), expected);
    }

    #[test]
    fn a_short_key_is_refused_and_not_shown() {
        let error = MacKey::new("pseudonym_key", &Secret::from("0123456789abcdef0123456789abcde")).unwrap_err();
        assert_eq!(error.setting(), "pseudonym_key");
        assert!(!format!("{error} {error:?}").contains("0123"));
    }
}
