//! Signs and verifies texts in the compact form of JWS (RFC 7515, section 3.1).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto::aws_lc::DEFAULT_PROVIDER, jwk::EllipticCurve};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::key::{Material, NO_KEY, PassKey};
use crate::error::ConfigError;

/// A key that signs, and verifies what it has signed.
pub(crate) struct Key {
    signing: EncodingKey,
    public: PublicKey,
}

/// A key that verifies. For HS256 it is as secret as the key that signs.
pub(crate) struct PublicKey {
    kid: Box<str>,
    algorithm: Algorithm,
    verifying: DecodingKey,
    /// The public key of Ed25519.
    octets: Option<Box<[u8]>>,
}

/// Why a text is not read: it was not signed by one of the keys, or for another purpose, or is not of the form that [`Key::sign`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// The only members that a header may have. A `crit`, a `jwk` or a `jku` is refused.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'h> {
    typ: &'h str,
    alg: &'h str,
    kid: &'h str,
}

/// The longest text that is read, in bytes.
const LONGEST: usize = 4096;

/// The length of a public key of Ed25519 (RFC 8032, section 5.1.5), in bytes.
const PUBLIC: usize = 32;

// === impl Key ===

impl Key {
    /// # Errors
    ///
    /// Names the setting: an invalid id, a secret that is too short, no private key. The key is not shown.
    pub(crate) fn new(setting: &'static str, kid: &str, key: &PassKey) -> Result<Self, ConfigError> {
        key.validate(setting, kid)?;
        Ok(match &key.0 {
            Material::Hs256(secret) => {
                let secret = secret.expose().as_bytes();
                let verifying = DecodingKey::from_secret(secret);
                let public = PublicKey { kid: kid.into(), algorithm: Algorithm::HS256, verifying, octets: None };
                Self { signing: EncodingKey::from_secret(secret), public }
            }
            Material::Ed25519(der) => {
                let der = der.expose_secret();
                let public =
                    (DEFAULT_PROVIDER.key_utils.ed_pub_components_from_private_key)(der, &EllipticCurve::Ed25519)
                        .ok()
                        .and_then(|octets| PublicKey::ed25519(kid, &octets))
                        .ok_or_else(|| ConfigError::unshown(setting, NO_KEY))?;
                Self { signing: EncodingKey::from_ed_der(der), public }
            }
        })
    }

    /// The key that verifies what this key signs.
    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs claims for a purpose. `None` only if they cannot be written as JSON, or the library fails.
    // A bench counts it by its name.
    #[inline(never)]
    pub(crate) fn sign(&self, typ: &str, claims: &impl Serialize) -> Option<String> {
        let PublicKey { kid, algorithm, .. } = &self.public;
        let header = serde_json::to_vec(&Header { typ, alg: alg(*algorithm), kid }).ok()?;
        let mut text = URL_SAFE_NO_PAD.encode(header);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims).ok()?, &mut text);
        let signer = (DEFAULT_PROVIDER.signer_factory)(algorithm, &self.signing).ok()?;
        let signature = signer.try_sign(text.as_bytes()).ok()?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Some(text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.public.kid).finish_non_exhaustive()
    }
}

// === impl PublicKey ===

impl PublicKey {
    /// A public key of Ed25519. `None` if it has another length than 32 bytes.
    pub(crate) fn ed25519(kid: &str, octets: &[u8]) -> Option<Self> {
        (octets.len() == PUBLIC).then(|| Self {
            kid: kid.into(),
            algorithm: Algorithm::EdDSA,
            verifying: DecodingKey::from_ed_der(octets),
            octets: Some(octets.into()),
        })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key, which may be published. `None` for a shared secret.
    pub(crate) fn octets(&self) -> Option<&[u8]> {
        self.octets.as_deref()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The name of an algorithm in a header.
fn alg(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::EdDSA => "EdDSA",
        // A key has one of two algorithms.
        _ => "HS256",
    }
}

/// The claims of a text that one of these keys has signed for this purpose. The caller must check the claims.
///
/// # Errors
///
/// [`Invalid`], for every problem.
pub(crate) fn verify<'k, C: DeserializeOwned>(
    keys: impl IntoIterator<Item = &'k PublicKey>,
    typ: &str,
    text: &str,
) -> Result<C, Invalid> {
    if text.len() > LONGEST {
        return Err(Invalid);
    }
    let (message, signature) = text.rsplit_once('.').ok_or(Invalid)?;
    let (header, claims) = message.split_once('.').ok_or(Invalid)?;
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Invalid);
    let header = decoded(header)?;
    let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| Invalid)?;
    let key = keys.into_iter().find(|key| *key.kid == *header.kid).ok_or(Invalid)?;
    if header.typ != typ || header.alg != alg(key.algorithm) {
        return Err(Invalid);
    }
    let verifier = (DEFAULT_PROVIDER.verifier_factory)(&key.algorithm, &key.verifying).map_err(|_| Invalid)?;
    verifier.verify(message.as_bytes(), &decoded(signature)?).map_err(|_| Invalid)?;
    serde_json::from_slice(&decoded(claims)?).map_err(|_| Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    /// RFC 8410, section 10.3.
    const PKCS8: &[u8] = &[
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20, 0xd4, 0xee,
        0x72, 0xdb, 0xf9, 0x13, 0x58, 0x4a, 0xd5, 0xb6, 0xd8, 0xf1, 0xf7, 0x69, 0xf8, 0xad, 0x3a, 0xfe, 0x7c, 0x28,
        0xcb, 0xf1, 0xd4, 0xfb, 0xe0, 0x97, 0xa8, 0x8f, 0x44, 0x75, 0x58, 0x42,
    ];

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Claims {
        n: u8,
    }

    fn hs256() -> Key {
        Key::new("passes", "a", &PassKey::hs256(SECRET)).unwrap()
    }

    fn ed25519() -> Key {
        Key::new("passes", "a", &PassKey::ed25519(PKCS8)).unwrap()
    }

    fn read(key: &Key, text: &str) -> Result<Claims, Invalid> {
        verify([key.public()], "t", text)
    }

    /// A text with this header, signed by a secret.
    fn forged(header: &str, secret: &[u8]) -> String {
        let signing = EncodingKey::from_secret(secret);
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(r#"{"n":1}"#));
        let signer = (DEFAULT_PROVIDER.signer_factory)(&Algorithm::HS256, &signing).unwrap();
        let signature = URL_SAFE_NO_PAD.encode(signer.try_sign(message.as_bytes()).unwrap());
        format!("{message}.{signature}")
    }

    #[test]
    fn what_a_key_signs_it_reads_for_the_same_purpose_alone() {
        for key in [hs256(), ed25519()] {
            let text = key.sign("t", &Claims { n: 1 }).unwrap();
            assert_eq!(read(&key, &text), Ok(Claims { n: 1 }));
            assert_eq!(verify::<Claims>([key.public()], "u", &text), Err(Invalid));
            assert_eq!(verify::<Claims>([], "t", &text), Err(Invalid));
        }
    }

    #[test]
    fn the_public_key_is_that_of_the_rfc() {
        let key = ed25519();
        assert_eq!(
            URL_SAFE_NO_PAD.encode(key.public().octets().unwrap()),
            "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"
        );
        assert_eq!(hs256().public().octets(), None);
    }

    #[test]
    fn another_key_of_the_same_name_verifies_nothing() {
        let text = hs256().sign("t", &Claims { n: 1 }).unwrap();
        let other = Key::new("passes", "a", &PassKey::hs256("another secret of thirty-two byte")).unwrap();
        assert_eq!(read(&other, &text), Err(Invalid));
        assert_eq!(read(&ed25519(), &text), Err(Invalid));
    }

    #[test]
    fn a_public_key_is_no_secret_and_no_algorithm_is_none() {
        let key = ed25519();
        let public = key.public().octets().unwrap();
        for alg in ["HS256", "EdDSA", "none", "None", ""] {
            let header = format!(r#"{{"typ":"t","alg":"{alg}","kid":"a"}}"#);
            assert_eq!(read(&key, &forged(&header, public)), Err(Invalid), "{alg}");
            let text = forged(&header, SECRET.as_bytes());
            let unsigned = &text[..=text.rfind('.').unwrap()];
            assert_eq!(read(&hs256(), unsigned), Err(Invalid), "{alg}");
            assert_eq!(read(&hs256(), &text).is_ok(), alg == "HS256", "{alg}");
        }
    }

    #[test]
    fn a_header_says_nothing_else_and_nothing_twice() {
        let good = r#"{"typ":"t","alg":"HS256","kid":"a"}"#;
        assert!(read(&hs256(), &forged(good, SECRET.as_bytes())).is_ok());
        for header in [
            r#"{"typ":"t","alg":"HS256","kid":"a","crit":["exp"]}"#,
            r#"{"typ":"t","alg":"HS256","kid":"a","kid":"a"}"#,
            r#"{"typ":"t","alg":"HS256"}"#,
            r#"{"typ":"t","alg":"HS256","kid":"b"}"#,
            r#"{"alg":"HS256","kid":"a"}"#,
            r#"["t","HS256","a"]{}"#,
            "",
        ] {
            assert_eq!(read(&hs256(), &forged(header, SECRET.as_bytes())), Err(Invalid), "{header}");
        }
    }

    #[test]
    fn each_changed_letter_and_each_cut_is_refused() {
        for key in [hs256(), ed25519()] {
            let text = key.sign("t", &Claims { n: 1 }).unwrap();
            for at in 0..text.len() {
                assert_eq!(read(&key, &text[..at]), Err(Invalid), "{at}");
                let mut bytes = text.clone().into_bytes();
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
                assert_eq!(read(&key, std::str::from_utf8(&bytes).unwrap()), Err(Invalid), "{at}");
            }
            for longer in
                [format!("{text}="), format!("{text}."), format!("{text}A"), format!(".{text}"), format!("{text}.e30")]
            {
                assert_eq!(read(&key, &longer), Err(Invalid));
            }
        }
        assert_eq!(read(&hs256(), &"a".repeat(LONGEST + 1)), Err(Invalid));
    }

    #[test]
    fn a_wrong_key_is_refused_and_not_shown() {
        for (kid, key) in [
            ("a", PassKey::hs256(&SECRET[1..])),
            ("a", PassKey::ed25519([])),
            ("a", PassKey::ed25519(SECRET)),
            ("", PassKey::hs256(SECRET)),
            ("a b", PassKey::hs256(SECRET)),
            ("\"", PassKey::hs256(SECRET)),
            (&*"a".repeat(65), PassKey::hs256(SECRET)),
        ] {
            let error = Key::new("passes", kid, &key).unwrap_err();
            assert_eq!(error.setting(), "passes");
            assert!(!format!("{error} {error:?} {key:?}").contains("123"), "{error}");
        }
        assert!(!format!("{:?} {:?}", hs256(), hs256().public()).contains("123"));
    }
}
