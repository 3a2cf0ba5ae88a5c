//! Slashes, dots and `;x`: what a path is made of once it is decoded.
//!
//! Every function takes a text that begins with a slash and appends one that does, in time linear in its length.

use crate::bytewise::positions;

/// Whether a segment is `.` or `..`.
pub(super) fn has_dots(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'/').any(|segment| matches!(segment, b"." | b".."))
}

/// Whether the text may have a parameter of a segment, a doubled slash or a dot segment. Also true if a segment only begins with a
/// dot, or if the text does not begin with a slash: few operations without a branch, which become vector instructions.
#[inline]
#[expect(clippy::needless_bitwise_bool, reason = "a branch would keep it from becoming vector instructions")]
pub(super) fn may_resolve(text: &[u8]) -> bool {
    let [b'/', body @ ..] = text else { return true };
    let changes = |(&before, &byte): (&u8, &u8)| (byte == b';') | ((before == b'/') & ((byte | 1) == b'/'));
    text.iter().zip(body).fold(false, |seen, pair| seen | changes(pair))
}

/// Whether the text has a dot segment or a doubled slash.
pub(super) fn resolves(text: &[u8]) -> bool {
    positions(text, b'/').any(|slash| match text.get(slash + 1) {
        Some(b'/') => true,
        Some(b'.') => matches!(text.get(slash + 2..), Some([] | [b'/', ..] | [b'.'] | [b'.', b'/', ..])),
        Some(_) | None => false,
    })
}

/// Whether the text may have a parameter of a segment, or a segment that begins with a dot.
#[expect(clippy::needless_bitwise_bool, reason = "a branch would keep it from becoming vector instructions")]
pub(super) fn has_structure(text: &[u8]) -> bool {
    let pairs = text.iter().zip(text.iter().skip(1));
    pairs.fold(false, |seen, (&before, &byte)| seen | (byte == b';') | ((before == b'/') & (byte == b'.')))
        || text.first() == Some(&b';')
}

/// Whether the text has two slashes in a row.
pub(super) fn has_doubled_slash(text: &[u8]) -> bool {
    text.windows(2).any(|pair| pair == b"//")
}

/// Resolves `.` and `..`; above the root is the root. Empty segments count as segments.
pub(super) fn resolve_dots(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    for segment in segments(text) {
        match segment {
            b"." => {}
            b".." => {
                let written = out.get(start..).unwrap_or_default();
                out.truncate(start + written.iter().rposition(|&byte| byte == b'/').unwrap_or(0));
            }
            _ => push_segment(out, segment),
        }
    }
    rooted(start, out);
}

/// Makes one slash of any number.
#[cfg(test)]
pub(super) fn collapse_slashes(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    for segment in segments(text).filter(|segment| !segment.is_empty()) {
        push_segment(out, segment);
    }
    if out.len() == start || text.ends_with(b"/") {
        out.push(b'/');
    }
}

/// Cuts the parameters (`;x=1`) off every segment.
#[cfg(test)]
pub(super) fn cut_parameters(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    for segment in segments(text) {
        push_segment(out, before(segment, |byte| byte == b';'));
    }
    rooted(start, out);
}

/// The text before the first byte that ends the path, as `end` says.
pub(super) fn before(text: &[u8], end: impl Fn(u8) -> bool) -> &[u8] {
    text.iter().position(|&byte| end(byte)).and_then(|at| text.get(..at)).unwrap_or(text)
}

/// Whether a query or a fragment begins with this byte, once it is decoded and written into another request.
pub(super) fn begins_query(byte: u8) -> bool {
    matches!(byte, b'?' | b'#')
}

fn segments(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.strip_prefix(b"/").unwrap_or(text).split(|&byte| byte == b'/')
}

fn push_segment(out: &mut Vec<u8>, segment: &[u8]) {
    out.push(b'/');
    out.extend_from_slice(segment);
}

fn rooted(start: usize, out: &mut Vec<u8>) {
    if out.len() == start {
        out.push(b'/');
    }
}
