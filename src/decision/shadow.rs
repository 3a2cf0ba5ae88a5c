//! Decisions about requests that pass although they would be refused.

use std::sync::Arc;

use super::{Decision, DecisionReason, action::Action, applied::Applied, policy::Policy};
use crate::{denial::DenialReason, verdict::Verdict};

// === impl Decision ===

impl Decision {
    /// The decision for a request that passes although it would be refused for this reason.
    #[cold]
    pub(crate) fn refused_in_shadow(policy: &Policy, reason: DenialReason, verdicts: Vec<Verdict>) -> Self {
        let mut decision = Self::new(policy, Action::Deny, DecisionReason::WouldDeny, None, verdicts);
        Arc::make_mut(&mut decision.0).would_deny = Some(reason);
        decision.applied(Applied::Shadow)
    }

    /// Marks the decision as one of a rule that is not enforced for all requests.
    #[cold]
    pub(crate) fn applied(mut self, applied: Applied) -> Self {
        Arc::make_mut(&mut self.0).applied = Some(applied);
        self
    }

    /// Whether a refusal of the request would have been enforced.
    #[cfg_attr(not(feature = "pass"), allow(dead_code))]
    pub(crate) fn mode(&self) -> Applied {
        self.0.applied.unwrap_or_default()
    }

    /// Creates a decision for a handler's unit test: a rule in shadow would have refused the request for this reason.
    ///
    /// ```
    /// use tower_jverify::{Decision, DenialReason};
    ///
    /// let decision = Decision::would_deny_for_test(DenialReason::ProofMissing);
    /// assert!(!decision.is_verified() && decision.is_shadow());
    /// assert_eq!(decision.would_deny(), Some(DenialReason::ProofMissing));
    /// ```
    pub fn would_deny_for_test(reason: DenialReason) -> Self {
        Self::refused_in_shadow(&Policy::default(), reason, Vec::new())
    }

    /// Why the request would have been refused if its rule were enforced ([`Mode::Shadow`](crate::Mode::Shadow)). `None` if
    /// it would have passed.
    ///
    /// Such a decision has no phone, and [`Decision::is_verified`] returns `false`.
    pub fn would_deny(&self) -> Option<DenialReason> {
        self.0.would_deny
    }

    /// Whether the rule was in shadow for this request: every decision about it would have let it pass. `false` for a rule
    /// without a [`Mode`](crate::Mode).
    pub fn is_shadow(&self) -> bool {
        self.0.applied == Some(Applied::Shadow)
    }
}
