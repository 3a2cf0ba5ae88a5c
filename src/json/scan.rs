//! Scans a document from its beginning to its end.

use std::{borrow::Cow, marker::PhantomData};

use super::Malformed;

/// The maximum number of open levels: `serde_json` refuses the 128th. [`Levels`] has room for one more.
pub(crate) const DEEPEST: u32 = u128::BITS - 1;

/// A position in a document. Clients' bodies are read by a [`Strict`] scanner, which is the default; a lenient scanner has
/// another type, which no reader of a client's body accepts.
pub(crate) struct Scanner<'v, M = Strict> {
    pub(super) text: &'v str,
    pub(super) at: usize,
    mode: PhantomData<M>,
}

/// How strict a scanner is.
pub(crate) trait Mode {
    /// Whether the scanner accepts valid JSON on which parsers disagree: half a surrogate pair in a skipped text, and
    /// numbers beyond an `f64`. For a document that only this crate reads, and that must not be refused because of a value
    /// that is not used.
    const LENIENT: bool;
}

/// Refuses everything on which parsers disagree.
pub(crate) enum Strict {}

/// The open arrays and objects, the innermost in the lowest bit; an object is a 1.
#[derive(Clone, Copy, Default)]
struct Levels {
    bits: u128,
    count: u32,
}

/// An observer of a skipped value.
pub(crate) trait Watch<M = Strict> {
    type Error: From<Malformed>;

    /// A non-empty array or object begins. In an array its first element is next.
    fn open(&mut self, is_object: bool);

    /// The next element of the innermost array begins.
    fn element(&mut self);

    /// The innermost non-empty array or object has ended.
    fn close(&mut self);

    /// Takes a key of the innermost object, after its opening quote.
    fn key(&mut self, json: &mut Scanner<'_, M>) -> Result<(), Self::Error>;
}

/// An observer that ignores everything.
struct Blind;

impl Mode for Strict {
    const LENIENT: bool = false;
}

// === impl Scanner ===

impl<'v> Scanner<'v> {
    /// Creates a strict scanner.
    pub(crate) fn new(text: &'v str) -> Self {
        Self::of(text)
    }
}

impl<'v, M: Mode> Scanner<'v, M> {
    /// Creates a scanner of the given mode.
    pub(crate) fn of(text: &'v str) -> Self {
        Self { text, at: 0, mode: PhantomData }
    }

    /// The number of bytes taken.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Takes white space, and then this byte if it is next.
    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        // White space is rare in generated documents.
        let is_next = self.peek() == Some(byte) || self.next_byte() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Takes white space, and returns the next byte without taking it. It determines the kind of the next value.
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

    /// Takes `null` if it is next.
    ///
    /// # Errors
    ///
    /// The next word begins like `null`, but is another word.
    pub(crate) fn eat_null(&mut self) -> Result<bool, Malformed> {
        if self.next_byte() != Some(b'n') {
            return Ok(false);
        }
        self.skip_word("null").map(|()| true)
    }

    /// Takes the members of an object, after its `{`, and its end. `member` must take each value, but not the key.
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
            if self.ends(b'}')? {
                return Ok(());
            }
        }
    }

    /// Takes a comma or this end. Returns whether it was the end.
    #[inline]
    fn ends(&mut self, end: u8) -> Result<bool, Malformed> {
        match self.next_byte() {
            Some(next) if next == b',' || next == end => {
                self.at += 1;
                Ok(next == end)
            }
            _ => Err(Malformed::NotJson),
        }
    }

    /// Takes the elements of an array, after its `[`, and its end. `element` must take each element.
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
            if self.ends(b']')? {
                return Ok(());
            }
        }
    }

    /// Takes a key and its colon.
    #[expect(clippy::inline_always, reason = "a call would write its result to memory for each name of a document")]
    #[inline(always)]
    fn key(&mut self) -> Result<Cow<'v, str>, Malformed> {
        if !self.eat(b'"') {
            return Err(Malformed::NotJson);
        }
        let key = self.text()?;
        if self.eat(b':') { Ok(key) } else { Err(Malformed::NotJson) }
    }

    /// Takes any value, when `open` levels are already open.
    pub(crate) fn skip(&mut self, open: u32) -> Result<(), Malformed> {
        self.skip_watched(open, &mut Blind)
    }

    /// As [`Scanner::skip`], with an observer.
    pub(crate) fn skip_watched<W: Watch<M>>(&mut self, open: u32, watch: &mut W) -> Result<(), W::Error> {
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
                        return Err(Malformed::TooDeep.into());
                    }
                    if !self.eat(if is_object { b'}' } else { b']' }) {
                        levels.open(is_object);
                        watch.open(is_object);
                        if is_object {
                            self.skip_key(watch)?;
                        }
                        continue;
                    }
                }
                Some(b't') => self.skip_word("true")?,
                Some(b'f') => self.skip_word("false")?,
                Some(b'n') => self.skip_word("null")?,
                _ => return Err(Malformed::NotJson.into()),
            }
            // After a value, the innermost level decides what may follow.
            loop {
                if levels.count == 0 {
                    return Ok(());
                }
                let next = self.next_byte();
                self.at += 1;
                match (next, levels.in_object()) {
                    (Some(b','), true) => {
                        self.skip_key(watch)?;
                        break;
                    }
                    (Some(b','), false) => {
                        watch.element();
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        levels.close();
                        watch.close();
                    }
                    _ => return Err(Malformed::NotJson.into()),
                }
            }
        }
    }

    /// Checks that the document ends here.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        if self.next_byte().is_none() { Ok(()) } else { Err(Malformed::NotJson) }
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn skip_key<W: Watch<M>>(&mut self, watch: &mut W) -> Result<(), W::Error> {
        if !self.eat(b'"') {
            return Err(Malformed::NotJson.into());
        }
        watch.key(self)?;
        if self.eat(b':') { Ok(()) } else { Err(Malformed::NotJson.into()) }
    }

    fn skip_word(&mut self, word: &str) -> Result<(), Malformed> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += word.len();
        if rest.starts_with(word.as_bytes()) { Ok(()) } else { Err(Malformed::NotJson) }
    }
}

// === impl Blind ===

impl<M: Mode> Watch<M> for Blind {
    type Error = Malformed;

    #[inline]
    fn open(&mut self, _: bool) {}

    #[inline]
    fn element(&mut self) {}

    #[inline]
    fn close(&mut self) {}

    #[inline]
    fn key(&mut self, json: &mut Scanner<'_, M>) -> Result<(), Malformed> {
        json.skip_text()
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
