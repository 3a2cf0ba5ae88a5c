//! Recognises the kind of a binary key by its outer DER elements, to report why it cannot be used.

use super::key_text::{CERTIFICATE, ELLIPTIC, ENCRYPTED, PUBLIC, REQUEST};

/// How a private RSA key is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrapping {
    Pkcs1,
    Pkcs8,
}

/// A private RSA key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rsa {
    pub(super) wrapping: Wrapping,
    /// The length of its modulus.
    pub(super) bits: usize,
}

/// The types of DER elements with which keys begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Integer,
    Bits,
    Octets,
    Oid,
    Sequence,
    Other,
}

const NO_KEY: &str = "the bytes are not a private key, or are damaged";
const NO_RSA: &str = "this is not an RSA key: JPush encrypts phones for an RSA key";
const EDWARDS: &str = "this is an Ed25519, X25519, Ed448 or X448 key: JPush encrypts phones for an RSA key";
const PSS: &str = "this is an RSA-PSS key, which only signs: JPush encrypts phones for a plain RSA key";

/// `rsaEncryption`, 1.2.840.113549.1.1.1.
const RSA_OID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
/// `id-RSASSA-PSS`, 1.2.840.113549.1.1.10.
const PSS_OID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
/// `id-ecPublicKey`, 1.2.840.10045.2.1.
const EC_OID: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
/// X25519, X448, Ed25519 and Ed448: 1.3.101.110 to 113.
const EDWARDS_OIDS: [&[u8]; 4] = [&[0x2b, 0x65, 110], &[0x2b, 0x65, 111], &[0x2b, 0x65, 112], &[0x2b, 0x65, 113]];

/// Finds the private RSA key in the bytes. The crypto library checks whether its numbers are consistent.
///
/// # Errors
///
/// If the bytes are not such a key, returns what they are.
pub(super) fn rsa(der: &[u8]) -> Result<Rsa, &'static str> {
    let Some(((Tag::Sequence, key), [])) = element(der) else { return Err(NO_KEY) };
    let (first, rest) = element(key).ok_or(NO_KEY)?;
    let (second, rest) = element(rest).ok_or(NO_KEY)?;
    let third = element(rest).map(|(third, _)| third);
    match (first, second, third) {
        ((Tag::Integer, _), (Tag::Sequence, algorithm), Some((Tag::Octets, key))) => {
            refuse_algorithm(algorithm)?;
            let Some(((Tag::Sequence, key), _)) = element(key) else { return Err(NO_KEY) };
            let (_, rest) = element(key).ok_or(NO_KEY)?;
            let Some(((Tag::Integer, modulus), _)) = element(rest) else { return Err(NO_KEY) };
            Ok(Rsa { wrapping: Wrapping::Pkcs8, bits: bits(modulus) })
        }
        ((Tag::Integer, _), (Tag::Integer, modulus), Some((Tag::Integer, _))) => {
            Ok(Rsa { wrapping: Wrapping::Pkcs1, bits: bits(modulus) })
        }
        // RFC 5915.
        ((Tag::Integer, _), (Tag::Octets, _), _) => Err(ELLIPTIC),
        // Encrypted PKCS#8: an algorithm, and its output.
        ((Tag::Sequence, _), (Tag::Octets, _), None) => Err(ENCRYPTED),
        ((Tag::Sequence, _), (Tag::Bits, _), None) | ((Tag::Integer, _), (Tag::Integer, _), None) => Err(PUBLIC),
        ((Tag::Sequence, signed), (Tag::Sequence, _), Some((Tag::Bits, _))) => {
            Err(if is_request(signed) { REQUEST } else { CERTIFICATE })
        }
        _ => Err(NO_KEY),
    }
}

fn refuse_algorithm(algorithm: &[u8]) -> Result<(), &'static str> {
    let Some(((Tag::Oid, oid), _)) = element(algorithm) else { return Err(NO_KEY) };
    match oid {
        RSA_OID => Ok(()),
        PSS_OID => Err(PSS),
        EC_OID => Err(ELLIPTIC),
        _ if EDWARDS_OIDS.contains(&oid) => Err(EDWARDS),
        _ => Err(NO_RSA),
    }
}

/// Whether the signed part is a request (RFC 2986: version, name, public key, attributes in brackets). A certificate has an
/// algorithm and its validity there.
fn is_request(signed: &[u8]) -> bool {
    let mut rest = signed;
    let mut tags = [Tag::Other; 5];
    for tag in &mut tags {
        let Some(((next, _), after)) = element(rest) else { break };
        (*tag, rest) = (next, after);
    }
    matches!(tags, [Tag::Integer, Tag::Sequence, Tag::Sequence, Tag::Other, Tag::Other]) && rest.is_empty()
}

/// The length of a positive number.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    let unused = digits.first().map_or(0, |first| first.leading_zeros());
    (digits.len() * 8).saturating_sub(usize::try_from(unused).unwrap_or(0))
}

/// The tag and the content of an element.
type Element<'d> = (Tag, &'d [u8]);

/// Returns the first element, and the bytes after it.
fn element(der: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some(((Tag::of(*tag), content), rest))
}

// === impl Tag ===

impl Tag {
    fn of(byte: u8) -> Self {
        match byte {
            0x02 => Self::Integer,
            0x03 => Self::Bits,
            0x04 => Self::Octets,
            0x06 => Self::Oid,
            0x30 => Self::Sequence,
            _ => Self::Other,
        }
    }
}
