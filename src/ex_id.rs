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
        let digits = self.0.as_bytes().as_chunks::<2>();
        if self.0.len() != 32 {
            return CompactExId::Other(self.clone());
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(digits.0) {
            match (value(*high), value(*low)) {
                (Some(high), Some(low)) => *byte = (high << 4) | low,
                _ => return CompactExId::Other(self.clone()),
            }
        }
        CompactExId::Digits(bytes)
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

/// The value of a hexadecimal digit in lower case.
fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
