//! Names for phones and clients that only the holder of a key can compute.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{error::ConfigError, mac::MacKey, phone::Phone, secret::Secret};

/// Replaces a phone or a client in a log. Under one key, the same phone or client always has the same pseudonym.
///
/// The first 16 bytes of an HMAC-SHA256 under [`pseudonym_key`](crate::JVerifyBuilder::pseudonym_key). `Display` writes 22
/// characters of base64url (RFC 4648, section 5).
///
/// **Danger:** there are few phones and addresses. Anyone who knows the key can compute the pseudonyms of all of them, and
/// so find the phone of a pseudonym. Keep the key out of the place where the log is stored.
///
/// ```
/// use tower_jverify::{Decided, JVerifyLayer, Rule, Secret, number};
/// # use tower_jverify::{Check, Class, Verdict};
/// # let verifier = tower::service_fn(|check: Check| async move {
/// #     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
/// # });
/// # let key = Secret::from("0123456789abcdef0123456789abcdef");
/// let layer = JVerifyLayer::builder(verifier)
///     .rule(Rule::post("/login", number()))
///     .pseudonym_key(key)
///     .on_decision(|decided: &Decided<'_>| {
///         let phone = decided.phone_pseudonym().map(|phone| phone.to_string());
///         println!("{phone:?}");
///     })
///     .build();
/// # assert!(layer.is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pseudonym([u8; 16]);

/// Creates pseudonyms.
#[derive(Clone, Debug)]
pub(crate) struct Pseudonyms(MacKey);

// === impl Pseudonym ===

impl Pseudonym {
    /// The bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

// === impl Pseudonyms ===

impl Pseudonyms {
    /// # Errors
    ///
    /// `pseudonym_key`, if the key is too short.
    pub(crate) fn new(key: &Secret) -> Result<Self, ConfigError> {
        MacKey::new("pseudonym_key", key).map(Self)
    }

    pub(super) fn of_phone(&self, phone: Phone) -> Pseudonym {
        self.of(b"phone\0", phone.as_str().as_bytes())
    }

    /// `octets`: the octets that identify the client.
    pub(super) fn of_client(&self, octets: &[u8; 9]) -> Pseudonym {
        self.of(b"client\0", octets)
    }

    fn of(&self, domain: &[u8], value: &[u8]) -> Pseudonym {
        let [first @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = self.0.mac([domain, value]);
        Pseudonym(first)
    }
}
