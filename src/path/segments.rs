//! Slashes, dots and `;x`: what a path is made of once it is decoded.
//!
//! Every function takes a text that begins with a slash and appends one that does, in time linear in its length.

use crate::bytewise::{equal_exactly, marked, words};

/// Whether a segment is `.` or `..`.
pub(super) fn has_dots(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'/').any(|segment| matches!(segment, b"." | b".."))
}

/// Whether the text may have a parameter of a segment, a doubled slash or a dot segment. Also true if a segment only begins with a
/// dot, or if the text does not begin with a slash.
pub(super) fn may_resolve(text: &[u8]) -> bool {
    let mut after = AfterSlash::default();
    let found = words(text).fold(0, |found, word| found | equal_exactly(word, b';') | after.slashes_and_dots(word));
    text.first() != Some(&b'/') || found != 0
}

/// Whether the text may have a parameter of a segment, or a segment that begins with a dot.
pub(super) fn has_structure(text: &[u8]) -> bool {
    let mut after = AfterSlash::default();
    let found = words(text).fold(0, |found, word| {
        found | equal_exactly(word, b';') | (after.slashes_and_dots(word) & equal_exactly(word, b'.'))
    });
    found != 0
}

/// Whether the text has a dot segment or a doubled slash.
pub(super) fn resolves(text: &[u8]) -> bool {
    let mut after = AfterSlash::default();
    marked(text, |word| after.slashes_and_dots(word)).any(|at| match text.get(at..) {
        Some([b'/', ..] | [b'.'] | [b'.', b'/', ..] | [b'.', b'.'] | [b'.', b'.', b'/', ..]) => true,
        Some(_) | None => false,
    })
}

/// Finds what is behind a slash, in one word after the other.
#[derive(Default)]
struct AfterSlash {
    /// The word before ended with a slash.
    slash: u64,
}

// === impl AfterSlash ===

impl AfterSlash {
    /// Marks the slashes and dots that are behind a slash.
    #[inline]
    fn slashes_and_dots(&mut self, word: u64) -> u64 {
        let slashes = equal_exactly(word, b'/');
        let behind = slashes << 8 | self.slash;
        self.slash = slashes >> 56;
        behind & (slashes | equal_exactly(word, b'.'))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_dots_and_parameters_are_found_across_the_ends_of_words() {
        for number in 0..4_usize.pow(6) {
            let piece: Vec<u8> = (0..6).filter_map(|at| b"/.;a".get(number >> (2 * at) & 3).copied()).collect();
            for before in 0..12 {
                let text = [b"/".as_slice(), &vec![b'x'; before], &piece].concat();
                let shown = String::from_utf8_lossy(&text);
                let pair = |second: &[u8]| text.windows(2).any(|two| two[0] == b'/' && second.contains(&two[1]));
                let parameter = text.contains(&b';');
                assert_eq!(may_resolve(&text), parameter || pair(b"/."), "{shown}");
                assert_eq!(has_structure(&text), parameter || pair(b"."), "{shown}");
                assert_eq!(resolves(&text), has_dots(&text) || has_doubled_slash(&text), "{shown}");
            }
        }
    }
}
