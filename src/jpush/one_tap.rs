//! Decrypts the phone of a one-tap login, which JPush encrypts for the developer's key.
//!
//! RSA, PKCS#1 v1.5, base64 (vendor's REST API, loginTokenVerify). PKCS#1 v1.5 allows padding oracles if an attacker can submit
//! ciphertexts. These ciphertexts come from JPush over TLS, and all failures look alike.

use std::{borrow::Cow, fmt};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    key_kind::{self, Rsa, Wrapping},
    key_text,
};
use crate::{error::ConfigError, phone::Phone, verdict::Verdict};

const DAMAGED: &str = "the RSA key is damaged: its numbers are inconsistent";

/// The developer's private key, whose public half is in the vendor's console.
pub(super) struct OneTapKey(Pkcs1PrivateDecryptingKey);

/// A one-tap check without a key: nothing was sent.
pub(super) fn keyless(verdict: Verdict) -> Verdict {
    let advice =
        "no one-tap key is set, so nothing was sent: set the developer's private key (`JPushBuilder::one_tap_key`)";
    verdict.with_advice(advice).unanswered("no one-tap key".into(), true, false)
}

/// A one-tap check for which the application returned no usable key: nothing was sent.
pub(super) fn unusable(verdict: Verdict) -> Verdict {
    let advice = "the closure of `one_tap_key_from_fn` panicked, or returned an unusable key";
    verdict.with_advice(advice).unanswered("no usable one-tap key".into(), true, false)
}

/// A pass whose phone is not for the key.
pub(super) fn unopened(verdict: Verdict) -> Verdict {
    let advice = "the one-tap key does not decrypt the phone that JPush returned: it is the key of another app, or the vendor's console has another \
                  public key";
    verdict.with_advice(advice).unanswered("the one-tap key does not decrypt the phone".into(), false, false)
}

/// A pass without a phone.
pub(super) fn phoneless(verdict: Verdict) -> Verdict {
    let advice = "JPush answered a one-tap login without a phone: check that the app's public key is set in the vendor's console";
    verdict.with_advice(advice).unanswered("the answer has no phone".into(), false, false)
}

// === impl OneTapKey ===

impl OneTapKey {
    /// Reads a key of 2,048 to 8,192 bits, in any shape that [`key_text::der`] knows.
    ///
    /// # Errors
    ///
    /// `one_tap_key`: what is wrong with the key. The error does not show the key.
    pub(super) fn from_text(text: &str) -> Result<Self, ConfigError> {
        let wrong = |problem: Cow<'static, str>| ConfigError::unshown("one_tap_key", problem);
        let damaged = |_| wrong(DAMAGED.into());
        let der = key_text::der(text).map_err(|problem| wrong(problem.into()))?;
        let Rsa { wrapping, bits } = key_kind::rsa(&der).map_err(|problem| wrong(problem.into()))?;
        if let Some(problem) = wrong_length(bits) {
            return Err(wrong(problem.into()));
        }
        let key = match wrapping {
            Wrapping::Pkcs8 => PrivateDecryptingKey::from_pkcs8(&der).map_err(damaged)?,
            Wrapping::Pkcs1 => {
                let pair = KeyPair::from_der(&der).map_err(damaged)?;
                let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| wrong(DAMAGED.into()))?;
                PrivateDecryptingKey::from_pkcs8(der.as_ref()).map_err(damaged)?
            }
        };
        Pkcs1PrivateDecryptingKey::new(key).map(Self).map_err(|_| wrong(DAMAGED.into()))
    }

    /// The phone in `phone`; `None` if it is not encrypted for this key, or does not contain a phone.
    pub(super) fn open(&self, sealed: &str) -> Option<Phone> {
        // MIME encoders insert line breaks.
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

/// What is wrong with the length of a key; `None` if the crypto library accepts it.
fn wrong_length(bits: usize) -> Option<String> {
    match bits {
        1024 => Some(
            "the RSA key is too short: it has 1024 bits, as the vendor's sample has, and at least 2048 are needed. Make a longer \
             one (`openssl genrsa -out key.pem 2048`), and set its public key in the vendor's console"
                .to_owned(),
        ),
        0..2048 => Some(format!(
            "the RSA key is too short: it has {bits} bits, and at least 2048 are needed. Make a longer one, and set its public \
             key in the vendor's console"
        )),
        2048..=8192 => None,
        _ => Some(format!("the RSA key is too long: it has {bits} bits, and at most 8192 are supported")),
    }
}

impl fmt::Debug for OneTapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneTapKey").finish_non_exhaustive()
    }
}
