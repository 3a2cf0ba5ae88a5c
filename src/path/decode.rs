//! Percent escapes: decoded once, as the standard says, and to the end, as a chain of careless backends would.
//!
//! An invalid escape (`%zz`, a lone `%`) stays as it is.

use super::{
    buffer::buffer,
    meter::{Exhausted, Meter},
};
use crate::bytewise::{count, equal, find};

/// Which escapes are decoded in addition to `%41`.
#[derive(Clone, Copy)]
pub(super) struct Escapes {
    /// Decode an encoded slash, or leave it encoded, as an ordinary part of its segment.
    pub(super) slash: bool,
    /// Decode the escapes of IIS, `%u0041`.
    pub(super) iis: bool,
}

/// The bytes that one escape encodes: one byte, or the UTF-8 of an IIS escape.
struct Escape {
    utf8: [u8; 4],
    len: usize,
    /// Length of the escape itself, in bytes.
    length: usize,
}

/// Appends a text with every escape decoded once.
pub(super) fn once(text: &[u8], escapes: Escapes, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'%' {
            let end = percent(rest).unwrap_or(rest.len());
            let (plain, behind) = rest.split_at_checked(end).unwrap_or_default();
            out.extend_from_slice(plain);
            rest = behind;
        } else if let [high, low, after @ ..] = tail
            && let Some(byte) = octet(*high, *low)
            && (escapes.slash || byte != b'/')
        {
            out.push(byte);
            rest = after;
        } else if escapes.iis
            && let Some(Escape { utf8, len, length }) = escape(rest, escapes)
        {
            out.extend(utf8.iter().take(len));
            rest = rest.get(length..).unwrap_or_default();
        } else {
            out.push(b'%');
            rest = tail;
        }
    }
}

/// Appends a text decoded until nothing is left to decode, in one pass: see [`decode`].
pub(super) fn fully(text: &[u8], escapes: Escapes, out: &mut Vec<u8>) {
    let start = out.len();
    for &byte in text {
        out.push(byte);
        while let Some(Escape { utf8, len, length }) = escape_at_end(out.get(start..).unwrap_or_default(), escapes) {
            out.truncate(out.len() - length);
            out.extend(utf8.iter().take(len));
        }
    }
}

/// A path decoded to the end, and what was decoded.
pub(super) struct Decoded {
    /// With a slash in front.
    pub(super) text: Vec<u8>,
    /// A dot, a slash or a semicolon was escaped.
    pub(super) structure: bool,
    /// An escape was escaped, or written in the form of IIS. A backend that decodes once, as the standard says, has another text.
    pub(super) deeper: bool,
    /// A slash was escaped.
    pub(super) slash: bool,
}

/// Decodes until nothing is left to decode, in one pass: an escape that a decoded byte completes is decoded too.
///
/// Escapes never overlap, so the order of decoding does not matter: the result is that of any number of rounds.
///
/// # Errors
///
/// Returns an error if that takes more work than is left.
pub(super) fn decode(path: &str, meter: &mut Meter) -> Result<Decoded, Exhausted> {
    meter.spend(120 + path.len() * 2 + count(path.as_bytes(), b'%') * 44)?;
    let mut text = buffer(path.len() + 1);
    let (mut structure, mut deeper, mut slash) = (false, false, false);
    let is_structure = |byte| matches!(byte, b'.' | b'/' | b';');
    if !path.starts_with('/') {
        text.push(b'/');
    }
    let mut rest = path.as_bytes();
    // Where the last byte that was decoded ends, and whether a percent sign before may still begin an escape.
    let (mut fresh, mut open) = (0, false);
    while let Some((&first, tail)) = rest.split_first() {
        if !open {
            if first != b'%' {
                meter.spend(105)?;
                let plain = percent(rest).unwrap_or(rest.len());
                let (plain, after) = rest.split_at_checked(plain).unwrap_or_default();
                text.extend_from_slice(plain);
                rest = after;
                continue;
            }
            let before = rest.len();
            while let [b'%', high, low, tail @ ..] = rest
                && let Some(byte) = octet(*high, *low)
                && byte != b'%'
            {
                text.push(byte);
                structure |= is_structure(byte);
                slash |= byte == b'/';
                rest = tail;
            }
            if rest.len() < before {
                fresh = text.len();
                continue;
            }
        }
        meter.spend(66)?;
        text.push(first);
        rest = tail;
        let mut last = first;
        while last.is_ascii_hexdigit()
            && let Some(Escape { utf8, len, length }) = escape_at_end(&text, Escapes { slash: true, iis: true })
        {
            meter.spend(150 + length * 10)?;
            let start = text.len() - length;
            deeper |= length == 6 || fresh > start;
            last = utf8.first().copied().unwrap_or_default();
            structure |= is_structure(last);
            slash |= last == b'/';
            text.truncate(start);
            text.extend(utf8.iter().take(len));
            fresh = text.len();
        }
        // The length of the longest escape without its last byte.
        let end = text.len().saturating_sub(5);
        open = text.get(end..).is_some_and(|end| end.contains(&b'%'));
    }
    Ok(Decoded { text, structure, deeper, slash })
}

/// Where the next escape may begin.
#[inline]
fn percent(text: &[u8]) -> Option<usize> {
    find(text, |word| equal(word, b'%'), |byte| byte == b'%')
}

/// The byte of two hexadecimal digits.
#[inline]
pub(super) fn octet(high: u8, low: u8) -> Option<u8> {
    let digit = |byte| DIGITS.get(usize::from(byte)).copied().unwrap_or(NO_DIGIT);
    let (high, low) = (digit(high), digit(low));
    ((high | low) < 16).then_some(high << 4 | low)
}

const NO_DIGIT: u8 = 16;

/// The value of each byte that is a hexadecimal digit.
static DIGITS: [u8; 256] = digits();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated when it is compiled")]
const fn digits() -> [u8; 256] {
    let mut table = [NO_DIGIT; 256];
    let mut at = 0;
    while at < table.len() {
        let byte = at as u8;
        if byte.is_ascii_hexdigit() {
            table[at] = if byte.is_ascii_digit() { byte - b'0' } else { byte.to_ascii_lowercase() - b'a' + 10 };
        }
        at += 1;
    }
    table
}

fn escape_at_end(text: &[u8], escapes: Escapes) -> Option<Escape> {
    [3, 6].into_iter().find_map(|length| {
        let end = text.get(text.len().checked_sub(length)?..)?;
        escape(end, escapes).filter(|decoded| decoded.length == length)
    })
}

/// The escape that `text` begins with.
fn escape(text: &[u8], escapes: Escapes) -> Option<Escape> {
    let decoded = match *text {
        [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            Escape { utf8: [octet(high, low)?, 0, 0, 0], len: 1, length: 3 }
        }
        [b'%', b'u' | b'U', a, b, c, d, ..] if escapes.iis => {
            let code = u32::from(octet(a, b)?) << 8 | u32::from(octet(c, d)?);
            let mut utf8 = [0; 4];
            let len = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut utf8).len();
            Escape { utf8, len, length: 6 }
        }
        _ => return None,
    };
    (escapes.slash || decoded.utf8.first() != Some(&b'/')).then_some(decoded)
}
