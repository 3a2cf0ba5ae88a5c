//! What deciding the paths of one request may cost.

use crate::bytewise::count_beyond_ascii;

/// The work that is left, in instructions, about.
///
/// Each step spends its work before it begins. When nothing is left, the path counts as ambiguous.
#[derive(Debug)]
pub(crate) struct Meter(usize);

/// The work was used up.
#[derive(Debug)]
pub(super) struct Exhausted;

/// More work than this is not spent for several tables, however many there are.
const MOST: usize = 1_000_000;

// === impl Meter ===

impl Meter {
    pub(super) fn new(work: usize) -> Self {
        Self(work)
    }

    /// The work for one request, whose paths and query have so many bytes together. It is less than the 4,000 and 30 a byte (with a
    /// foreign backend 8,000 and 100) that a request may take: what is charged is what a step takes on average, and a plain path is
    /// not charged. `benches/paths.rs` compares both.
    #[inline]
    pub(crate) fn of_request(bytes: usize, foreign_backend: bool) -> Self {
        if foreign_backend { Self::new(6_000 + 77 * bytes) } else { Self::new(3_240 + 26 * bytes) }
    }

    /// The work for one path in several tables, each of which is searched by itself.
    pub(crate) fn of_tables(path: &str, tables: usize) -> Self {
        let of_each = MOST.min(tables.saturating_mul(2_500 + 20 * path.len()));
        Self::new(of_each + 2 * (6_500 + 38 * path.len()))
    }

    #[inline]
    pub(super) fn spend(&mut self, work: usize) -> Result<(), Exhausted> {
        let left = self.0.checked_sub(work);
        self.0 = left.unwrap_or(0);
        if left.is_some() { Ok(()) } else { Err(Exhausted) }
    }

    /// Spends what it takes to find out whether a text is UTF-8. About 16 bytes around each character that is not ASCII are looked at one by one.
    pub(super) fn spend_for_utf8(&mut self, text: &[u8]) -> Result<(), Exhausted> {
        let one_by_one = text.len().min(count_beyond_ascii(text) * 8);
        self.spend(90 + text.len() + one_by_one * 9)
    }
}
