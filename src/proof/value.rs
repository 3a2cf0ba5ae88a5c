//! What comes out of a request: values, or the reason why none do.

use std::{borrow::Cow, fmt, ops::Range};

use crate::{foreign_backend::Suspicion, invisible::is_invisible};

/// The longest text that can be a part of a proof, in bytes. The vendor's longest (`captchaContent`) has about 1,000.
const LONGEST: usize = 8 * 1024;

/// The value of one field. `Debug` shows only its kind: this is a token or a person's phone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value<'v> {
    /// Not empty, at most 8 KiB, without control characters. Borrowed unless it had to be unescaped.
    Text(Cow<'v, str>),
    /// An unsigned JSON integer.
    Integer(u64),
}

/// The values of a [`Plan`](super::Plan)'s fields, by their index. A field that the request does not carry is absent.
pub(crate) struct Values<'v> {
    /// Which value belongs to a field: fields may be given twice.
    slots: &'v [usize],
    few: [Option<Value<'v>>; 8],
    more: Vec<Option<Value<'v>>>,
    /// Where in the body the values of slots stand; kept only where somebody asks.
    spans: Option<Vec<(usize, Range<usize>)>>,
}

/// Why nothing was read. The text is ours, never the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// The body is not what its media type says, or can be read in several ways.
    BodyMalformed(&'static str),
    /// A field, or something that could be taken for it, is not as it must be.
    ProofMalformed(&'static str),
    /// As above, by a class of suspicion that can be switched off.
    Suspicious(Suspicion, &'static str),
}

// === impl Value ===

impl<'v> Value<'v> {
    /// A text that may be part of a proof. `None` for an empty text: clients that send every member of a model write a part that
    /// is absent so, or as JSON's `null`.
    ///
    /// # Errors
    ///
    /// Refuses a text of nothing but white space and invisible characters, more than 8 KiB, and control characters (C0, DEL and C1).
    pub(super) fn text(text: Cow<'v, str>) -> Result<Option<Self>, Unreadable> {
        // Most text has only these bytes, and they take no decoding.
        let is_plain = text.bytes().fold(true, |plain, byte| plain & (b' '..=b'~').contains(&byte));
        if !is_plain && text.chars().any(char::is_control) {
            return Err(Unreadable::ProofMalformed("a control character in a value"));
        }
        Self::plain(text)
    }

    /// As [`Value::text`], of a text that is known to have no control characters.
    pub(super) fn plain(text: Cow<'v, str>) -> Result<Option<Self>, Unreadable> {
        if text.is_empty() {
            return Ok(None);
        }
        // Some applications trim a value, and then read another one than we do: none.
        if is_blank(&text) {
            return Err(Unreadable::ProofMalformed("a value of nothing but white space"));
        }
        if text.len() > LONGEST {
            return Err(Unreadable::ProofMalformed("a value of more than 8 KiB"));
        }
        Ok(Some(Self::Text(text)))
    }

    /// Whether a text begins with a byte order mark. Readers that decode as the Encoding Standard does (axum's and multer's
    /// `Field::text`, busboy, `TextDecoder`) leave it out, and read another value. No token, answer or value of `when` may have
    /// one; a lenient phone is the same number without it.
    pub(crate) fn begins_with_mark(&self) -> bool {
        matches!(self, Self::Text(text) if text.starts_with('\u{feff}'))
    }

    /// Whether both say the same: an integer says its digits.
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

/// Whether a text that is not empty has nothing to read in it.
#[inline]
fn is_blank(text: &str) -> bool {
    // Few texts begin so.
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
    pub(super) fn absent(slots: &'v [usize], distinct: usize) -> Self {
        let few = [const { None }; 8];
        let more = distinct.checked_sub(few.len()).map_or(Vec::new(), |more| vec![None; more]);
        Self { slots, few, more, spans: None }
    }

    /// The same, and it keeps where in the body they stand.
    pub(super) fn with_spans(mut self) -> Self {
        self.spans = Some(Vec::new());
        self
    }

    /// Where in the body a field's value stands, as it is written there (with a JSON text's quotes), in order.
    pub(crate) fn spans(&self, index: usize) -> Vec<Range<usize>> {
        let Some(slot) = self.slots.get(index) else { return Vec::new() };
        let spans = self.spans.iter().flatten().filter(|(other, _)| other == slot);
        let mut spans: Vec<_> = spans.map(|(_, span)| span.clone()).collect();
        spans.sort_by_key(|span| span.start);
        spans
    }

    /// Keeps where a value stands, if somebody asks.
    pub(super) fn stands(&mut self, slot: usize, span: impl FnOnce() -> Range<usize>) {
        if let Some(spans) = &mut self.spans {
            spans.push((slot, span()));
        }
    }

    /// The value of a field, by its index in the plan; `None` when the request does not carry it.
    pub(crate) fn get(&self, index: usize) -> Option<&Value<'v>> {
        let slot = *self.slots.get(index)?;
        match self.few.get(slot) {
            Some(value) => value.as_ref(),
            None => self.more.get(slot - self.few.len())?.as_ref(),
        }
    }

    /// Keeps a value; `None` leaves the field absent, so another place of it may have the value. The caller has checked that the
    /// name occurs once in its place, whatever its value.
    ///
    /// # Errors
    ///
    /// Another place of the same field has given another value.
    pub(super) fn put(&mut self, slot: usize, value: Option<Value<'v>>) -> Result<(), Unreadable> {
        let Some(value) = value else { return Ok(()) };
        let few = self.few.len();
        let place = if slot < few { self.few.get_mut(slot) } else { self.more.get_mut(slot - few) };
        match place {
            Some(Some(known)) if !known.says(&value) => {
                Err(Unreadable::ProofMalformed("two places of a field with two values"))
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
