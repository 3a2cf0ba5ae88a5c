//! A verifier's code or id: a text that only the verifier understands.
//!
//! It is written to log lines and to a header, so it cannot contain anything that ends either.

use std::fmt::{self, Write};

/// At most 64 letters, digits and `-._~:`; other characters are `%XX`. Short texts, which nearly all are, need no
/// allocation.
#[derive(Clone, PartialEq, Eq)]
pub struct Opaque(Kept);

#[derive(Clone, PartialEq, Eq)]
enum Kept {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Box<str>),
}

/// Enough bytes for every `u64` and `i64`.
const SHORT: usize = 22;

/// A longer text is cut, so that the verifier cannot grow a line without limit.
const LONGEST: usize = 64;

/// Collects what is written, encoded.
struct Encoder {
    bytes: [u8; LONGEST],
    length: usize,
    is_full: bool,
}

// === impl Opaque ===

impl Opaque {
    /// Creates one from a text that needs no encoding and no cutting; `None` for other texts.
    fn plain(text: &str) -> Option<Self> {
        Some(text).filter(|text| text.len() <= SHORT && text.bytes().all(is_plain)).and_then(Self::short)
    }

    /// Creates one from an integer, whose digits need no check.
    pub(crate) fn integer(number: impl itoa::Integer) -> Self {
        let mut buffer = itoa::Buffer::new();
        let text = buffer.format(number);
        Self::short(text).unwrap_or_else(|| Self::new(text))
    }

    fn short(text: &str) -> Option<Self> {
        let mut bytes = [0; SHORT];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        u8::try_from(text.len()).ok().map(|length| Self(Kept::Short { length, bytes }))
    }

    fn new(text: impl fmt::Display) -> Self {
        let mut encoder = Encoder { bytes: [0; LONGEST], length: 0, is_full: false };
        // If `Display` fails, the text so far is used.
        let _ = write!(encoder, "{text}");
        let text = encoder.text();
        Self::plain(text).unwrap_or_else(|| Self(Kept::Long(text.into())))
    }

    /// Creates one from an encoded and cut text; `None` if the text cannot be one.
    pub(crate) fn of_encoded(text: &str) -> Option<Self> {
        let is_encoded = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| is_plain(byte) || byte == b'%');
        is_encoded.then(|| Self::plain(text).unwrap_or_else(|| Self(Kept::Long(text.into()))))
    }

    pub(crate) fn as_str(&self) -> &str {
        text(self.as_bytes())
    }

    /// All of them are ASCII.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Kept::Short { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Kept::Long(text) => text.as_bytes(),
        }
    }
}

impl From<&str> for Opaque {
    fn from(text: &str) -> Self {
        Self::plain(text).unwrap_or_else(|| Self::new(text))
    }
}

impl From<String> for Opaque {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// The only integer type, so that a literal needs no suffix.
impl From<i64> for Opaque {
    fn from(number: i64) -> Self {
        Self::integer(number)
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte)
}

/// Only ASCII is ever collected.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

// === impl Encoder ===

impl Encoder {
    fn text(&self) -> &str {
        text(self.bytes.get(..self.length).unwrap_or_default())
    }

    /// Appends all of these bytes or, once they do not fit, nothing more.
    fn put(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        match self.bytes.get_mut(self.length..end) {
            Some(room) if !self.is_full => {
                room.copy_from_slice(bytes);
                self.length = end;
            }
            _ => self.is_full = true,
        }
    }
}

impl fmt::Write for Encoder {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or_default();
        for byte in text.bytes() {
            if is_plain(byte) {
                self.put(&[byte]);
            } else {
                self.put(&[b'%', digit(byte >> 4), digit(byte & 0xf)]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_plain_texts_stay_as_they_are() {
        for text in ["0", "-1", "9000", "-9223372036854775808", "18446744073709551615", "req_8c:1~2.3-4", ""] {
            assert_eq!(Opaque::new(text).as_str(), text);
        }
        assert_eq!(Opaque::from("18446744073709551615"), Opaque::new(u64::MAX));
        assert_eq!(Opaque::new(i64::MIN), Opaque::new("-9223372036854775808"));
        assert_eq!((Opaque::integer(i64::MIN), Opaque::from(9000)), (Opaque::new(i64::MIN), Opaque::new(9000)));
        assert_eq!(Opaque::integer(u64::MAX), Opaque::new(u64::MAX));
        assert!(matches!(Opaque::new(u64::MAX).0, Kept::Short { .. }));
    }

    #[test]
    fn nothing_in_it_ends_a_line_or_a_list() {
        assert_eq!(Opaque::new("a,b\r\nx: 1").as_str(), "a%2Cb%0D%0Ax:%201");
        assert_eq!(Opaque::new("序").as_str(), "%E5%BA%8F");
        assert_eq!(Opaque::new("%").as_str(), "%25");
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(Opaque::new("x".repeat(64)).as_str(), "x".repeat(64));
        assert_eq!(Opaque::new("x".repeat(1000)).as_str(), "x".repeat(64));
        // No half of an escape, and nothing after what had no room.
        assert_eq!(Opaque::new(format!("{}\n1", "x".repeat(62))).as_str(), "x".repeat(62));
    }
}
