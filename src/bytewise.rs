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

#[cfg(test)]
mod tests {
    use super::{below, equal, find};

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
