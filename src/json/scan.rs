//! Taking a document apart, from its beginning to its end.

use std::borrow::Cow;

use super::Malformed;

/// The most levels that may be open at a time: `serde_json` refuses the 128th. [`Levels`] has room for one more.
pub(crate) const DEEPEST: u32 = u128::BITS - 1;

/// A place in a document.
pub(crate) struct Scanner<'v> {
    pub(super) text: &'v str,
    pub(super) at: usize,
    /// What the grammar allows and parsers disagree about is taken.
    pub(super) lenient: bool,
}

/// The open arrays and objects, the innermost in the lowest bit; an object is a 1.
#[derive(Clone, Copy, Default)]
struct Levels {
    bits: u128,
    count: u32,
}

// === impl Scanner ===

impl<'v> Scanner<'v> {
    pub(crate) fn new(text: &'v str) -> Self {
        Self { text, at: 0, lenient: false }
    }

    /// Skips half a surrogate pair as well, and takes numbers that no `f64` holds: for a document that nobody but us reads, and
    /// that must not be lost for a value that we do not look at.
    #[cfg(feature = "client")]
    pub(crate) fn lenient(text: &'v str) -> Self {
        Self { text, at: 0, lenient: true }
    }

    /// How many bytes have been taken.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Takes white space, and then this byte if it comes next.
    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        // White space is rare between what machines write.
        let is_next = self.peek() == Some(byte) || self.next_byte() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// The byte that comes after any white space, which is taken; it is left. It tells of what kind the next value is.
    #[inline]
    pub(crate) fn next_byte(&mut self) -> Option<u8> {
        loop {
            let byte = self.peek()?;
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Takes the members of an object, after its `{`, and its end. Each value is `member`'s to take, the key is not.
    #[inline]
    pub(crate) fn members<E: From<Malformed>>(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.eat(b'}') {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            member(self, &key)?;
            if self.eat(b'}') {
                return Ok(());
            }
            if !self.eat(b',') {
                return Err(Malformed::NotJson.into());
            }
        }
    }

    /// Takes the elements of an array, after its `[`, and its end. Each is `element`'s to take.
    #[cfg(feature = "client")]
    pub(crate) fn elements(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            element(self)?;
            if self.eat(b']') {
                return Ok(());
            }
            if !self.eat(b',') {
                return Err(Malformed::NotJson);
            }
        }
    }

    /// Takes a key and its colon.
    #[inline]
    fn key(&mut self) -> Result<Cow<'v, str>, Malformed> {
        if !self.eat(b'"') {
            return Err(Malformed::NotJson);
        }
        let key = self.text()?;
        if self.eat(b':') { Ok(key) } else { Err(Malformed::NotJson) }
    }

    /// Takes any value while `open` levels are open already.
    pub(crate) fn skip(&mut self, open: u32) -> Result<(), Malformed> {
        let mut levels = Levels::default();
        loop {
            match self.next_byte() {
                Some(b'"') => {
                    self.at += 1;
                    self.skip_text()?;
                }
                Some(b'-' | b'0'..=b'9') => self.skip_number()?,
                Some(opening @ (b'{' | b'[')) => {
                    self.at += 1;
                    let is_object = opening == b'{';
                    if open + levels.count >= DEEPEST {
                        return Err(Malformed::TooDeep);
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
                _ => return Err(Malformed::NotJson),
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
                    _ => return Err(Malformed::NotJson),
                }
            }
        }
    }

    /// The document must end here.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        if self.next_byte().is_none() { Ok(()) } else { Err(Malformed::NotJson) }
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn skip_key(&mut self) -> Result<(), Malformed> {
        if !self.eat(b'"') {
            return Err(Malformed::NotJson);
        }
        self.skip_text()?;
        if self.eat(b':') { Ok(()) } else { Err(Malformed::NotJson) }
    }

    fn skip_word(&mut self, word: &str) -> Result<(), Malformed> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += word.len();
        if rest.starts_with(word.as_bytes()) { Ok(()) } else { Err(Malformed::NotJson) }
    }
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
