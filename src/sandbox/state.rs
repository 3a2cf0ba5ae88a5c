//! The state that all clones of a sandbox share.

use super::{fault::Faults, ledger::Ledger};

/// The state that all clones share.
#[derive(Default)]
pub(super) struct State {
    pub(super) ledger: Ledger,
    pub(super) faults: Faults,
}
