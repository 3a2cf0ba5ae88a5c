//! Which settings and verdicts led to a decision, in words.

use std::{fmt, sync::Arc};

use super::{Decision, Origin, fallback::Fallback, policy::Policy};
use crate::{
    check_kind::CheckKind,
    verdict::{Risk, Verdict},
};

/// What a policy says about each verdict.
pub(crate) struct Explained<'e> {
    policy: &'e Policy,
    verdicts: &'e [Verdict],
}

// === impl Decision ===

impl Decision {
    /// The settings and verdicts that led to the decision, in one line, for a log. For each verdict it shows the class, the band of
    /// the score, the tag with the worst action, or the fallback of the class. Nothing is computed before it is displayed.
    ///
    /// It contains words of this crate and tags that the policy names, and nothing of the request: no phone, no score. A decision
    /// that was read from headers, or that was made before a check, has no policy to explain.
    ///
    /// If the level DEBUG is enabled, the event of a decision has the same text in the field `explanation`, also for a request that
    /// is refused.
    ///
    /// ```
    /// use tower_jverify::{CheckKind, Class, Decision, Policy, Risk, Verdict};
    ///
    /// let verdict = Verdict::new(CheckKind::Number, Class::Passed).with_risk(Risk::from_score(450, Vec::new()));
    /// let decision = Decision::for_test([verdict], &Policy::default());
    /// assert_eq!(decision.explain().to_string(), "flag, risk: number passed, band(300): medium, flag");
    /// ```
    pub fn explain(&self) -> impl fmt::Display + '_ {
        ExplainedDecision(self)
    }

    /// Names the policy that decided.
    pub(crate) fn under(mut self, policy: &Arc<Policy>) -> Self {
        Arc::make_mut(&mut self.0).policy = Some(Arc::clone(policy));
        self
    }
}

struct ExplainedDecision<'d>(&'d Decision);

impl fmt::Display for ExplainedDecision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(decision) = self;
        if let Origin::Both([outer, inner]) = &decision.0.origin {
            return write!(f, "{}; within it: {}", outer.explain(), inner.explain());
        }
        write!(f, "{}, {}", decision.word(), decision.reason_word())?;
        match &decision.0.policy {
            Some(policy) if !decision.verdicts().is_empty() => write!(f, ": {}", policy.explain(decision.verdicts())),
            _ => Ok(()),
        }
    }
}

// === impl Policy ===

impl Policy {
    /// What the policy says about each of these verdicts, in one line.
    pub(crate) fn explain<'e>(&'e self, verdicts: &'e [Verdict]) -> Explained<'e> {
        Explained { policy: self, verdicts }
    }
}

// === impl Explained ===

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, verdicts } = self;
        for (at, verdict) in verdicts.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{} {}", verdict.kind().as_str(), verdict.class())?;
            if !verdict.class().is_pass() && verdict.kind() != CheckKind::Risk {
                let fallback: Fallback = policy.fallback_for(verdict);
                write!(f, ", on({}): {}", verdict.class(), fallback.as_str())?;
            }
            match verdict.risk() {
                Risk::NotAsked => {}
                Risk::Unknown => write!(f, ", unknown_risk: {}", policy.unknown_risk.as_str())?,
                Risk::Known { score, tags } => {
                    if let Some(band) = policy.band_of(*score) {
                        write!(f, ", band({}): {}, {}", band.from, band.level.as_str(), band.action.as_str())?;
                    }
                    if let Some((tag, action)) = policy.tags.worst(tags) {
                        write!(f, ", tag({tag:?}): {}", action.as_str())?;
                    }
                }
            }
        }
        Ok(())
    }
}
