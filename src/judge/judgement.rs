//! The result of a request's evidence.

use std::sync::Arc;

use super::evidence::Evidence;
use crate::{
    decision::{Decision, Objection, Policy},
    denial::{DenialReason, Refusal},
};

/// The evidence of a request, and the policy's result. Whether the result is enforced is decided elsewhere.
pub(crate) struct Judgement {
    /// Without the verdicts if there is a decision, which contains them.
    pub(crate) evidence: Evidence,
    pub(crate) result: Result<Decision, Refusal>,
}

// === impl Judgement ===

impl Judgement {
    /// `asked`: the reason why not all checks were sent, if any.
    pub(super) fn of(asked: Result<(), Refusal>, mut evidence: Evidence, policy: &Arc<Policy>) -> Self {
        let result = asked.and_then(|()| decide(&mut evidence, policy));
        Self { evidence, result }
    }
}

/// The policy's only input is the evidence. The verdicts move into the decision.
fn decide(evidence: &mut Evidence, policy: &Arc<Policy>) -> Result<Decision, Refusal> {
    let settled = policy.settle(evidence.verdicts()).map_err(|objection| match objection {
        Objection::RiskTooHigh => Refusal::new(DenialReason::RiskTooHigh).disclosing_risk(policy.discloses_risk()),
        Objection::CaptchaRequired => Refusal::new(DenialReason::CaptchaRequired),
    })?;
    let verdicts = evidence.take_verdicts();
    Ok(Decision::reached(policy, settled, evidence.proven(), verdicts))
}
