//! The result of reading a request: values, or the reason for a refusal.

use std::{borrow::Cow, fmt, ops::Range};

use crate::{foreign_backend::Suspicion, invisible::is_invisible};

/// The maximum length of a text in a proof, in bytes. The vendor's longest (`captchaContent`) has about 1,000.
const LONGEST: usize = 8 * 1024;

/// The value of one field. `Debug` shows only its kind, because the value is a token or a person's phone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value<'v> {
    /// Not empty, at most 8 KiB, without control characters. Borrowed unless it had to be unescaped.
    Text(Cow<'v, str>),
    /// An unsigned JSON integer.
    Integer(u64),
}

/// The values of a [`Plan`](super::Plan)'s fields, by their index. A field that is not in the request is absent.
pub(crate) struct Values<'v> {
    /// The slot of each field: fields may be given twice.
    slots: &'v [usize],
    few: [Option<Value<'v>>; 8],
    more: Vec<Option<Value<'v>>>,
    /// The positions of the slots' values in the body; stored only if [`Values::keep_spans`] was called.
    spans: Option<Vec<(usize, Range<usize>)>>,
}

/// Why nothing was read. The text is a constant, never from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// The body does not match its media type, or has several readings.
    BodyMalformed(&'static str),
    /// A field, or a name that some parser reads as the field, is invalid.
    ProofMalformed(&'static str),
    /// Like `ProofMalformed`, for a class of suspicion that can be switched off.
    Suspicious(Suspicion, &'static str),
}

// === impl Value ===

impl<'v> Value<'v> {
    /// Checks a text that may be part of a proof. `None` for an empty text: clients that send every member of a model write
    /// an absent part as an empty text or as JSON's `null`.
    ///
    /// # Errors
    ///
    /// Refuses a text of only white space and invisible characters, a text of more than 8 KiB, and control characters (C0,
    /// DEL and C1).
    pub(super) fn text(text: Cow<'v, str>) -> Result<Option<Self>, Unreadable> {
        // Most text has only these bytes, which need no decoding.
        let is_plain = text.bytes().fold(true, |plain, byte| plain & (b' '..=b'~').contains(&byte));
        if !is_plain && text.chars().any(char::is_control) {
            return Err(Unreadable::ProofMalformed("a control character in a value"));
        }
        Self::plain(text)
    }

    /// As [`Value::text`], for a text that is known to have no control characters.
    pub(super) fn plain(text: Cow<'v, str>) -> Result<Option<Self>, Unreadable> {
        if text.is_empty() {
            return Ok(None);
        }
        // Some applications trim a value, and then read an empty one.
        if is_blank(&text) {
            return Err(Unreadable::ProofMalformed("a value of only white space"));
        }
        if text.len() > LONGEST {
            return Err(Unreadable::ProofMalformed("a value of more than 8 KiB"));
        }
        Ok(Some(Self::Text(text)))
    }

    /// Whether a text begins with a byte order mark. Readers that decode as the Encoding Standard does (axum's and multer's
    /// `Field::text`, busboy, `TextDecoder`) remove it, and read another value. Tokens, answers and values of `when` must
    /// not have one; a lenient phone is the same number without it.
    pub(crate) fn begins_with_mark(&self) -> bool {
        matches!(self, Self::Text(text) if text.starts_with('\u{feff}'))
    }

    /// Whether both are equal as text: an integer is compared by its digits.
    fn says(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Integer(one), Self::Integer(other)) => one == other,
            (Self::Text(text), Self::Integer(integer)) | (Self::Integer(integer), Self::Text(text)) => {
                **text == *integer.to_string()
            }
        }
    }
}

/// Whether a text that is not empty has only white space and invisible characters.
#[inline]
fn is_blank(text: &str) -> bool {
    // Few texts begin with such a character.
    text.bytes().next().is_some_and(|first| first == b' ' || !first.is_ascii())
        && text.chars().all(|c| c.is_whitespace() || is_invisible(c))
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(..)",
            Self::Integer(_) => "Integer(..)",
        })
    }
}

// === impl Values ===

impl<'v> Values<'v> {
    #[inline]
    pub(super) fn absent(slots: &'v [usize], distinct: usize) -> Self {
        let few = [const { None }; 8];
        let more = distinct.checked_sub(few.len()).map_or(Vec::new(), |more| vec![None; more]);
        Self { slots, few, more, spans: None }
    }

    /// Makes the values store their positions in the body.
    pub(super) fn keep_spans(&mut self) {
        self.spans = Some(Vec::new());
    }

    /// The positions of a field's value in the body (with a JSON text's quotes), in order.
    pub(crate) fn spans(&self, index: usize) -> Vec<Range<usize>> {
        let Some(slot) = self.slots.get(index) else { return Vec::new() };
        let spans = self.spans.iter().flatten().filter(|(other, _)| other == slot);
        let mut spans: Vec<_> = spans.map(|(_, span)| span.clone()).collect();
        spans.sort_by_key(|span| span.start);
        spans
    }

    /// Stores the position of a value, if positions are stored.
    pub(super) fn put_span(&mut self, slot: usize, span: impl FnOnce() -> Range<usize>) {
        if let Some(spans) = &mut self.spans {
            spans.push((slot, span()));
        }
    }

    /// The value of a field, by its index in the plan; `None` if the request does not have it.
    pub(crate) fn get(&self, index: usize) -> Option<&Value<'v>> {
        let slot = *self.slots.get(index)?;
        match self.few.get(slot) {
            Some(value) => value.as_ref(),
            None => self.more.get(slot - self.few.len())?.as_ref(),
        }
    }

    /// Stores a value. `None` leaves the field absent, so another place of the field may have the value. The caller has
    /// checked that the name occurs only once in its place.
    ///
    /// # Errors
    ///
    /// Another place of the same field has a different value.
    pub(super) fn put(&mut self, slot: usize, value: Option<Value<'v>>) -> Result<(), Unreadable> {
        let Some(value) = value else { return Ok(()) };
        let few = self.few.len();
        let place = if slot < few { self.few.get_mut(slot) } else { self.more.get_mut(slot - few) };
        match place {
            Some(Some(known)) if !known.says(&value) => {
                Err(Unreadable::ProofMalformed("a field with different values in two places"))
            }
            Some(Some(_)) | None => Ok(()),
            Some(empty) => {
                *empty = Some(value);
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((0..self.slots.len()).map(|index| self.get(index))).finish()
    }
}
