//! What the checks of a request have come to.

use tokio::time::Instant;

use crate::{ex_id::ExId, phone::Phone, verdict::Verdict};

/// The verdicts so far, each with the id of its check, and the phone that they prove. Owned: a check that outlives its
/// request takes it along.
#[derive(Clone)]
pub(crate) struct Evidence {
    verdicts: Vec<Verdict>,
    /// The phone that a check has proven.
    proven: Option<Phone>,
    /// The phone that this is about: as the client claims it, then as it was proven. For the event alone.
    about: Option<Phone>,
    began: Instant,
    /// The check that has asked about a proof of this request before.
    replays: Option<ExId>,
}

// === impl Evidence ===

impl Evidence {
    /// None yet, of a request that begins now.
    pub(crate) fn new() -> Self {
        Self { verdicts: Vec::new(), proven: None, about: None, began: Instant::now(), replays: None }
    }

    pub(super) fn heard(&mut self, verdict: Verdict) {
        self.verdicts.push(verdict);
    }

    pub(super) fn claimed(&mut self, phone: Phone) {
        self.about = Some(phone);
    }

    pub(super) fn prove(&mut self, phone: Phone) {
        self.proven = Some(phone);
        self.about = Some(phone);
    }

    pub(super) fn replays(&mut self, first: Option<ExId>) {
        self.replays = first;
    }

    /// The check that has asked about a proof of this request before, where that refuses it.
    pub(crate) fn replayed(&self) -> Option<&ExId> {
        self.replays.as_ref()
    }

    pub(super) fn proven(&self) -> Option<Phone> {
        self.proven
    }

    pub(crate) fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    pub(super) fn has_verdicts(&self) -> bool {
        !self.verdicts.is_empty()
    }

    pub(super) fn take_verdicts(&mut self) -> Vec<Verdict> {
        std::mem::take(&mut self.verdicts)
    }

    pub(crate) fn about(&self) -> Option<Phone> {
        self.about
    }

    /// When the request came.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }
}
