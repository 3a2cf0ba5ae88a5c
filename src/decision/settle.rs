//! From verdicts to an action: the policy's decision.

use super::{
    DecisionReason,
    action::{Action, Level},
    fallback::Fallback,
    policy::Policy,
};
use crate::{
    check_kind::CheckKind,
    verdict::{Risk, Verdict},
};

/// Why a policy refuses verdicts, each of which passed or has a fallback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Objection {
    RiskTooHigh,
    /// The risk or a fallback asks for a captcha, and none has passed.
    CaptchaRequired,
}

// === impl Policy ===

impl Policy {
    /// What to do with a request whose checks had these verdicts, each of which passed or has a fallback:
    /// [`Action::Allow`] or [`Action::Flag`], and why.
    pub(crate) fn settle(&self, verdicts: &[Verdict]) -> Result<(Action, DecisionReason), Objection> {
        let action = self.action_for(verdicts);
        if action == Action::Deny {
            return Err(Objection::RiskTooHigh);
        }
        let by_captcha = self.falls_back(verdicts, Fallback::Captcha);
        let has_captcha = || verdicts.iter().any(|verdict| verdict.is_pass_of(CheckKind::Captcha));
        if (by_captcha || action == Action::StepUp) && !has_captcha() {
            return Err(Objection::CaptchaRequired);
        }
        Ok(match action {
            _ if self.falls_back(verdicts, Fallback::Open) => (Action::Flag, DecisionReason::Unavailable),
            _ if by_captcha => (Action::Flag, DecisionReason::FallbackCaptcha),
            Action::Allow => (Action::Allow, DecisionReason::Verified),
            Action::StepUp => (Action::Flag, DecisionReason::SteppedUp),
            _ if self.level_for(verdicts) == Some(Level::Unknown) => (Action::Flag, DecisionReason::RiskUnknown),
            _ => (Action::Flag, DecisionReason::Risk),
        })
    }

    /// The action for the risks of these verdicts: the worst one, with known and unknown risks.
    pub(crate) fn action_for(&self, verdicts: &[Verdict]) -> Action {
        verdicts.iter().map(|verdict| self.action_for_risk(verdict.risk())).max().unwrap_or(Action::Allow)
    }

    fn action_for_risk(&self, risk: &Risk) -> Action {
        match risk {
            Risk::NotAsked => Action::Allow,
            Risk::Unknown => self.unknown_risk,
            Risk::Known { score, tags } => {
                let by_score = self.band_of(*score).map_or(self.unknown_risk, |band| band.action);
                self.tags.worst(tags).map_or(by_score, |(_, by_tag)| by_score.max(by_tag))
            }
        }
    }

    /// The policy's fallback for a verdict that is not a pass.
    pub(crate) fn fallback_for(&self, verdict: &Verdict) -> Fallback {
        match (self.fallbacks.of(verdict.class()), verdict.kind()) {
            // A risk query proves nothing, and a captcha is not accepted in its own place.
            (_, CheckKind::Risk) | (Fallback::Captcha, CheckKind::Captcha) => Fallback::Deny,
            (fallback, _) => fallback,
        }
    }

    /// Whether one of these verdicts has this fallback.
    pub(super) fn falls_back(&self, verdicts: &[Verdict], to: Fallback) -> bool {
        !self.fallbacks.is_empty() && verdicts.iter().any(|verdict| self.fallback_for(verdict) == to)
    }
}
