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
    /// On the pass of the request, until a check is asked. Boxed, because it is rare.
    pass: Option<Box<Claim>>,
}

// === impl Stake ===

impl Stake {
    pub(super) fn new(
        account: &Arc<Account>,
        endpoint: Endpoint,
        leave: Option<Leave>,
        claim: Option<Claim>,
        pass: Option<Box<Claim>>,
    ) -> Self {
        Self { account: Arc::clone(account), endpoint, leave, claim, pass }
    }

    /// Marks that the check is sent now.
    pub(super) fn begin(&mut self) {
        if let Some(claim) = &mut self.claim {
            claim.begin();
        }
        if let Some(pass) = &mut self.pass {
            pass.begin();
        }
    }

    /// Reports the outcome of the check. Returns the claim on the request's pass if nothing was sent.
    pub(super) fn settle(self, verdict: &Verdict, observers: &Observers) -> Option<Box<Claim>> {
        let Self { account, endpoint, leave, claim, pass } = self;
        if let Some(change) = leave.and_then(|leave| leave.settle(verdict.health())) {
            account.report(endpoint, change, observers);
        }
        if let Some(claim) = claim
            && (verdict.nothing_sent() || verdict.is_of_a_reusable_proof())
        {
            claim.give_back();
        }
        let mut pass = pass.filter(|_| verdict.nothing_sent())?;
        pass.not_begun();
        Some(pass)
    }
}
