//! No observer.

use super::decided::Decided;

/// Nothing is informed.
#[derive(Debug, Default)]
pub(crate) struct Observers;

// === impl Observers ===

impl Observers {
    #[inline]
    #[expect(clippy::unused_self, reason = "as the other observers")]
    pub(crate) fn decided(&self, _: &Decided<'_>) {}

    #[expect(clippy::unused_self, reason = "as the other observers")]
    pub(crate) fn sandbox_elsewhere(&self, _: &str) {}

    #[expect(clippy::unused_self, reason = "as the other observers")]
    pub(crate) fn store_full(&self) {}
}
