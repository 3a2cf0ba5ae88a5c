//! Forms (`application/x-www-form-urlencoded`), read strictly.
//!
//! Usual readers decode lossily: `%zz` stays as it is, `%ff` becomes a replacement character, and each does it in its
//! own way. Here both are refused, as is a raw `;` (once a separator, to some still) and everything outside ASCII.

use std::borrow::Cow;

use super::{
    fold::{Found, Keys},
    plan::{Member, Plan},
    value::{Refusal, Value, Values},
};

/// Reads the fields out of a form.
pub(super) fn read<'v>(plan: &Plan, body: &'v [u8], values: &mut Values<'v>) -> Result<(), Refusal> {
    const BAD: Refusal = Refusal::BodyMalformed("a form that cannot be decoded");
    let text = std::str::from_utf8(body).ok().filter(|text| text.is_ascii()).ok_or(BAD)?;
    let root = plan.object(0).filter(|_| plan.fits_form());
    let root = root.ok_or(Refusal::BodyMalformed("a form cannot hold these fields"))?;
    let mut scratch = Vec::new();
    let mut seen = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let (key, value);
        (key, value, rest) = next_pair(rest).ok_or(BAD)?;
        let name = match plan.names().find(key.decode(&mut scratch).ok_or(BAD)?, Keys::Form) {
            Found::Nothing => {
                value.decode(&mut scratch).ok_or(BAD)?;
                continue;
            }
            Found::Like(_) => return Err(Refusal::ProofMalformed("a name like a guarded one")),
            Found::Name(name) => name,
        };
        let bit = 1 << name;
        if seen & bit != 0 {
            return Err(Refusal::ProofMalformed("a guarded name twice"));
        }
        seen |= bit;
        let Some(Member::Value(slot)) = root.member(name) else {
            return Err(Refusal::ProofMalformed("a name in the body that belongs into the query"));
        };
        values.put(slot, Value::text(value.into_decoded().ok_or(BAD)?)?);
    }
    Ok(())
}

/// A key or value as it came.
#[derive(Clone, Copy)]
struct Piece<'v> {
    raw: &'v str,
    /// Whether there is a `%` or `+` in it.
    escaped: bool,
}

// === impl Piece ===

impl<'v> Piece<'v> {
    fn decode<'s>(self, scratch: &'s mut Vec<u8>) -> Option<&'s str>
    where
        'v: 's,
    {
        if self.escaped { decode(self.raw, scratch) } else { Some(self.raw) }
    }

    fn into_decoded(self) -> Option<Cow<'v, str>> {
        if self.escaped { decode_whole(self.raw) } else { Some(Cow::Borrowed(self.raw)) }
    }
}

/// What a byte is to a form.
const PLAIN: u8 = 0;
const ESCAPE: u8 = 1;
const EQUALS: u8 = 2;
const END: u8 = 3;
const FOREIGN: u8 = 4;

const CLASSES: [u8; 256] = {
    let mut classes = [PLAIN; 256];
    classes[b'%' as usize] = ESCAPE;
    classes[b'+' as usize] = ESCAPE;
    classes[b'=' as usize] = EQUALS;
    classes[b'&' as usize] = END;
    classes[b';' as usize] = FOREIGN;
    classes
};

/// Splits the next pair off: key, value, rest. `None` where a raw `;` stands.
fn next_pair(text: &str) -> Option<(Piece<'_>, Piece<'_>, &str)> {
    let mut equals = None;
    let (mut key_escaped, mut escaped) = (false, false);
    let mut end = text.len();
    for (at, byte) in text.bytes().enumerate() {
        match CLASSES.get(usize::from(byte)) {
            Some(&PLAIN) => {}
            Some(&EQUALS) if equals.is_none() => (equals, key_escaped, escaped) = (Some(at), escaped, false),
            Some(&EQUALS) => {}
            Some(&ESCAPE) => escaped = true,
            Some(&END) => {
                end = at;
                break;
            }
            _ => return None,
        }
    }
    let pair = text.get(..end)?;
    let rest = text.get(end + 1..).unwrap_or_default();
    let (key, value) = match equals {
        Some(at) => (Piece { raw: pair.get(..at)?, escaped: key_escaped }, Piece { raw: pair.get(at + 1..)?, escaped }),
        None => (Piece { raw: pair, escaped }, Piece { raw: "", escaped: false }),
    };
    Some((key, value, rest))
}

/// Decodes `+` and `%XX` into `scratch`, or hands back what needs no decoding. `None` where a `%` is not followed by
/// two hex digits, or the result is not UTF-8.
pub(super) fn decode<'s>(raw: &'s str, scratch: &'s mut Vec<u8>) -> Option<&'s str> {
    if !raw.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(raw);
    }
    scratch.clear();
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        scratch.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            plain => plain,
        });
    }
    std::str::from_utf8(scratch).ok()
}

/// As [`decode`], but to keep.
pub(super) fn decode_whole(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(Cow::Borrowed(raw));
    }
    let mut scratch = Vec::with_capacity(raw.len());
    decode(raw, &mut scratch)?;
    String::from_utf8(scratch).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
