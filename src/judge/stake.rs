//! What a check holds while it is asked: the leave of its breaker, and the claim on its proof.

use std::sync::Arc;

use super::{account::Account, breaker::Leave, claim::Claim};
use crate::{check::Endpoint, observe::Observers, verdict::Verdict};

/// Moves with the call if the call outlives its request.
pub(super) struct Stake {
    account: Arc<Account>,
    endpoint: Endpoint,
    leave: Option<Leave>,
    claim: Option<Claim>,
    /// On the pass of the request, until a check is asked.
    pass: Option<Claim>,
}

// === impl Stake ===

impl Stake {
    pub(super) fn new(
        account: &Arc<Account>,
        endpoint: Endpoint,
        leave: Option<Leave>,
        claim: Option<Claim>,
        pass: Option<Claim>,
    ) -> Self {
        Self { account: Arc::clone(account), endpoint, leave, claim, pass }
    }

    /// Marks that the check is sent now.
    pub(super) fn begin(&mut self) {
        for claim in self.claim.iter_mut().chain(&mut self.pass) {
            claim.begin();
        }
    }

    /// Reports the outcome of the check. Returns the claim on the request's pass if nothing was sent.
    pub(super) fn settle(self, verdict: &Verdict, observers: &Observers) -> Option<Claim> {
        let Self { account, endpoint, leave, claim, pass } = self;
        if let Some(change) = leave.and_then(|leave| leave.settle(verdict.health())) {
            account.report(endpoint, change, observers);
        }
        if let Some(claim) = claim
            && (verdict.nothing_sent() || verdict.is_of_a_reusable_proof())
        {
            claim.give_back();
        }
        pass.filter(|_| verdict.nothing_sent()).map(Claim::not_begun)
    }
}
