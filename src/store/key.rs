//! The key of a subject in memory.

use std::hash::{Hash, Hasher};

/// A subject, hashed under the key of one memory: 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key([u32; 4]);

/// Buffers the input of a hasher: each write to `SipHash` has a cost, and a subject has a dozen parts.
pub(super) struct Pieces<H> {
    hasher: H,
    piece: [u8; PIECE],
    length: usize,
}

const PIECE: usize = 64;

// === impl Key ===

impl Key {
    pub(super) fn of(halves: [u64; 2]) -> Self {
        let words = |half: u64| [half >> 32, half & u64::from(u32::MAX)].map(|word| u32::try_from(word).unwrap_or(0));
        let [[a, b], [c, d]] = halves.map(words);
        Self([a, b, c, d])
    }

    /// The part that chooses the shard.
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

// === impl Pieces ===

impl<H: Hasher> Pieces<H> {
    pub(super) fn new(hasher: H) -> Self {
        Self { hasher, piece: [0; PIECE], length: 0 }
    }

    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if let Some(free) = self.piece.get_mut(self.length..self.length.saturating_add(bytes.len())) {
            free.copy_from_slice(bytes);
            self.length += bytes.len();
        } else {
            self.flush();
            if bytes.len() < PIECE { self.push(bytes) } else { self.hasher.write(bytes) }
        }
    }

    /// The hasher, after all bytes were written to it.
    pub(super) fn hasher(mut self) -> H {
        self.flush();
        self.hasher
    }

    fn flush(&mut self) {
        self.hasher.write(self.piece.get(..self.length).unwrap_or_default());
        self.length = 0;
    }
}
