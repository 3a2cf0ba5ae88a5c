//! The one pass over a path that nearly every request ends with.
//!
//! Written over blocks of 16 bytes without a branch, so that the compiler makes vector instructions of it: a path of 20
//! bytes takes about 60. What is not certainly plain is looked at closer, or goes to the readings; a mistake in that
//! direction costs time, never safety.

/// Longest path that is folded without allocating, in bytes.
pub(super) const FOLDABLE: usize = 256;

/// What one pass finds in a path.
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
        Some("") | None => path,
        Some(rest) if rest.ends_with('/') => return Shape::Other,
        Some(rest) => rest,
    };
    let bytes = path.as_bytes();
    let (Some((b'/', body)), Some((_, before))) = (bytes.split_first(), bytes.split_last()) else {
        return Shape::Other;
    };
    let seen = look(body, before);
    if !seen.suspect && !seen.upper { Shape::Plain(path) } else { closer(path, seen) }
}

#[inline(never)]
fn closer(path: &str, seen: Seen) -> Shape<'_> {
    if seen.suspect && has_odd(path.as_bytes()) {
        Shape::Other
    } else if !seen.upper {
        Shape::Plain(path)
    } else if path.len() <= FOLDABLE {
        Shape::Foldable(path)
    } else {
        Shape::Other
    }
}

/// Whether there is something to decode, to cut or to resolve.
fn has_odd(path: &[u8]) -> bool {
    let mut before = 0;
    for (at, &byte) in path.iter().enumerate() {
        if ODD.get(usize::from(byte)).is_some_and(|odd| *odd) {
            return true;
        }
        if before == b'/' && matches!(byte, b'/' | b'.') {
            let rest = path.get(at..).unwrap_or_default();
            if matches!(rest, [b'/', ..] | b"." | [b'.', b'/', ..] | b".." | [b'.', b'.', b'/', ..]) {
                return true;
            }
        }
        before = byte;
    }
    false
}

/// Bytes that are not themselves in every reading.
static ODD: [bool; 256] = odd();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated when it is compiled")]
const fn odd() -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < table.len() {
        table[at] = matches!(at as u8, 0..=b' ' | 0x7f.. | b'%' | b';' | b'\\' | b'?' | b'#');
        at += 1;
    }
    table
}

/// What one pass has seen.
#[derive(Clone, Copy)]
struct Seen {
    /// A byte that must be looked at closer.
    suspect: bool,
    /// An upper-case ASCII letter.
    upper: bool,
}

impl Seen {
    #[inline]
    fn and(self, other: Self) -> Self {
        Self { suspect: self.suspect | other.suspect, upper: self.upper | other.upper }
    }
}

/// `before` is the byte before each byte of `body`; both have the same length.
///
/// The last block of each length overlaps the one before it.
#[inline]
fn look(body: &[u8], before: &[u8]) -> Seen {
    if body.len() > 32 {
        look_at_many(body, before)
    } else if let (Some(first), Some(last), Some(first_before), Some(last_before)) =
        (body.first_chunk(), body.last_chunk(), before.first_chunk(), before.last_chunk())
    {
        look_at_block(first, first_before).and(look_at_block(last, last_before))
    } else if let (Some(block), Some(before)) = (two_halves(body), two_halves(before)) {
        look_at_block(&block, &before)
    } else {
        look_at_few(body, before)
    }
}

#[inline(never)]
fn look_at_many(body: &[u8], before: &[u8]) -> Seen {
    let blocks = body.as_chunks().0.iter().zip(before.as_chunks().0);
    let last = body.last_chunk().into_iter().zip(before.last_chunk());
    let nothing = Seen { suspect: false, upper: false };
    blocks.chain(last).fold(nothing, |seen, (block, before)| seen.and(look_at_block(block, before)))
}

#[inline(never)]
fn look_at_few(body: &[u8], before: &[u8]) -> Seen {
    let suspect = body.iter().zip(before).any(|(&byte, &before)| is_suspect(byte, before));
    Seen { suspect, upper: body.iter().any(u8::is_ascii_uppercase) }
}

/// The first and the last eight bytes, or four: together, all of them. `None` for fewer than four.
#[inline]
fn two_halves(bytes: &[u8]) -> Option<[u8; 16]> {
    let (first, last) = if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        (u64::from_ne_bytes(*first), u64::from_ne_bytes(*last))
    } else {
        let (first, last) = (bytes.first_chunk()?, bytes.last_chunk()?);
        let (first, last) = (u32::from_ne_bytes(*first), u32::from_ne_bytes(*last));
        let both = u64::from(first) | (u64::from(last) << 32);
        (both, both)
    };
    Some((u128::from(first) | (u128::from(last) << 64)).to_ne_bytes())
}

/// No early exit, so that it becomes a handful of vector instructions; by itself, so that it stays so.
#[inline(never)]
fn look_at_block(block: &[u8; 16], before: &[u8; 16]) -> Seen {
    let suspect = block.iter().zip(before).fold(false, |seen, (&byte, &before)| seen | is_suspect(byte, before));
    let upper = block.iter().fold(false, |seen, byte| seen | byte.is_ascii_uppercase());
    Seen { suspect, upper }
}

/// Whether a byte must be looked at closer. In few operations rather than exact: also true for `!` and `'`, and for
/// every segment that begins with a dot.
#[inline]
#[expect(clippy::needless_bitwise_bool, reason = "a branch would keep it from becoming vector instructions")]
fn is_suspect(byte: u8, before: u8) -> bool {
    let control_or_beyond_ascii = (byte.cast_signed() <= 0x20) | (byte == 0x7f);
    let semicolon_or_question = (byte | 0x04) == b'?';
    let hash_or_percent = (byte | 0x06) == 0x27;
    let dot_or_slash = (before == b'/') & ((byte | 0x01) == b'/');
    control_or_beyond_ascii | semicolon_or_question | hash_or_percent | (byte == b'\\') | dot_or_slash
}
