//! A subject as a memory knows it.

use std::hash::{Hash, Hasher};

/// A subject, hashed under the key of one memory: 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key([u32; 4]);

// === impl Key ===

impl Key {
    pub(super) fn of(halves: [u64; 2]) -> Self {
        let words = |half: u64| [half >> 32, half & u64::from(u32::MAX)].map(|word| u32::try_from(word).unwrap_or(0));
        let [[a, b], [c, d]] = halves.map(words);
        Self([a, b, c, d])
    }

    /// What chooses the shard.
    pub(super) fn choice(self) -> usize {
        let [word, ..] = self.0;
        usize::try_from(word).unwrap_or(0)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The first word chooses the shard.
        let [_, _, high, low] = self.0;
        state.write_u64((u64::from(high) << 32) | u64::from(low));
    }
}
