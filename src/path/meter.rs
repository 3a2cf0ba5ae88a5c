//! What deciding one path may cost.

/// The work that is left, in instructions, about.
///
/// Each step spends its work before it begins. When nothing is left, the path counts as ambiguous.
#[derive(Debug)]
pub(super) struct Meter(usize);

/// The work was used up.
#[derive(Debug)]
pub(super) struct Exhausted;

// === impl Meter ===

impl Meter {
    pub(super) fn new(work: usize) -> Self {
        Self(work)
    }

    #[inline]
    pub(super) fn spend(&mut self, work: usize) -> Result<(), Exhausted> {
        let left = self.0.checked_sub(work);
        self.0 = left.unwrap_or(0);
        if left.is_some() { Ok(()) } else { Err(Exhausted) }
    }
}
