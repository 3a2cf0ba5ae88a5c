//! Searches for bytes, eight at a time.

/// One bit in each byte of a word.
const ONES: u64 = u64::MAX / 255;

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
        let hits = marks(u64::from_le_bytes(*word)) & (ONES << 7);
        if hits != 0 {
            return Some(before + hits.trailing_zeros() as usize / 8);
        }
        before += word.len();
    }
    tail.iter().position(|byte| is_one(*byte)).map(|at| before + at)
}

/// The positions of a byte, in ascending order.
#[inline]
pub(crate) fn positions(bytes: &[u8], byte: u8) -> impl Iterator<Item = usize> {
    let (words, tail) = bytes.as_chunks();
    // Filled up with another byte.
    let other = ONES * u64::from(!byte);
    let put = |word, (&one, shift): (&u8, u32)| word & !(0xff << shift) | u64::from(one) << shift;
    let last = tail.iter().zip((0..).step_by(8)).fold(other, put);
    let mut words = words.iter().map(|word| u64::from_le_bytes(*word)).chain((!tail.is_empty()).then_some(last));
    let (mut hits, mut after) = (0_u64, 0);
    std::iter::from_fn(move || {
        while hits == 0 {
            let other = words.next()? ^ (ONES * u64::from(byte));
            // Unlike those of `equal`, all of these are right: the bytes of the sum do not carry into the next.
            hits = !(((other & !(ONES << 7)) + !(ONES << 7)) | other | !(ONES << 7));
            after += 8;
        }
        let at = after - 8 + hits.trailing_zeros() as usize / 8;
        hits &= hits - 1;
        Some(at)
    })
}

/// How many bytes `is_one` accepts.
#[inline]
pub(crate) fn count(bytes: &[u8], is_one: impl Fn(u8) -> bool) -> usize {
    // Counted in bytes as far as they reach, so that it becomes vector instructions.
    let in_few = |few: &[u8]| few.iter().fold(0_u8, |count, &byte| count + u8::from(is_one(byte)));
    bytes.chunks(255).map(|few| usize::from(in_few(few))).sum()
}

#[cfg(test)]
mod tests {
    use super::{below, count, equal, find, positions};

    #[test]
    fn all_positions_of_a_byte_are_found() {
        for byte in 0..=u8::MAX {
            for length in [0, 1, 7, 8, 9, 30] {
                let text: Vec<u8> =
                    (0..length).map(|at| [b'/', byte, b'.', b'/', 0xaf, b'/' + 1, 0x80][at % 7]).collect();
                let expected: Vec<usize> = (0..length).filter(|at| text[*at] == b'/').collect();
                assert_eq!(positions(&text, b'/').collect::<Vec<_>>(), expected, "{byte} {length}");
            }
        }
        assert_eq!(positions(&[0; 9], 0).count(), 9);
    }

    #[test]
    fn bytes_are_counted_beyond_what_a_byte_can_count() {
        for length in [0, 1, 254, 255, 256, 1000] {
            assert_eq!(count(&vec![b'/'; length], |byte| byte == b'/'), length);
            assert_eq!(count(&vec![b'a'; length], |byte| byte == b'/'), 0);
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
