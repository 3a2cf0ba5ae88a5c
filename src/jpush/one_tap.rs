//! The phone behind a one-tap login, which JPush answers encrypted for the developer's key.
//!
//! RSA, PKCS#1 v1.5, base64 (vendor's REST API, loginTokenVerify). PKCS#1 v1.5 is open to padding oracles where an
//! attacker can submit ciphertexts; these come from JPush over TLS, and all failures look alike.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::phone::Phone;

/// The developer's private key, whose public half is in the vendor's console.
pub(super) struct OneTapKey(Pkcs1PrivateDecryptingKey);

// === impl OneTapKey ===

impl OneTapKey {
    /// Reads a key: PEM of PKCS#8 (`PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`), 2048 to 8192 bits.
    ///
    /// # Errors
    ///
    /// `one_tap_key`: when it is anything else. The error does not repeat it.
    pub(super) fn from_pem(pem: &str) -> Result<Self, crate::error::ConfigError> {
        use rustls::pki_types::{PrivateKeyDer, pem::PemObject};

        let wrong = |problem: &'static str| crate::error::ConfigError::unshown("one_tap_key", problem);
        let unusable = || wrong("not an RSA key of 2048 to 8192 bits");
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| wrong("not a private key in PEM"))?;
        let key = match &der {
            PrivateKeyDer::Pkcs8(der) => PrivateDecryptingKey::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => {
                let pair = KeyPair::from_der(der.secret_pkcs1_der()).map_err(|_| unusable())?;
                let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| unusable())?;
                PrivateDecryptingKey::from_pkcs8(der.as_ref())
            }
            _ => return Err(unusable()),
        };
        let key = key.map_err(|_| unusable())?;
        Pkcs1PrivateDecryptingKey::new(key).map(Self).map_err(|_| unusable())
    }

    /// The phone inside of `phone`; `None` when it is not for this key, or no phone is inside.
    pub(super) fn open(&self, sealed: &str) -> Option<Phone> {
        // MIME encoders break their lines.
        let sealed = if sealed.contains(['\r', '\n']) {
            STANDARD.decode(sealed.replace(['\r', '\n'], ""))
        } else {
            STANDARD.decode(sealed)
        };
        let mut plain = vec![0; self.0.min_output_size()];
        let plain = self.0.decrypt(&sealed.ok()?, &mut plain).ok()?;
        Phone::parse(std::str::from_utf8(plain).ok()?)
    }
}

impl fmt::Debug for OneTapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneTapKey").finish_non_exhaustive()
    }
}
