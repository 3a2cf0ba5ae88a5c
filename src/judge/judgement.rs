//! What the evidence of a request comes to.

use std::sync::Arc;

use super::evidence::Evidence;
use crate::{
    decision::{Decision, Objection, Policy},
    denial::{DenialReason, Refusal},
};

/// What is known of a request, and what follows from it. Whether it is enforced is another question.
pub(crate) struct Judgement {
    /// Without the verdicts of a decision, which has them itself.
    pub(crate) evidence: Evidence,
    pub(crate) result: Result<Decision, Refusal>,
}

// === impl Judgement ===

impl Judgement {
    /// `asked`: why not all checks were asked, if they were not.
    pub(super) fn of(asked: Result<(), Refusal>, mut evidence: Evidence, policy: &Arc<Policy>) -> Self {
        let result = asked.and_then(|()| decide(&mut evidence, policy));
        Self { evidence, result }
    }
}

/// The policy's only input is the evidence. The verdicts move into the decision.
fn decide(evidence: &mut Evidence, policy: &Arc<Policy>) -> Result<Decision, Refusal> {
    let settled = policy.settle(evidence.verdicts()).map_err(|objection| match objection {
        Objection::RiskTooHigh => Refusal::new(DenialReason::RiskTooHigh).telling_risk(policy.tells_risk()),
        Objection::CaptchaRequired => Refusal::new(DenialReason::CaptchaRequired),
    })?;
    let verdicts = evidence.take_verdicts();
    Ok(Decision::reached(policy, settled, evidence.proven(), verdicts))
}
