//! Strings: their escapes, and the characters that they must not contain.

use std::borrow::Cow;

use super::{
    Malformed,
    scan::{Mode, Scanner},
};
use crate::bytewise::{below, equal, find};

// === impl Scanner ===

impl<'v, M: Mode> Scanner<'v, M> {
    /// Takes the rest of a string, after its opening quote. Borrows it if nothing is escaped.
    #[expect(clippy::inline_always, reason = "a call would write its result to memory for each text of a document")]
    #[inline(always)]
    pub(crate) fn text(&mut self) -> Result<Cow<'v, str>, Malformed> {
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        let length = plain_length(rest);
        if rest.get(length) != Some(&b'"') {
            return self.escaped_text();
        }
        self.at += length + 1;
        self.text.get(start..start + length).map(Cow::Borrowed).ok_or(Malformed::NotJson)
    }

    /// Takes the rest of a string, after its opening quote.
    #[inline]
    pub(super) fn skip_text(&mut self) -> Result<(), Malformed> {
        while self.plain_text()? == b'\\' {
            match self.escape() {
                Err(Malformed::HalfASurrogate) if M::LENIENT => {}
                escape => _ = escape?,
            }
        }
        Ok(())
    }

    #[cold]
    fn escaped_text(&mut self) -> Result<Cow<'v, str>, Malformed> {
        let mut text = String::new();
        loop {
            let start = self.at;
            let end = self.plain_text()?;
            // `at` is directly after the byte that ended a plain run: a quote or a backslash.
            text.push_str(self.text.get(start..self.at - 1).ok_or(Malformed::NotJson)?);
            if end == b'"' {
                return Ok(Cow::Owned(text));
            }
            text.push(self.escape()?);
        }
    }

    /// Takes a run without quotes, backslashes and control characters, and the quote or backslash after it. Returns the
    /// latter.
    #[inline]
    fn plain_text(&mut self) -> Result<u8, Malformed> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += plain_length(rest);
        match self.peek() {
            Some(end @ (b'"' | b'\\')) => {
                self.at += 1;
                Ok(end)
            }
            Some(_) => Err(Malformed::ControlCharacter),
            None => Err(Malformed::NotJson),
        }
    }

    /// Takes an escape, after its backslash.
    fn escape(&mut self) -> Result<char, Malformed> {
        let byte = self.peek().ok_or(Malformed::NotJson)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.unit()?;
                let low = match unit {
                    0xd800..=0xdbff => {
                        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
                        if !rest.starts_with(b"\\u") {
                            return Err(Malformed::HalfASurrogate);
                        }
                        self.at += 2;
                        Some(self.unit()?)
                    }
                    _ => None,
                };
                char::decode_utf16([unit].into_iter().chain(low))
                    .next()
                    .and_then(Result::ok)
                    .ok_or(Malformed::HalfASurrogate)?
            }
            _ => return Err(Malformed::NotJson),
        })
    }

    /// Takes four hex digits.
    fn unit(&mut self) -> Result<u16, Malformed> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Malformed::NotJson)?;
        self.at += 4;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Malformed::NotJson);
        }
        u16::from_str_radix(digits, 16).map_err(|_| Malformed::NotJson)
    }
}

/// The number of bytes before the first quote, backslash or control character.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    let marks = |word| equal(word, b'"') | equal(word, b'\\') | below(word, 0x20);
    find(bytes, marks, |byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)).unwrap_or(bytes.len())
}
