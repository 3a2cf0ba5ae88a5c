//! Merges several answers: the worst action and the highest risk.

use super::{Decision, DecisionReason, Inner, Origin, action::Level, policy::Policy};
use crate::verdict::{Risk, Verdict};

// === impl Policy ===

impl Policy {
    /// The highest level of the requested risks. [`Level::Unknown`] is the highest.
    pub(crate) fn level_for(&self, verdicts: &[Verdict]) -> Option<Level> {
        verdicts
            .iter()
            .filter_map(|verdict| match verdict.risk() {
                Risk::NotAsked => None,
                Risk::Unknown => Some(Level::Unknown),
                Risk::Known { score, .. } => Some(self.level_of(*score)),
            })
            .max()
    }
}

// === impl Decision ===

impl Decision {
    /// This decision, merged with the decision of an outer layer if there is one.
    pub(crate) fn within(self, outer: Option<&Self>) -> Self {
        match outer {
            None => self,
            Some(outer) => self.merged_with(outer),
        }
    }

    /// Merges the decisions of two layers in one process: the worst action and reason, the highest risk, both lists. Two
    /// different proven phones become no proven phone. The merged decision has no proven phone either if one of the
    /// layers would have refused the request, or let it through for a captcha instead.
    pub(crate) fn merged_with(&self, outer: &Self) -> Self {
        if outer.reason() == DecisionReason::NotGuarded {
            // The outer decision is empty, and no check waits for the application.
            return self.clone();
        }
        let origin = Origin::Both([outer.clone(), self.clone()]);
        let (inner, outer) = (&*self.0, &*outer.0);
        let would_deny = outer.would_deny.or(inner.would_deny);
        let reason = outer.reason.max(inner.reason);
        let phone = match (outer.phone, inner.phone) {
            // Another layer may have proven a phone, but this request must not look like one that may log in.
            _ if would_deny.is_some() || reason == DecisionReason::FallbackCaptcha => None,
            (Some(one), Some(other)) => (one == other).then_some(one),
            (one, other) => one.or(other),
        };
        Self(std::sync::Arc::new(Inner {
            action: outer.action.max(inner.action),
            reason,
            is_verified: outer.is_verified && inner.is_verified,
            level: outer.level.max(inner.level),
            score: outer.score.max(inner.score),
            phone,
            forwards_phone: outer.forwards_phone || inner.forwards_phone,
            is_sandbox: outer.is_sandbox || inner.is_sandbox,
            verdicts: outer.verdicts.iter().chain(&inner.verdicts).cloned().collect(),
            would_deny,
            applied: outer.applied.max(inner.applied),
            policy: None,
            // An assertion is about one of the two decisions only.
            assertion: None,
            origin,
        }))
    }
}
