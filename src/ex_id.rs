//! The developer's id of one check (`exID`), which identifies the reply.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// An id of 1 to 64 characters of `[A-Za-z0-9_-]`, sent with a check and compared with the reply's id.
///
/// An id for correlation, not a secret and not an idempotency key: JPush does not have idempotency keys.
///
/// ```
/// use tower_jverify::ExId;
///
/// assert_eq!(ExId::parse("order-42").unwrap().as_str(), "order-42");
/// assert!(ExId::parse("with spaces").is_none());
/// assert_eq!(ExId::generate().as_str().len(), 32);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExId(Arc<str>);

/// An [`ExId`] to be stored in large numbers: a generated id has 16 bytes and no allocation.
#[derive(Clone, Debug)]
pub(crate) enum CompactExId {
    /// The value of 32 hexadecimal digits, in lower case.
    Digits([u8; 16]),
    Other(ExId),
}

// === impl ExId ===

impl ExId {
    /// Parses an external id.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        ((1..=64).contains(&text.len()) && text.bytes().all(plain)).then(|| Self(text.into()))
    }

    /// Generates an id that is unique in this process and, except for a chance of 2⁻⁶⁴, among processes: 32 hexadecimal
    /// digits.
    pub fn generate() -> Self {
        static PROCESS: OnceLock<u64> = OnceLock::new();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // `RandomState` is seeded by the operating system.
        let process = PROCESS.get_or_init(|| RandomState::new().hash_one(std::process::id()));
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let both = (u128::from(*process) << 64) | u128::from(next);
        Self::of_digits(both.to_be_bytes())
    }

    /// Stores the id in fewer bytes if it is 32 hexadecimal digits.
    pub(crate) fn compact(&self) -> CompactExId {
        let mut bytes = [0; 16];
        if let (words, []) = self.0.as_bytes().as_chunks()
            && let Ok(words) = <&[[u8; 8]; 4]>::try_from(words)
        {
            for (four, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
                match values(u64::from_be_bytes(*word)) {
                    Some(value) => *four = value.to_be_bytes(),
                    None => return CompactExId::Other(self.clone()),
                }
            }
            return CompactExId::Digits(bytes);
        }
        CompactExId::Other(self.clone())
    }

    fn of_digits(value: [u8; 16]) -> Self {
        // Written by hand: `format!` costs ten times as much, and every check has an id.
        let nibble = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        let pairs = value.map(|byte| [nibble(byte >> 4), nibble(byte & 0xf)]);
        Self(str::from_utf8(pairs.as_flattened()).unwrap_or_default().into())
    }

    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl CompactExId ===

impl CompactExId {
    pub(crate) fn expand(&self) -> ExId {
        match self {
            Self::Digits(value) => ExId::of_digits(*value),
            Self::Other(id) => id.clone(),
        }
    }
}

/// The value of eight hexadecimal digits in lower case, all at once: every claim has 32 of them.
fn values(digits: u64) -> Option<u32> {
    const ONES: u64 = u64::MAX / 255;
    const TOP: u64 = ONES << 7;
    if digits & TOP != 0 {
        return None;
    }
    // Sets the top bit of each byte that is at least `least`. No sum carries into the next byte.
    let at_least = |least: u8| (digits + ONES * u64::from(0x80 - least)) & TOP;
    let numbers = at_least(b'0') & !at_least(b'9' + 1);
    let letters = at_least(b'a') & !at_least(b'f' + 1);
    if numbers | letters != TOP {
        return None;
    }
    let values = (digits & (ONES * 0xf)) + (letters >> 7) * 9;
    // Joins eight bytes of four bits each to four bytes of eight bits, and moves these together.
    let pairs = (values | values >> 4) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    u32::try_from((fours | fours >> 16) & u64::from(u32::MAX)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_32_hexadecimal_digits_is_stored_in_16_bytes_and_comes_back_as_it_was() {
        for id in [ExId::generate(), ExId::parse("0123456789abcdef0123456789abcdef").unwrap()] {
            let compact = id.compact();
            assert!(matches!(compact, CompactExId::Digits(_)));
            assert_eq!(compact.expand(), id);
        }
    }

    #[test]
    fn every_other_id_comes_back_as_it_was() {
        let digits = "0123456789abcdef0123456789abcdef";
        for at in 0..32 {
            for other in ['/', ':', '`', 'g', 'A', 'F', '-', '_', 'z'] {
                let text: String = digits.chars().enumerate().map(|(n, c)| if n == at { other } else { c }).collect();
                let Some(id) = ExId::parse(&text) else { continue };
                let compact = id.compact();
                assert!(matches!(compact, CompactExId::Other(_)), "{text}");
                assert_eq!(compact.expand(), id);
            }
        }
        for text in ["0", "0123456789abcdef", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0"] {
            let id = ExId::parse(text).unwrap();
            assert_eq!(id.compact().expand(), id);
        }
    }
}
