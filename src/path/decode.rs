//! Percent escapes: decoded once, as the standard says, and to the end, as a chain of careless backends would.
//!
//! An escape that is none (`%zz`, a lone `%`) stays as it is.

/// What to take for an escape, beside `%41`.
#[derive(Clone, Copy)]
pub(super) struct Escapes {
    /// Decode an encoded slash, or leave it encoded, as an ordinary part of its segment.
    pub(super) slash: bool,
    /// Decode the escapes of IIS, `%u0041`.
    pub(super) iis: bool,
}

/// The bytes one escape stands for: one, or the UTF-8 of an IIS escape.
struct Decoded {
    utf8: [u8; 4],
    len: usize,
    /// Length of the escape itself, in bytes.
    escape: usize,
}

/// Decodes every escape once.
pub(super) fn once(text: &[u8], escapes: Escapes) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let decoded = if first == b'%' { escape(rest, escapes) } else { None };
        if let Some(Decoded { utf8, len, escape }) = decoded {
            out.extend(utf8.iter().take(len));
            rest = rest.get(escape..).unwrap_or_default();
        } else {
            out.push(first);
            rest = tail;
        }
    }
    out
}

/// Decodes until nothing is left to decode, in one pass: an escape that a decoded byte completes is decoded too.
///
/// Escapes never overlap, so the order of decoding does not matter and this is what any number of rounds ends in.
pub(super) fn fully(text: &[u8], escapes: Escapes) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        out.push(byte);
        while let Some(Decoded { utf8, len, escape }) = escape_at_end(&out, escapes) {
            out.truncate(out.len() - escape);
            out.extend(utf8.iter().take(len));
        }
    }
    out
}

fn escape_at_end(text: &[u8], escapes: Escapes) -> Option<Decoded> {
    [3, 6].into_iter().find_map(|length| {
        let end = text.get(text.len().checked_sub(length)?..)?;
        escape(end, escapes).filter(|decoded| decoded.escape == length)
    })
}

/// The escape that `text` begins with.
fn escape(text: &[u8], escapes: Escapes) -> Option<Decoded> {
    let decoded = match *text {
        [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            let byte = u8::try_from(number(&[high, low])?).ok()?;
            Decoded { utf8: [byte, 0, 0, 0], len: 1, escape: 3 }
        }
        [b'%', b'u' | b'U', a, b, c, d, ..] if escapes.iis => {
            let character = char::from_u32(number(&[a, b, c, d])?).unwrap_or(char::REPLACEMENT_CHARACTER);
            let mut utf8 = [0; 4];
            let len = character.encode_utf8(&mut utf8).len();
            Decoded { utf8, len, escape: 6 }
        }
        _ => return None,
    };
    (escapes.slash || decoded.utf8.first() != Some(&b'/')).then_some(decoded)
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, &digit| Some(number * 16 + char::from(digit).to_digit(16)?))
}
