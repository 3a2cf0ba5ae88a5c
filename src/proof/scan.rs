//! JSON's grammar (RFC 8259), for a reader that wants few values and must trust none.
//!
//! `serde_json` would do, but for three things. Its `IgnoredAny` skips without a limit of depth, and whatever has one
//! visits every value: a third more work, where skipping is nearly all the work. Its features, which any crate in the
//! graph can turn on, change what a visitor is shown (`arbitrary_precision` makes maps of numbers). And where it skips,
//! half a surrogate pair passes. A property test holds the two together: what is accepted here, `serde_json::Value`
//! accepts and reads alike, and what is refused here as a body, it refuses.

use std::borrow::Cow;

use super::value::Unreadable;

/// The text is not JSON.
pub(super) const NOT_JSON: Unreadable = Unreadable::BodyMalformed("not JSON");
/// A control character stands in a string as it is.
pub(super) const CONTROL: Unreadable = Unreadable::BodyMalformed("a control character in a string");
/// `\ud800` without its other half: no text.
pub(super) const SURROGATE: Unreadable = Unreadable::BodyMalformed("half a surrogate pair");
const TOO_DEEP: Unreadable = Unreadable::BodyMalformed("more than 127 levels of nesting");

/// The most levels that may be open at a time: `serde_json` refuses the 128th. [`Levels`] has room for one more.
const DEEPEST: u32 = u128::BITS - 1;

/// A place in a document.
pub(super) struct Scanner<'v> {
    text: &'v str,
    at: usize,
}

/// The open arrays and objects, the innermost in the lowest bit; an object is a 1.
#[derive(Clone, Copy, Default)]
struct Levels {
    bits: u128,
    count: u32,
}

// === impl Scanner ===

impl<'v> Scanner<'v> {
    pub(super) fn new(text: &'v str) -> Self {
        Self { text, at: 0 }
    }

    /// How many bytes have been taken.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Takes white space, and then this byte if it comes next.
    #[inline]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.next_byte() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Takes a key and its colon.
    #[inline]
    pub(super) fn key(&mut self) -> Result<Cow<'v, str>, Unreadable> {
        if !self.eat(b'"') {
            return Err(NOT_JSON);
        }
        let key = self.text()?;
        if self.eat(b':') { Ok(key) } else { Err(NOT_JSON) }
    }

    /// Takes the rest of a string, after its opening quote. Borrows it unless something is escaped.
    #[inline]
    pub(super) fn text(&mut self) -> Result<Cow<'v, str>, Unreadable> {
        let start = self.at;
        if self.plain_text()? == b'"' {
            return self.text.get(start..self.at - 1).map(Cow::Borrowed).ok_or(NOT_JSON);
        }
        self.escaped_text(start)
    }

    /// Takes a number, as it is written.
    pub(super) fn number(&mut self) -> Result<&'v str, Unreadable> {
        self.next_byte();
        let start = self.at;
        let exponent = self.skip_number()?;
        let number = self.text.get(start..self.at).ok_or(NOT_JSON)?;
        // What no `f64` holds is infinity to some, an error to others.
        if (exponent || number.len() > 300) && !number.parse().is_ok_and(f64::is_finite) {
            return Err(Unreadable::BodyMalformed("a number beyond bounds"));
        }
        Ok(number)
    }

    /// Takes any value while `open` levels are open already.
    pub(super) fn skip(&mut self, open: u32) -> Result<(), Unreadable> {
        let mut levels = Levels::default();
        loop {
            match self.next_byte() {
                Some(b'"') => {
                    self.at += 1;
                    self.skip_text()?;
                }
                Some(b'-' | b'0'..=b'9') => {
                    self.number()?;
                }
                Some(opening @ (b'{' | b'[')) => {
                    self.at += 1;
                    let is_object = opening == b'{';
                    if open + levels.count >= DEEPEST {
                        return Err(TOO_DEEP);
                    }
                    if !self.eat(if is_object { b'}' } else { b']' }) {
                        levels.open(is_object);
                        if is_object {
                            self.skip_key()?;
                        }
                        continue;
                    }
                }
                Some(b't') => self.skip_word("true")?,
                Some(b'f') => self.skip_word("false")?,
                Some(b'n') => self.skip_word("null")?,
                _ => return Err(NOT_JSON),
            }
            // A value ended. What may follow depends on where it stands.
            loop {
                if levels.count == 0 {
                    return Ok(());
                }
                let next = self.next_byte();
                self.at += 1;
                match (next, levels.in_object()) {
                    (Some(b','), true) => {
                        self.skip_key()?;
                        break;
                    }
                    (Some(b','), false) => break,
                    (Some(b'}'), true) | (Some(b']'), false) => levels.close(),
                    _ => return Err(NOT_JSON),
                }
            }
        }
    }

    /// The document must end here.
    pub(super) fn end(&mut self) -> Result<(), Unreadable> {
        if self.next_byte().is_none() { Ok(()) } else { Err(NOT_JSON) }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes white space; the byte after it is left.
    #[inline]
    fn next_byte(&mut self) -> Option<u8> {
        loop {
            let byte = self.peek()?;
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    #[inline]
    fn skip_key(&mut self) -> Result<(), Unreadable> {
        if !self.eat(b'"') {
            return Err(NOT_JSON);
        }
        self.skip_text()?;
        if self.eat(b':') { Ok(()) } else { Err(NOT_JSON) }
    }

    fn skip_word(&mut self, word: &str) -> Result<(), Unreadable> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += word.len();
        if rest.starts_with(word.as_bytes()) { Ok(()) } else { Err(NOT_JSON) }
    }

    /// Takes the rest of a string, after its opening quote.
    #[inline]
    fn skip_text(&mut self) -> Result<(), Unreadable> {
        while self.plain_text()? == b'\\' {
            self.escape()?;
        }
        Ok(())
    }

    #[cold]
    fn escaped_text(&mut self, start: usize) -> Result<Cow<'v, str>, Unreadable> {
        // `at` is always just after the byte that ended a plain stretch: a quote or a backslash.
        let mut text = String::from(self.text.get(start..self.at - 1).ok_or(NOT_JSON)?);
        loop {
            text.push(self.escape()?);
            let start = self.at;
            let end = self.plain_text()?;
            text.push_str(self.text.get(start..self.at - 1).ok_or(NOT_JSON)?);
            if end == b'"' {
                return Ok(Cow::Owned(text));
            }
        }
    }

    /// Takes what is neither quote, backslash nor control character, and the quote or backslash after it; returns that.
    #[inline]
    fn plain_text(&mut self) -> Result<u8, Unreadable> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += plain_length(rest);
        match self.peek() {
            Some(end @ (b'"' | b'\\')) => {
                self.at += 1;
                Ok(end)
            }
            Some(_) => Err(CONTROL),
            None => Err(NOT_JSON),
        }
    }

    /// Takes an escape, after its backslash.
    fn escape(&mut self) -> Result<char, Unreadable> {
        let byte = self.peek().ok_or(NOT_JSON)?;
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
                            return Err(SURROGATE);
                        }
                        self.at += 2;
                        Some(self.unit()?)
                    }
                    _ => None,
                };
                char::decode_utf16([unit].into_iter().chain(low)).next().and_then(Result::ok).ok_or(SURROGATE)?
            }
            _ => return Err(NOT_JSON),
        })
    }

    /// Takes four hex digits.
    fn unit(&mut self) -> Result<u16, Unreadable> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(NOT_JSON)?;
        self.at += 4;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NOT_JSON);
        }
        u16::from_str_radix(digits, 16).map_err(|_| NOT_JSON)
    }

    /// Takes a number; tells whether it has an exponent.
    #[inline]
    fn skip_number(&mut self) -> Result<bool, Unreadable> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.skip_digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.skip_digits()?;
        }
        if !matches!(self.peek(), Some(b'e' | b'E')) {
            return Ok(false);
        }
        self.at += 1;
        if matches!(self.peek(), Some(b'+' | b'-')) {
            self.at += 1;
        }
        self.skip_digits()?;
        Ok(true)
    }

    /// Takes at least one digit.
    #[inline]
    fn skip_digits(&mut self) -> Result<(), Unreadable> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(NOT_JSON) } else { Ok(()) }
    }
}

/// How many bytes come before the first quote, backslash or control character.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    // Eight at a time: the borrow out of a byte marks a hit. Bytes above the first hit may be marked wrongly; only
    // the first counts.
    let hits = |chunk: u64| {
        let quote = chunk ^ (ONES * u64::from(b'"'));
        let backslash = chunk ^ (ONES * u64::from(b'\\'));
        let control = chunk.wrapping_sub(ONES * 0x20) & !chunk;
        let quote = quote.wrapping_sub(ONES) & !quote;
        let backslash = backslash.wrapping_sub(ONES) & !backslash;
        (quote | backslash | control) & (ONES << 7)
    };
    let (chunks, tail) = bytes.as_chunks();
    let mut length = 0;
    for chunk in chunks {
        let hits = hits(u64::from_le_bytes(*chunk));
        if hits != 0 {
            return length + hits.trailing_zeros() as usize / 8;
        }
        length += chunk.len();
    }
    length + tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)).unwrap_or(tail.len())
}

// === impl Levels ===

impl Levels {
    #[inline]
    fn open(&mut self, is_object: bool) {
        self.bits = self.bits << 1 | u128::from(is_object);
        self.count += 1;
    }

    #[inline]
    fn close(&mut self) {
        self.bits >>= 1;
        self.count -= 1;
    }

    #[inline]
    fn in_object(self) -> bool {
        self.bits & 1 != 0
    }
}
