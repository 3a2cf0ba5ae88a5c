//! Taking a document apart, from its beginning to its end.

use std::{borrow::Cow, marker::PhantomData};

use super::Malformed;

/// The most levels that may be open at a time: `serde_json` refuses the 128th. [`Levels`] has room for one more.
pub(crate) const DEEPEST: u32 = u128::BITS - 1;

/// A place in a document. What is read of clients is read by a [`Strict`] scanner, which is the default; a lenient one is another
/// type, which no reader of a client's body accepts.
pub(crate) struct Scanner<'v, M = Strict> {
    pub(super) text: &'v str,
    pub(super) at: usize,
    mode: PhantomData<M>,
}

/// How strict a scanner is.
pub(crate) trait Mode {
    /// Whether it takes what the grammar allows and parsers disagree about: half a surrogate pair in a text that is skipped, and
    /// numbers that no `f64` holds. For a document that nobody but us reads, and that must not be lost for a value that we do
    /// not look at.
    const LENIENT: bool;
}

/// Takes nothing that parsers disagree about.
pub(crate) enum Strict {}

/// The open arrays and objects, the innermost in the lowest bit; an object is a 1.
#[derive(Clone, Copy, Default)]
struct Levels {
    bits: u128,
    count: u32,
}

/// What looks on while a value is skipped.
pub(crate) trait Watch<M = Strict> {
    type Error: From<Malformed>;

    /// An array or an object has begun that is not empty. In an array its first element comes next.
    fn open(&mut self, is_object: bool);

    /// The next element of the innermost array comes.
    fn element(&mut self);

    /// The innermost array or object has ended, unless it was empty.
    fn close(&mut self);

    /// Takes a key of the innermost object, after its opening quote.
    fn key(&mut self, json: &mut Scanner<'_, M>) -> Result<(), Self::Error>;
}

/// Looks at nothing.
struct Blind;

impl Mode for Strict {
    const LENIENT: bool = false;
}

// === impl Scanner ===

impl<'v> Scanner<'v> {
    /// A strict one.
    pub(crate) fn new(text: &'v str) -> Self {
        Self::of(text)
    }
}

impl<'v, M: Mode> Scanner<'v, M> {
    /// One of a mode that the caller names.
    pub(crate) fn of(text: &'v str) -> Self {
        Self { text, at: 0, mode: PhantomData }
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

    /// Takes `null`, if it comes next.
    ///
    /// # Errors
    ///
    /// Something begins as it does, and is another word.
    pub(crate) fn eat_null(&mut self) -> Result<bool, Malformed> {
        if self.next_byte() != Some(b'n') {
            return Ok(false);
        }
        self.skip_word("null").map(|()| true)
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
        self.skip_watched(open, &mut Blind)
    }

    /// The same, watched.
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
            // A value ended. What may follow depends on where it stands.
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

    /// The document must end here.
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
