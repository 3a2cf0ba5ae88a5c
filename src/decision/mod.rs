//! Decisions: what a policy concludes from verdicts, and how the application receives it.
//!
//! A verdict is the verifier's answer; a decision is what it means for this application. The operator configures bands and
//! actions, but not the code table: an operator need not know that 9001 is a mismatch to run a login.
//!
//! ```
//! use tower_jverify::{Action, Level, Policy};
//!
//! // Stricter than the default: a medium risk requires a captcha, and an unknown risk is refused.
//! let policy = Policy::default()
//!     .band(300, Level::Medium, Action::StepUp)
//!     .unknown_risk(Action::Deny);
//! # let _ = policy;
//! ```

mod action;
mod applied;
mod asked;
mod explain;
mod fallback;
mod headers;
mod merge;
mod policy;
mod policy_text;
mod settle;
mod shadow;
mod tag;
#[cfg(test)]
mod tests;
mod trusted;
mod verified;

use std::{fmt, sync::Arc};

use http::HeaderValue;

pub(crate) use self::headers::{NOT_ASKED, NOT_GUARDED, WOULD_DENY};
#[cfg_attr(not(feature = "pass"), allow(unused_imports))]
pub(crate) use self::trusted::{Accepts, Stated};
pub use self::{
    action::{Action, Level},
    fallback::Fallback,
    policy::Policy,
    trusted::{TrustedHeaders, TrustedHeadersError},
    verified::Verified,
};
pub(crate) use self::{applied::Applied, asked::Asked, headers::insert_not_guarded, settle::Objection};
use crate::{check_kind::CheckKind, denial::DenialReason, ex_id::ExId, phone::Phone, verdict::Verdict};

/// Why a guarded request reached the application. The layer inserts it as a request extension.
///
/// Only the layer creates one, and only for a request that it lets through. In another process,
/// [`Decision::from_trusted_headers`] reads it from the layer's headers. Handlers that must run only for a verified request
/// take [`Verified`] instead, or check [`Decision::is_verified`].
///
/// **A captcha does not prove a phone.** A request that passed with only a captcha is verified but has no proven phone,
/// even if its body contains one. Log in the phone of [`Decision::phone`], never the body's.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use tower_jverify::{Decision, Phone};
///
/// /// The phone to log in, in a service inside of the layer.
/// fn phone<B>(request: &Request<B>) -> Option<Phone> {
///     request.extensions().get::<Decision>().filter(|decision| decision.is_verified()).and_then(Decision::phone)
/// }
/// # assert_eq!(phone(&Request::new(Bytes::new())), None);
/// ```
#[derive(Clone)]
pub struct Decision(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    action: Action,
    reason: DecisionReason,
    is_verified: bool,
    level: Option<Level>,
    score: Option<u16>,
    phone: Option<Phone>,
    forwards_phone: bool,
    is_sandbox: bool,
    verdicts: Vec<Verdict>,
    /// Why the request would have been refused.
    would_deny: Option<DenialReason>,
    /// `None` for a rule that is enforced for all requests.
    applied: Option<Applied>,
    /// What decided, for [`Decision::explain`].
    policy: Option<Arc<Policy>>,
    /// The signed text about this decision that goes on with the request. Boxed: few rules have one.
    assertion: Option<Box<HeaderValue>>,
    origin: Origin,
}

/// The source of a decision.
#[derive(Clone)]
enum Origin {
    /// One service of a layer, which ran these checks. `None` if no other service needs them.
    One(Option<Asked>),
    /// Two services, one inside the other.
    Both([Decision; 2]),
}

/// The reason for a decision.
///
/// ```
/// use tower_jverify::{CheckKind, Class, Decision, DecisionReason, Policy, Risk, Verdict};
///
/// let verdict = Verdict::new(CheckKind::Number, Class::Passed).with_risk(Risk::from_score(450, Vec::new()));
/// let decision = Decision::for_test([verdict], &Policy::default());
/// assert_eq!(decision.reason(), DecisionReason::Risk);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DecisionReason {
    /// Every check passed, and no risk needs attention.
    Verified,
    /// Every check passed; the policy flags this risk.
    Risk,
    /// Every check passed; a risk was requested, but the verifier did not return it.
    RiskUnknown,
    /// Every check passed; the risk required a captcha, and the same request contained a solved one.
    SteppedUp,
    /// **Not verified**: a check did not pass, and the policy accepted a captcha of the same request instead
    /// ([`Fallback::Captcha`]).
    FallbackCaptcha,
    /// **Not verified**: the verifier was unavailable, and the policy opened ([`Fallback::Open`]).
    Unavailable,
    /// Only of [`Decision::from_trusted_headers`]. **Not verified**: no rule guards the request, or `guard_unless` let it
    /// pass.
    NotGuarded,
    /// **Not verified**: the rule has [`on_demand`](crate::Rule::on_demand), and the checks wait for
    /// [`Prove::now`](crate::Prove::now); or it is in shadow with [`shadow_unasked`](crate::Rule::shadow_unasked), and no check
    /// is sent.
    NotAsked,
    /// Only of [`Decision::from_trusted_headers`]. **Not verified**: a sandbox answered, which does not ask a carrier.
    Sandbox,
    /// **Not verified**: the request would have been refused ([`Decision::would_deny`]), but its rule is in shadow.
    WouldDeny,
}

// === impl Decision ===

impl Decision {
    /// A decision to let a request with these verdicts through. `action` is [`Action::Allow`] or [`Action::Flag`].
    pub(crate) fn new(
        policy: &Policy,
        action: Action,
        reason: DecisionReason,
        phone: Option<Phone>,
        verdicts: Vec<Verdict>,
    ) -> Self {
        Self(Arc::new(Inner {
            action,
            reason,
            is_verified: reason.is_verified(),
            level: policy.level_for(&verdicts),
            score: verdicts.iter().filter_map(|verdict| verdict.risk().score()).max(),
            phone,
            forwards_phone: false,
            is_sandbox: verdicts.iter().any(Verdict::is_sandbox),
            verdicts,
            would_deny: None,
            applied: None,
            policy: None,
            assertion: None,
            origin: Origin::One(None),
        }))
    }

    /// The decision for verdicts that let a request through, as [`Policy::settle`] returned. `phone`: what a check proved; a
    /// captcha in the place of another check proves none.
    pub(crate) fn reached(
        policy: &Arc<Policy>,
        (action, reason): (Action, DecisionReason),
        phone: Option<Phone>,
        verdicts: Vec<Verdict>,
    ) -> Self {
        let phone = phone.filter(|_| reason != DecisionReason::FallbackCaptcha);
        Self::new(policy, action, reason, phone, verdicts).under(policy)
    }

    /// The decision for a request that is passed on before these checks run.
    pub(crate) fn not_asked(asked: Option<Asked>) -> Self {
        let policy = Policy::default();
        Self::new(&policy, Action::Flag, DecisionReason::NotAsked, None, Vec::new()).answering(asked)
    }

    /// Creates a decision for a handler's unit test: the layer's decision for these verdicts under this policy. The phone
    /// is that of a passed number or one-tap verdict ([`Verdict::with_phone`]).
    ///
    /// ```
    /// use tower_jverify::{Action, CheckKind, Class, Decision, Phone, Policy, Risk, Verdict};
    ///
    /// let phone = Phone::parse("13800000000").unwrap();
    /// let verdict = Verdict::new(CheckKind::Number, Class::Passed).with_phone(phone);
    /// let decision = Decision::for_test([verdict.with_risk(Risk::from_score(450, Vec::new()))], &Policy::default());
    /// assert_eq!((decision.action(), decision.phone()), (Action::Flag, Some(phone)));
    /// ```
    ///
    /// # Panics
    ///
    /// If the layer would refuse the request: a verdict is not a pass (and has no fallback in the policy), or the risk is
    /// denied, or the risk or a fallback requires a captcha that is not among the verdicts. A refused request has no decision.
    pub fn for_test(verdicts: impl Into<Vec<Verdict>>, policy: &Policy) -> Self {
        let verdicts = verdicts.into();
        let stands = |verdict: &Verdict| {
            verdict.class().is_pass()
                || verdict.kind() == CheckKind::Risk
                || policy.fallback_for(verdict) != Fallback::Deny
        };
        assert!(verdicts.iter().all(stands), "the layer refuses a request whose verdict is not a pass");
        let settled = match policy.settle(&verdicts) {
            Ok(settled) => settled,
            Err(Objection::RiskTooHigh) => panic!("the layer refuses a request whose risk the policy denies"),
            Err(Objection::CaptchaRequired) => {
                panic!("the layer refuses a request whose risk or fallback asks for a captcha, unless one passed")
            }
        };
        let proves =
            |verdict: &&Verdict| verdict.is_pass_of(CheckKind::Number) || verdict.is_pass_of(CheckKind::OneTap);
        let phone = verdicts.iter().filter(proves).find_map(Verdict::phone);
        Self::reached(&Arc::new(policy.clone()), settled, phone, verdicts)
    }

    /// Marks the decision as the answer to these checks.
    pub(crate) fn answering(mut self, asked: Option<Asked>) -> Self {
        if asked.is_some() {
            Arc::make_mut(&mut self.0).origin = Origin::One(asked);
        }
        self
    }

    /// The decision that answers these checks: this one, or one of the decisions that it was merged from.
    pub(crate) fn answer_to(&self, asked: &Asked) -> Option<&Self> {
        match &self.0.origin {
            Origin::One(answered) => (answered.as_ref() == Some(asked)).then_some(self),
            Origin::Both(both) => both.iter().find_map(|one| one.answer_to(asked)),
        }
    }

    /// Makes the decision's headers include the phone.
    pub(crate) fn forwarding_phone(mut self) -> Self {
        Arc::make_mut(&mut self.0).forwards_phone = true;
        self
    }

    /// Makes the decision's headers include the signed text about it.
    #[cold]
    pub(crate) fn asserted(mut self, assertion: HeaderValue) -> Self {
        Arc::make_mut(&mut self.0).assertion = Some(Box::new(assertion));
        self
    }

    /// [`Action::Allow`] or [`Action::Flag`]; an unverified decision is flagged. [`Action::Deny`] if the request would have
    /// been refused ([`Decision::would_deny`]).
    pub fn action(&self) -> Action {
        self.0.action
    }

    /// Whether every check passed. `false` if a policy opened for an outage or accepted a captcha instead, if the request
    /// was passed on before its checks ([`Rule::on_demand`](crate::Rule::on_demand)), if it would have been refused
    /// ([`Decision::would_deny`]), and for the reasons that only [`Decision::from_trusted_headers`]
    /// returns, unless they are accepted there.
    pub fn is_verified(&self) -> bool {
        self.0.is_verified
    }

    /// The highest level of the requested risks; [`Level::Unknown`] if the verifier did not return one of them, `None`
    /// if no risk was requested.
    pub fn level(&self) -> Option<Level> {
        self.0.level
    }

    /// The phone, only if a number or one-tap check passed. `None` after a captcha alone, and if a policy opened or accepted
    /// a captcha instead: the body's phone is then unproven.
    pub fn phone(&self) -> Option<Phone> {
        self.0.phone
    }

    /// The verifier's answers, in the order of the checks.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.0.verdicts
    }

    /// The `exID` of each check, in the order of the verdicts.
    pub fn ex_ids(&self) -> impl Iterator<Item = &ExId> {
        self.0.verdicts.iter().filter_map(Verdict::ex_id)
    }

    /// The highest risk score that was returned, 0 to 900.
    pub fn score(&self) -> Option<u16> {
        self.0.score
    }

    /// Whether a check of this kind passed.
    pub fn passed(&self, kind: CheckKind) -> bool {
        self.0.verdicts.iter().any(|verdict| verdict.is_pass_of(kind))
    }

    /// The reason for the decision.
    pub fn reason(&self) -> DecisionReason {
        self.0.reason
    }

    /// Whether any answer came from a sandbox, which does not ask a carrier.
    #[inline]
    pub fn is_sandbox(&self) -> bool {
        self.0.is_sandbox
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decision")
            .field("action", &self.0.action)
            .field("reason", &self.0.reason)
            .field("level", &self.0.level)
            .field("phone", &self.0.phone)
            .field("verdicts", &self.0.verdicts)
            .finish()
    }
}

// === impl DecisionReason ===

impl DecisionReason {
    pub(crate) const ALL: [Self; 10] = [
        Self::Verified,
        Self::Risk,
        Self::RiskUnknown,
        Self::SteppedUp,
        Self::FallbackCaptcha,
        Self::Unavailable,
        Self::NotGuarded,
        Self::NotAsked,
        Self::Sandbox,
        Self::WouldDeny,
    ];

    /// The index in [`DecisionReason::ALL`].
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The word in headers and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Risk => "risk",
            Self::RiskUnknown => "risk_unknown",
            Self::SteppedUp => "stepped_up",
            Self::FallbackCaptcha => "fallback_captcha",
            Self::Unavailable => "unavailable",
            Self::NotGuarded => "not_guarded",
            Self::NotAsked => "not_asked",
            Self::Sandbox => "sandbox",
            Self::WouldDeny => "would_deny",
        }
    }

    /// Whether every check passed.
    const fn is_verified(self) -> bool {
        match self {
            Self::Verified | Self::Risk | Self::RiskUnknown | Self::SteppedUp => true,
            Self::FallbackCaptcha
            | Self::Unavailable
            | Self::NotGuarded
            | Self::NotAsked
            | Self::Sandbox
            | Self::WouldDeny => false,
        }
    }
}
