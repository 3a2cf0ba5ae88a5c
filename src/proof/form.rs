//! Forms (`application/x-www-form-urlencoded`), read strictly.
//!
//! Most readers decode lossily, and differently: `%zz` stays, `%ff` becomes a replacement character. This reader refuses
//! both.
//!
//! Other readers ignore the type: Go's `json.NewDecoder`, Django's `json.loads(request.body)`, PHP's `php://input` parse
//! JSON regardless of the header, and some of them accept JSON5 or YAML. So a form may contain only the bytes that URL
//! encoders write, and a few bytes that people write by hand and that add no structure (see [`Media::Form`](super::Media)).
//! Without `"`, `{`, `<`, white space and control characters there is no object in JSON, JSON5, YAML or XML, except in YAML
//! that begins with `[` (`['phone':1]`). For some readers a raw `;` separates pairs, and `#` begins a comment or a
//! fragment; for PHP's `parse_str` a raw NUL ends the form.

use std::{borrow::Cow, ops::Range};

use super::{
    fold::{Found, Keys, separates_segments},
    other_phones::ELSEWHERE_IN_BODY,
    parameters::is_utf8,
    plan::Plan,
    value::{Unreadable, Value, Values},
};

/// The maximum number of pairs, empty ones included: PHP, qs, Node's `querystring` and Django read no more, mostly without
/// an error.
pub(super) const MOST: usize = 1000;

/// Reads the fields of a form.
pub(super) fn read<'v>(plan: &Plan, body: &'v [u8], values: &mut Values<'v>) -> Result<(), Unreadable> {
    const BAD: Unreadable = Unreadable::BodyMalformed("a form that cannot be decoded");
    const FOREIGN_BYTE: Unreadable = Unreadable::BodyMalformed("a byte in a form that no URL encoder writes");
    let root = plan.object(0).filter(|_| plan.fits_form());
    let root = root.ok_or(Unreadable::BodyMalformed("a form cannot hold these fields"))?;
    // `new URLSearchParams(body)` removes it, so that the first name differs.
    if body.starts_with(b"?") {
        return Err(Unreadable::BodyMalformed("a form that begins with a question mark"));
    }
    // Keys with several segments are examined only if the phone's name must not be the last segment.
    let decoded = if plan.elsewhere() == 0 { CODED } else { CODED | NESTED };
    let mut scratch = Vec::new();
    let mut seen = 0_u64;
    let mut rest = body;
    let mut pairs = 0;
    while !rest.is_empty() {
        let whole = rest;
        pairs += 1;
        if pairs > MOST {
            return Err(Unreadable::BodyMalformed("more than 1000 pairs in a form"));
        }
        let (key, value);
        (key, rest) = Piece::split(rest, EQUALS | AMPERSAND).ok_or(FOREIGN_BYTE)?;
        (value, rest) = match key.classes & EQUALS {
            0 => (Piece { raw: &[], classes: 0 }, rest),
            _ => Piece::split(rest, AMPERSAND).ok_or(FOREIGN_BYTE)?,
        };
        if value.classes & EQUALS != 0 && plan.elsewhere() != 0 {
            let pair = whole.get(..key.raw.len() + 1 + value.raw.len()).and_then(|pair| std::str::from_utf8(pair).ok());
            if pair.and_then(torn_name).is_some_and(|name| is_phone_elsewhere(plan, name, &mut scratch)) {
                return Err(ELSEWHERE_IN_BODY);
            }
        }
        // Most keys need not be decoded.
        let is_none = key.classes & decoded == 0 && !plan.names().may_begin(key.raw);
        let found = if is_none {
            Found::Nothing
        } else if key.classes & CODED == 0
            && let Some(name) = plan.names().id(key.raw)
        {
            // An exact name need not be decoded.
            check_charset(key.raw, value.raw)?;
            Found::Name(name)
        } else {
            let key = key.decode(&mut scratch).ok_or(BAD)?;
            check_charset(key.as_bytes(), value.raw)?;
            let found = plan.names().find(key, Keys::Form);
            if found == Found::Nothing && plan.is_phone_elsewhere(key) {
                return Err(ELSEWHERE_IN_BODY);
            }
            found
        };
        let name = match found {
            Found::Nothing if value.classes & PERCENT == 0 || is_decodable(value.raw) => continue,
            Found::Nothing => return Err(BAD),
            Found::Like(_) => return Err(Unreadable::ProofMalformed("a name like a guarded one")),
            Found::Name(name) => name,
        };
        let slot = root.slot_in_form(name, &mut seen)?;
        let raw = value.text().ok_or(BAD)?;
        if value.classes & EQUALS != 0 && is_torn(raw) {
            return Err(Unreadable::ProofMalformed("a bracket before an equals sign in a value"));
        }
        let read = match value.classes & CODED {
            0 => Value::plain(Cow::Borrowed(raw))?,
            _ => Value::text(decode_whole(raw).ok_or(BAD)?)?,
        };
        // A value that was read is not empty, so it is a slice of the body.
        if read.is_some() {
            values.put_span(slot, || value.place(body));
        }
        values.put(slot, read)?;
    }
    // A sequence in YAML and JSON5. Checked last: most such names are refused for another reason.
    if body.starts_with(b"[") {
        return Err(Unreadable::BodyMalformed("a form that begins with a bracket"));
    }
    // js-yaml also reads a sequence after an anchor, and needs no white space between them: `&a['phone':1]`.
    if body.starts_with(b"&") && body.ends_with(b"]") {
        return Err(Unreadable::BodyMalformed("a form that begins with an ampersand and ends with a bracket"));
    }
    Ok(())
}

/// Refuses a field that declares a charset other than UTF-8, in a form of either kind (W3C HTML5, 4.10.22.6).
pub(super) fn check_charset(name: &[u8], value: &[u8]) -> Result<(), Unreadable> {
    if name.eq_ignore_ascii_case(b"_charset_") && !std::str::from_utf8(value).is_ok_and(is_utf8) {
        return Err(Unreadable::BodyMalformed("a form in another charset"));
    }
    Ok(())
}

/// The pairs of a form, not decoded, in order, without the empty ones; a pair without `=` has an empty value. Ends with
/// `None` at a byte that must not be in a form.
pub(super) fn pairs(body: &[u8]) -> impl Iterator<Item = Option<(&str, &str)>> {
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        // The rest after the last pair exists only if every pair before it was split.
        let mut text = rest.take()?;
        while let Some(after) = text.strip_prefix(b"&") {
            text = after;
        }
        if text.is_empty() {
            return None;
        }
        let mut split = || {
            let (key, after) = Piece::split(text, EQUALS | AMPERSAND)?;
            let (value, after) = match key.classes & EQUALS {
                0 => (None, after),
                _ => Piece::split(after, AMPERSAND).map(|(value, after)| (Some(value), after))?,
            };
            rest = Some(after);
            Some((key.text()?, value.map_or(Some(""), Piece::text)?))
        };
        Some(split())
    })
}

/// A key or value that is not decoded.
#[derive(Clone, Copy)]
struct Piece<'v> {
    raw: &'v [u8],
    /// The classes of all bytes in it, and of the one that ended it.
    classes: u8,
}

// === impl Piece ===

impl<'v> Piece<'v> {
    /// Splits the text before a byte of the classes `ends`. Also returns the rest after that byte.
    #[inline]
    fn split(text: &'v [u8], ends: u8) -> Option<(Self, &'v [u8])> {
        let mut classes = 0;
        let mut end = None;
        let (blocks, _) = text.as_chunks::<4>();
        let mut at = 0;
        for block in blocks {
            let found = block.iter().fold(0, |found, byte| found | class(*byte));
            if found & (ends | FOREIGN) != 0 {
                break;
            }
            classes |= found;
            at += block.len();
        }
        for byte in text.get(at..)? {
            let class = class(*byte);
            classes |= class;
            if class & ends != 0 {
                end = Some(at);
                break;
            }
            at += 1;
        }
        if classes & FOREIGN != 0 {
            return None;
        }
        let (raw, rest) = match end {
            Some(end) => (text.get(..end)?, text.get(end + 1..)?),
            None => (text, [].as_slice()),
        };
        Some((Self { raw, classes }, rest))
    }

    /// Decodes into a scratch buffer.
    #[inline]
    fn decode<'s>(self, scratch: &'s mut Vec<u8>) -> Option<&'s str>
    where
        'v: 's,
    {
        let text = self.text()?;
        if self.classes & CODED == 0 { Some(text) } else { decode(text, scratch) }
    }

    /// The range of the text in its body.
    #[inline]
    fn place(self, body: &[u8]) -> Range<usize> {
        // An empty text may not be part of the body.
        let start = if self.raw.is_empty() { 0 } else { self.raw.as_ptr().addr() - body.as_ptr().addr() };
        start..start + self.raw.len()
    }

    /// The text, which is all ASCII.
    fn text(self) -> Option<&'v str> {
        std::str::from_utf8(self.raw).ok()
    }
}

// Classes of bytes, as bits.
const EQUALS: u8 = 1;
const AMPERSAND: u8 = 2;
const PERCENT: u8 = 4;
const PLUS: u8 = 8;
const CODED: u8 = PERCENT | PLUS;
/// Bytes that a form must not contain raw.
const FOREIGN: u8 = 16;
/// Bytes that separate the segments of a key.
const NESTED: u8 = 32;

/// Indexed by byte, so that the loop over all bytes has no branch.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut rest: &mut [u8] = &mut classes;
    let mut byte = 0_u8;
    while let [first, others @ ..] = rest {
        *first = match byte {
            b'=' => EQUALS,
            b'&' => AMPERSAND,
            b'%' => PERCENT,
            b'+' => PLUS,
            _ if separates_segments(byte) => NESTED,
            // Bytes that encoders write, and bytes that `Media::Form` lists.
            b'0'..=b'9'
            | b'A'..=b'Z'
            | b'a'..=b'z'
            | b'-'
            | b'_'
            | b'~'
            | b'*'
            | b'!'
            | b'$'
            | b'\''
            | b')'
            | b','
            | b'/'
            | b'?'
            | b'@'
            | b'^'
            | b'|' => 0,
            _ => FOREIGN,
        };
        byte = byte.wrapping_add(1);
        rest = others;
    }
    classes
};

#[inline]
fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(FOREIGN)
}

/// Whether qs, which searches for `]=` before it searches for `=`, ends the name inside this value.
pub(super) fn is_torn(raw: &str) -> bool {
    raw.match_indices('=').any(|(at, _)| {
        let before = raw.get(..at).unwrap_or_default();
        [before.strip_suffix(']'), before.strip_suffix("%5D"), before.strip_suffix("%5d")].iter().any(Option::is_some)
    })
}

/// Whether a name that is not decoded has the phone's name as its last segment.
pub(super) fn is_phone_elsewhere(plan: &Plan, name: &str, scratch: &mut Vec<u8>) -> bool {
    decode(name, scratch).is_none_or(|name| plan.is_phone_elsewhere(name))
}

/// The name of a pair as qs reads it, if that ends inside the value: in `[a]b=c[d]=e` it is `[a]b=c[d]`, which qs reads as `a[d]`.
pub(super) fn torn_name(pair: &str) -> Option<&str> {
    let (first, _) = pair.match_indices('=').next()?;
    let ends = |text: &&str| ["]", "%5D", "%5d"].iter().any(|bracket| text.ends_with(bracket));
    let mut names = pair.match_indices('=').filter_map(|(at, _)| pair.get(..at)).filter(ends);
    names.next().filter(|name| name.len() > first)
}

/// Decodes `+` and `%XX` into `scratch`, or returns `raw` if it needs no decoding. `None` if a `%` is not followed by two
/// hex digits, or if the result is not UTF-8.
pub(super) fn decode<'s>(raw: &'s str, scratch: &'s mut Vec<u8>) -> Option<&'s str> {
    if !raw.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(raw);
    }
    scratch.clear();
    scratch.reserve(raw.len());
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

/// As [`decode`], but returns an owned text if it had to decode.
pub(super) fn decode_whole(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(Cow::Borrowed(raw));
    }
    let mut scratch = Vec::with_capacity(raw.len());
    decode(raw, &mut scratch)?;
    String::from_utf8(scratch).ok().map(Cow::Owned)
}

/// Whether [`decode`] has a result, without building it. `raw` is ASCII, so other characters are adjacent escapes.
fn is_decodable(raw: &[u8]) -> bool {
    let mut rest = raw;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' && take_char(&mut rest).is_none() {
            return false;
        }
    }
    true
}

/// Removes one escaped character from the beginning of the text. Its first `%` is already removed.
fn take_char(rest: &mut &[u8]) -> Option<()> {
    let first = take_hex(rest)?;
    if first.is_ascii() {
        return Some(());
    }
    let mut bytes = [first, 0, 0, 0];
    let bytes = bytes.get_mut(..first.leading_ones() as usize)?;
    for byte in bytes.iter_mut().skip(1) {
        *rest = rest.strip_prefix(b"%")?;
        *byte = take_hex(rest)?;
    }
    std::str::from_utf8(bytes).ok().map(|_| ())
}

fn take_hex(rest: &mut &[u8]) -> Option<u8> {
    let ([high, low], after) = rest.split_first_chunk()?;
    *rest = after;
    Some(hex(*high)? << 4 | hex(*low)?)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
