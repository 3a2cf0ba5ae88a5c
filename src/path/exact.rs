//! Exact paths: a hash map, and before it a filter that spares nearly every request the hash.

use std::collections::HashMap;

use foldhash::fast::FixedState;

/// Exact paths and the index of their entries.
///
/// The hash is seeded with a constant: the keys are the user's rules, so clients cannot make them collide.
pub(super) struct Exact {
    indices: HashMap<Box<[u8]>, usize, FixedState>,
    /// A bit is set for the [`mark`] of each path in the map. The number of words is a power of two, with at least 32 bits for each
    /// path. A path whose bit is not set is not in the map, and about one in 32 other paths has a bit that is set.
    marks: Box<[u64]>,
}

// === impl Exact ===

impl Exact {
    pub(super) fn new(indices: HashMap<Box<[u8]>, usize, FixedState>) -> Self {
        let mut marks = vec![0_u64; (indices.len() / 2).next_power_of_two().max(4)].into_boxed_slice();
        for path in indices.keys() {
            let (word, bit) = mark(path, marks.len());
            if let Some(word) = marks.get_mut(word) {
                *word |= bit;
            }
        }
        Self { indices, marks }
    }

    #[inline]
    pub(super) fn get(&self, path: &[u8]) -> Option<usize> {
        let (word, bit) = mark(path, self.marks.len());
        if self.marks.get(word)? & bit == 0 { None } else { self.look_up(path) }
    }

    #[inline(never)]
    fn look_up(&self, path: &[u8]) -> Option<usize> {
        self.indices.get(path).copied()
    }
}

/// A word and a bit in it that distinguish the path from most others, by its length and its last bytes.
#[inline]
fn mark(bytes: &[u8], words: usize) -> (usize, u64) {
    let end = match (bytes.last_chunk(), bytes.last_chunk()) {
        (Some(end), _) => u64::from_ne_bytes(*end),
        (None, Some(end)) => u64::from(u32::from_ne_bytes(*end)),
        (None, None) => 0,
    };
    let mixed = (end ^ u64::try_from(bytes.len()).unwrap_or(0).rotate_right(8)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (usize::try_from(mixed >> 40).unwrap_or(0) & (words - 1), 1 << ((mixed >> 34) & 63))
}
