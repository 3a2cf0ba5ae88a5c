//! Searches for bytes, eight at a time.

/// One bit in each byte of a word.
const ONES: u64 = u64::MAX / 255;
/// The highest bit of each byte.
const HIGH: u64 = ONES << 7;

/// Marks each byte of a word that equals this byte: see [`find`].
#[inline]
pub(crate) fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * u64::from(byte)), 1)
}

/// Marks each byte of a word that is less than `limit`, which is at most 128: see [`find`].
#[inline]
pub(crate) fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(limit)) & !word
}

/// The position of the first byte that `is_one` accepts. `marks` finds the same bytes in a word, with [`equal`] and
/// [`below`].
///
/// The borrow out of a byte marks a hit. Bytes above the first hit may be marked wrongly; only the first counts.
#[inline]
pub(crate) fn find(bytes: &[u8], marks: impl Fn(u64) -> u64, is_one: impl Fn(u8) -> bool) -> Option<usize> {
    let (words, tail) = bytes.as_chunks();
    let mut before = 0;
    for word in words {
        let hits = marks(u64::from_le_bytes(*word)) & HIGH;
        if hits != 0 {
            return Some(before + hits.trailing_zeros() as usize / 8);
        }
        before += word.len();
    }
    tail.iter().position(|byte| is_one(*byte)).map(|at| before + at)
}

/// Marks exactly the bytes of a word that equal this byte: unlike in those of [`equal`], no borrow reaches the next byte.
#[inline]
pub(crate) fn equal_exactly(word: u64, byte: u8) -> u64 {
    let other = word ^ (ONES * u64::from(byte));
    !(((other & !HIGH) + !HIGH) | other | !HIGH)
}

/// The bytes as words; the last one is filled up with zeros.
#[inline]
pub(crate) fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (words, tail) = bytes.as_chunks();
    words.iter().map(|word| u64::from_le_bytes(*word)).chain(last_word(bytes, tail))
}

/// The word of the last bytes, of which there are fewer than eight, behind others. `None` if there are none.
#[inline]
fn last_word(bytes: &[u8], tail: &[u8]) -> Option<u64> {
    let unused = u64::BITS - 8 * u32::try_from(tail.len()).ok().filter(|length| *length > 0)?;
    match (bytes.last_chunk(), tail.first_chunk(), tail.last_chunk()) {
        // The bytes before are shifted out.
        (Some(last), ..) => Some(u64::from_le_bytes(*last) >> unused),
        (None, Some(low), Some(high)) => {
            let high = u64::from(u32::from_le_bytes(*high)) << 32;
            Some(high >> unused | u64::from(u32::from_le_bytes(*low)))
        }
        _ => tail.iter().rev().map(|byte| u64::from(*byte)).reduce(|above, byte| above << 8 | byte),
    }
}

/// The positions of a byte, which is not zero, in ascending order.
#[inline]
pub(crate) fn positions(bytes: &[u8], byte: u8) -> impl Iterator<Item = usize> {
    marked(bytes, move |word| equal_exactly(word, byte))
}

/// The positions of the bytes that `marks` marks in each word (see [`words`]), in ascending order.
#[inline]
pub(crate) fn marked(bytes: &[u8], mut marks: impl FnMut(u64) -> u64) -> impl Iterator<Item = usize> {
    // Not the iterator of `words`, which takes longer for each next word.
    let (words, tail) = bytes.as_chunks();
    let (mut words, mut last) = (words.iter(), last_word(bytes, tail));
    let (mut hits, mut after) = (0, 0);
    std::iter::from_fn(move || {
        while hits == 0 {
            let word = words.next().map(|word| u64::from_le_bytes(*word)).or_else(|| last.take())?;
            hits = marks(word);
            after += 8;
        }
        let at = after - 8 + hits.trailing_zeros() as usize / 8;
        hits &= hits - 1;
        Some(at)
    })
}

/// How often a byte occurs, which is not zero.
#[inline]
pub(crate) fn count(bytes: &[u8], byte: u8) -> usize {
    sum(words(bytes).map(|word| equal_exactly(word, byte)))
}

/// How many bytes are not ASCII.
#[inline]
pub(crate) fn count_beyond_ascii(bytes: &[u8]) -> usize {
    sum(words(bytes).map(|word| word & HIGH))
}

/// How many bytes are marked.
#[inline]
fn sum(marks: impl Iterator<Item = u64>) -> usize {
    // The highest byte of the product is the sum of the eight bytes, each of which is at most one.
    marks.map(|marks| ((marks >> 7).wrapping_mul(ONES) >> 56) as usize).sum()
}

#[cfg(test)]
mod tests {
    use super::{below, count, count_beyond_ascii, equal, find, positions, words};

    #[test]
    fn words_have_all_bytes_and_then_zeros() {
        for length in 0..40 {
            let text: Vec<u8> = (1..=length).collect();
            let bytes: Vec<u8> = words(&text).flat_map(u64::to_le_bytes).collect();
            assert_eq!(bytes.len(), text.len().next_multiple_of(8));
            assert!(bytes.starts_with(&text) && bytes.iter().skip(text.len()).all(|byte| *byte == 0), "{bytes:?}");
        }
    }

    #[test]
    fn all_positions_of_a_byte_are_found_and_counted() {
        for byte in 0..=u8::MAX {
            for length in 0..30 {
                let text: Vec<u8> =
                    (0..length).map(|at| [b'/', byte, b'.', b'/', 0xaf, b'/' + 1, 0x80][at % 7]).collect();
                let expected: Vec<usize> = (0..length).filter(|at| text[*at] == b'/').collect();
                assert_eq!(positions(&text, b'/').collect::<Vec<_>>(), expected, "{byte} {length}");
                assert_eq!(count(&text, b'/'), expected.len(), "{byte} {length}");
                assert_eq!(count_beyond_ascii(&text), text.iter().filter(|byte| !byte.is_ascii()).count(), "{byte}");
            }
        }
    }

    #[test]
    fn bytes_are_counted_beyond_what_a_byte_can_count() {
        for length in [254, 255, 256, 1000, 3000] {
            assert_eq!(count(&vec![b'/'; length], b'/'), length);
            assert_eq!(count_beyond_ascii(&vec![0xff; length]), length);
            assert_eq!(count(&vec![b'a'; length], b'/') + count_beyond_ascii(&vec![0x7f; length]), 0);
        }
    }

    #[test]
    fn the_words_find_what_the_bytes_find() {
        let is_one = |byte: u8| byte == b'&' || byte < 0x20;
        let marks = |word| equal(word, b'&') | below(word, 0x20);
        for byte in 0..=u8::MAX {
            for at in 0..20 {
                let mut text = [b'a'; 20];
                text[at] = byte;
                assert_eq!(find(&text, marks, is_one), is_one(byte).then_some(at), "{byte} at {at}");
                // What comes after the first does not matter.
                text[19] = b'&';
                assert_eq!(find(&text, marks, is_one), text.iter().position(|byte| is_one(*byte)), "{byte} at {at}");
            }
        }
    }
}
