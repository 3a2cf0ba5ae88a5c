//! The one pass over a path that nearly every request ends with.
//!
//! Written over blocks of fixed size, without a branch a byte, so that the compiler makes vector instructions of it.
//! What is not certainly plain goes to the readings; a mistake in that direction costs time, never safety.

/// Something to decode, cut or look at closer.
const ODD: u8 = 1;
/// A segment begins with a dot, or two slashes stand side by side.
const DOTS: u8 = 2;
/// An upper-case letter.
const UPPER: u8 = 4;

/// Longest path that is folded without allocating, in bytes.
pub(super) const FOLDABLE: usize = 256;

/// What one pass tells of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape<'p> {
    /// One reading: the path itself, without its trailing slash.
    Plain(&'p str),
    /// One reading once upper-case letters are folded; without its trailing slash, at most [`FOLDABLE`] bytes.
    Foldable(&'p str),
    /// Anything else.
    Other,
}

/// Looks at every byte once.
#[inline]
pub(super) fn shape(path: &str) -> Shape<'_> {
    let path = match path.strip_suffix('/') {
        Some("") => return Shape::Plain(path),
        // A doubled slash, of which one would be gone unseen.
        Some(rest) if rest.ends_with('/') => return Shape::Other,
        Some(rest) => rest,
        None => path,
    };
    let bytes = path.as_bytes();
    let (Some((b'/', body)), Some((_, before))) = (bytes.split_first(), bytes.split_last()) else {
        return Shape::Other;
    };
    let marks = marks(body, before);
    if marks == 0 {
        return Shape::Plain(path);
    }
    closer(path, marks)
}

#[cold]
fn closer(path: &str, marks: u8) -> Shape<'_> {
    let dots = |text: &[u8]| super::segments::has_dots(text) || super::segments::has_doubled_slash(text);
    if marks & ODD != 0 || (marks & DOTS != 0 && dots(path.as_bytes())) {
        Shape::Other
    } else if marks & UPPER == 0 {
        Shape::Plain(path)
    } else if path.len() <= FOLDABLE {
        Shape::Foldable(path)
    } else {
        Shape::Other
    }
}

/// `before` is the byte before each byte of `body`; both have the same length.
#[inline]
fn marks(body: &[u8], before: &[u8]) -> u8 {
    if body.len() >= 16 {
        blocks::<16>(body, before)
    } else if body.len() >= 8 {
        blocks::<8>(body, before)
    } else {
        body.iter().zip(before).fold(0, |marks, (&byte, &before)| marks | mark(byte, before))
    }
}

/// Whole blocks from the front, and the last one over what they leave: it may overlap them.
#[inline]
fn blocks<const N: usize>(body: &[u8], before: &[u8]) -> u8 {
    let (blocks, _) = body.as_chunks::<N>();
    let (blocks_before, _) = before.as_chunks::<N>();
    let mut marks = 0;
    for (block, before) in blocks.iter().zip(blocks_before) {
        marks |= block_marks(block, before);
    }
    match (body.last_chunk::<N>(), before.last_chunk::<N>()) {
        (Some(block), Some(before)) => marks | block_marks(block, before),
        _ => ODD,
    }
}

#[inline]
fn block_marks<const N: usize>(block: &[u8; N], before: &[u8; N]) -> u8 {
    block.iter().zip(before).fold(0, |marks, (&byte, &before)| marks | mark(byte, before))
}

#[inline]
fn mark(byte: u8, before: u8) -> u8 {
    let odd = !(0x21..0x7f).contains(&byte) | matches!(byte, b'%' | b';' | b'\\' | b'?' | b'#');
    let dots = (before == b'/') & ((byte == b'/') | (byte == b'.'));
    let upper = byte.is_ascii_uppercase();
    u8::from(odd) * ODD | u8::from(dots) * DOTS | u8::from(upper) * UPPER
}
