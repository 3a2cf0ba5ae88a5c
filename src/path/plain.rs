//! The pass over a path that decides nearly every request.
//!
//! It looks at blocks of 16 bytes without a branch, so that the compiler generates vector instructions: a path of 20 bytes takes
//! about 60 instructions. A path that may not be plain is looked at byte by byte, or read in all ways. For a plain path that
//! costs time, and nothing else.

use super::segments::resolves;

/// Longest path that is folded without allocating, in bytes.
pub(super) const FOLDABLE: usize = 256;

/// What one pass finds in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape<'p> {
    /// One reading: the path itself, without its trailing slash.
    Plain(&'p str),
    /// One reading once upper-case letters are folded; without its trailing slash, at most [`FOLDABLE`] bytes.
    Foldable(&'p str),
    /// A doubled slash or a dot segment, and nothing else to read.
    Unresolved,
    /// Anything else.
    Other,
}

/// Looks at every byte once.
#[inline]
pub(super) fn shape(path: &str) -> Shape<'_> {
    let path = match path.strip_suffix('/') {
        Some("") | None => path,
        Some(rest) if rest.ends_with('/') => return Shape::Other,
        Some(rest) => rest,
    };
    if !path.starts_with('/') {
        Shape::Other
    } else if has_suspects(path.as_bytes()) {
        closer(path)
    } else {
        Shape::Plain(path)
    }
}

#[inline(never)]
fn closer(path: &str) -> Shape<'_> {
    let seen = path.bytes().fold(0, |seen, byte| seen | KINDS.get(usize::from(byte)).copied().unwrap_or(ODD));
    if seen & ODD != 0 {
        Shape::Other
    } else if resolves(path.as_bytes()) {
        Shape::Unresolved
    } else if seen & UPPER == 0 {
        Shape::Plain(path)
    } else if path.len() <= FOLDABLE {
        Shape::Foldable(path)
    } else {
        Shape::Other
    }
}

/// Something to decode or to cut.
const ODD: u8 = 1;
/// An upper-case letter.
const UPPER: u8 = 2;

/// The kind of each byte.
static KINDS: [u8; 256] = kinds();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated when it is compiled")]
const fn kinds() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < table.len() {
        table[at] = match at as u8 {
            0..=b' ' | 0x7f.. | b'%' | b';' | b'\\' | b'?' | b'#' => ODD,
            b'A'..=b'Z' => UPPER,
            _ => 0,
        };
        at += 1;
    }
    table
}

/// Sixteen bytes, and the byte before them.
type Block = [u8; 17];

/// Whether a byte after the first must be looked at closer. The last block overlaps the one before it.
///
/// Not inlined: it needs no register that its caller would have to save.
#[inline(never)]
fn has_suspects(path: &[u8]) -> bool {
    if path.len() > 33 {
        has_suspects_in_many(path)
    } else if let (Some(first), Some(last)) = (path.first_chunk(), path.last_chunk()) {
        has_suspects_in_blocks(first, last)
    } else {
        let mut block: Block = [b'-'; 17];
        block.iter_mut().zip(path).for_each(|(byte, of_path)| *byte = *of_path);
        has_suspects_in_blocks(&block, &block)
    }
}

#[inline(never)]
fn has_suspects_in_many(path: &[u8]) -> bool {
    let blocks = path.windows(33).step_by(32).chain(path.last_chunk::<33>().map(<[u8; 33]>::as_slice));
    blocks.fold(false, |seen, two| match (two.first_chunk(), two.last_chunk()) {
        (Some(first), Some(last)) => seen | has_suspects_in_blocks(first, last),
        _ => true,
    })
}

/// Looks at two blocks at once. No early exit, so that it becomes a handful of vector instructions; by itself, so that it stays so.
#[inline(never)]
fn has_suspects_in_blocks(one: &Block, other: &Block) -> bool {
    let ([_, one @ ..], [before_one @ .., _]) = (one, one);
    let ([_, other @ ..], [before_other @ .., _]) = (other, other);
    let each = one.iter().zip(before_one).zip(other.iter().zip(before_other));
    each.fold(false, |seen, ((&one, &before_one), (&other, &before_other))| {
        seen | is_suspect(one, before_one) | is_suspect(other, before_other)
    })
}

/// Whether a byte must be looked at closer. In few operations rather than exact: true for all bytes up to `'`, from `;` to `\`, which are
/// the upper-case letters and eight others, from 0x7f on, and for every segment that begins with a dot or is empty.
#[inline]
#[expect(clippy::needless_bitwise_bool, reason = "a branch would keep it from becoming vector instructions")]
fn is_suspect(byte: u8, before: u8) -> bool {
    // One more, so that 0x7f is below zero like those beyond ASCII.
    let low_or_beyond_ascii = byte.wrapping_add(1).cast_signed() <= 0x28;
    let semicolon_to_backslash = byte.wrapping_sub(b';') <= b'\\' - b';';
    let dot_or_slash = (before == b'/') & ((byte | 0x01) == b'/');
    low_or_beyond_ascii | semicolon_to_backslash | dot_or_slash
}
