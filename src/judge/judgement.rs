//! The result of a request's evidence.

use std::sync::Arc;

use super::evidence::Evidence;
use crate::{
    decision::{Decision, Objection, Policy},
    denial::{DenialReason, Refusal},
};

/// The evidence of a request, and the policy's result. Whether the result is enforced is decided elsewhere.
pub(crate) struct Judgement {
    /// If there is a decision, it contains the verdicts, and the evidence has none.
    pub(crate) evidence: Evidence,
    pub(crate) result: Result<Decision, Refusal>,
}

// === impl Judgement ===

impl Judgement {
    /// Returns the result. The evidence of this judgement replaces the evidence that its request has so far.
    pub(crate) fn into_result(self, evidence: &mut Evidence) -> Result<Decision, Refusal> {
        *evidence = self.evidence;
        self.result
    }
}

// === impl Evidence ===

impl Evidence {
    /// Judges by a policy, whose only input is the evidence. The verdicts move into the decision.
    pub(super) fn judged_by(&mut self, policy: &Arc<Policy>) -> Result<Decision, Refusal> {
        let settled = policy.settle(self.verdicts()).map_err(|objection| match objection {
            Objection::RiskTooHigh => Refusal::new(DenialReason::RiskTooHigh).disclosing_risk(policy.discloses_risk()),
            Objection::CaptchaRequired => Refusal::new(DenialReason::CaptchaRequired),
        })?;
        let verdicts = self.take_verdicts();
        Ok(Decision::reached(policy, settled, self.proven(), verdicts))
    }
}
