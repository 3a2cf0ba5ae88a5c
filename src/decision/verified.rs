//! A decision that is known to be verified.

use std::ops::Deref;

use super::{Decision, DecisionReason, action::Action, policy::Policy};
use crate::{
    check_kind::CheckKind,
    phone::Phone,
    verdict::{Class, Verdict},
};

/// The decision of a verified request. Derefs to [`Decision`].
///
/// [`Prove::now`](crate::Prove::now) returns it for a rule with [`on_demand`](crate::Rule::on_demand). Under the feature `axum` it
/// is also an extractor: a handler that takes `Verified` runs only for a verified request. It does not run on an unguarded
/// route, for a request that a policy let through during an outage, or for a request whose check waits for
/// [`Prove::now`](crate::Prove::now). A handler that also serves these requests takes `Option<Verified>`, which is `None`
/// for them.
///
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use axum::{Router, routing::{get, post}};
/// use tower_jverify::Verified;
///
/// async fn login(verified: Verified) -> String {
///     verified.phone().map(|phone| phone.masked().to_string()).unwrap_or_default()
/// }
///
/// async fn home(verified: Option<Verified>) -> &'static str {
///     if verified.is_some() { "welcome" } else { "please log in" }
/// }
///
/// let router: Router = Router::new().route("/login", post(login)).route("/", get(home));
/// # let _ = router;
/// ```
///
/// # Errors
///
/// The extractor answers 500 with `VerifiedRejection` if the request carries no decision (the layer is not mounted, or no
/// rule matches the route), was let through unverified, or has not been checked yet.
#[derive(Clone, Debug)]
pub struct Verified(Decision);

// === impl Verified ===

impl Verified {
    /// The decision, if it is verified.
    pub(crate) fn of(decision: Decision) -> Option<Self> {
        decision.is_verified().then_some(Self(decision))
    }

    /// Creates a value for a handler's unit test: one number check that passed for this phone.
    pub fn for_test(phone: Phone) -> Self {
        let verdict = Verdict::new(CheckKind::Number, Class::Passed);
        let policy = Policy::default();
        Self(Decision::new(&policy, Action::Allow, DecisionReason::Verified, Some(phone), vec![verdict]))
    }

    /// The decision itself.
    pub fn into_decision(self) -> Decision {
        self.0
    }
}

impl Deref for Verified {
    type Target = Decision;

    fn deref(&self) -> &Decision {
        &self.0
    }
}
