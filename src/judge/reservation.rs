//! What a check holds while it is asked: the admission of its endpoint's breaker, and the claims on its proof and on the request's pass.

use std::sync::Arc;

use super::{account::Account, breaker::Admission, claim::Claim};
use crate::{check::Endpoint, observe::Observers, verdict::Verdict};

/// The resources of one check. They move with the call if the call outlives its request.
pub(super) struct Reservation {
    account: Arc<Account>,
    endpoint: Endpoint,
    admission: Option<Admission>,
    claim: Option<Claim>,
    /// The claim on the pass of the request. Boxed, because it is rare.
    pass: Option<Box<Claim>>,
}

// === impl Reservation ===

impl Reservation {
    pub(super) fn new(
        account: &Arc<Account>,
        endpoint: Endpoint,
        admission: Option<Admission>,
        claim: Option<Claim>,
        pass: Option<Box<Claim>>,
    ) -> Self {
        Self { account: Arc::clone(account), endpoint, admission, claim, pass }
    }

    /// Keeps the claims, because the check is sent now.
    pub(super) fn mark_sent(&mut self) {
        if let Some(claim) = &mut self.claim {
            claim.keep();
        }
        if let Some(pass) = &mut self.pass {
            pass.keep();
        }
    }

    /// Reports the outcome of the check. Returns the claim on the request's pass if nothing was sent.
    pub(super) fn settle(self, verdict: &Verdict, observers: &Observers) -> Option<Box<Claim>> {
        let Self { account, endpoint, admission, claim, pass } = self;
        if let Some(change) = admission.and_then(|admission| admission.settle(verdict.health())) {
            account.report(endpoint, change, observers);
        }
        if let Some(claim) = claim
            && (verdict.nothing_sent() || verdict.is_of_a_reusable_proof())
        {
            claim.give_back();
        }
        let mut pass = pass.filter(|_| verdict.nothing_sent())?;
        pass.release_on_drop();
        Some(pass)
    }
}
