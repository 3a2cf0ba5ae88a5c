//! The record of a guarded request.

use std::{borrow::Cow, fmt, time::Duration};

use http::StatusCode;

use super::{
    pseudonym::{Pseudonym, Pseudonyms},
    stages::Stages,
};
use crate::{
    decision::{Action, Applied, Decision, DecisionReason, Level, NOT_ASKED, NOT_GUARDED, Policy, WOULD_DENY},
    denial::{DenialReason, Refusal},
    ex_id::ExId,
    foreign_backend::Suspicion,
    phone::Phone,
    verdict::Verdict,
};

/// The record of a guarded request, for the closures of
/// [`JVerifyBuilder::on_decision`](crate::JVerifyBuilder::on_decision): the data of the event in the log.
///
/// A request has exactly one record: it passed, was refused or not guarded, its client left during a check, or its
/// application never called [`Prove::now`](crate::Prove::now). A request that no rule matches has no record, and neither has one
/// whose client leaves before anything was decided, sent or passed on.
///
/// With the Cargo feature `serde` it can be serialised, as an object without a person's data: see
/// [the page on the decision log](crate::docs::decision_log).
///
/// No method returns a token, a captcha's answer or an address. `Debug` masks the phone.
///
/// ```
/// use tower_jverify::{Class, Decided};
///
/// /// A line of an audit log.
/// fn line(decided: &Decided<'_>) -> String {
///     let asked = decided.verdicts().iter().map(|verdict| verdict.class().as_str()).collect::<Vec<_>>();
///     let phone = decided.phone().map(|phone| phone.masked().to_string());
///     format!("{:?} {} {asked:?} {phone:?} {:?}", decided.rule(), decided.decision(), decided.duration())
/// }
/// # let _ = line;
/// ```
#[non_exhaustive]
pub struct Decided<'d> {
    /// The rule, as in `POST /login`, if it is known.
    pub(crate) rule: Option<&'d str>,
    /// The account that the verifier spends from, if the rule is known.
    pub(crate) account: Option<&'d str>,
    pub(crate) outcome: Outcome<'d>,
    /// Whether a refusal is enforced.
    pub(crate) applied: Applied,
    /// Whether the request was passed on before this was known.
    pub(crate) is_late: bool,
    /// The answers to the checks, in order.
    pub(crate) verdicts: &'d [Verdict],
    /// The phone of the request: proven, or as the client claims it.
    pub(crate) phone: Option<Phone>,
    /// The client's octets, if the rule knows who its clients are.
    pub(crate) client: Option<[u8; 9]>,
    pub(crate) stages: Stages,
    /// The policy of the rule, if it is known.
    pub(crate) policy: Option<&'d Policy>,
    /// The layer's key for pseudonyms, if one is set.
    pub(crate) pseudonyms: Option<&'d Pseudonyms>,
    /// The earlier check of a proof of this request, if the request is refused for it.
    pub(crate) first_ex_id: Option<&'d ExId>,
    /// The status of the inner service's answer.
    pub(crate) inner_status: Option<StatusCode>,
}

/// How a guarded request ended.
pub(crate) enum Outcome<'d> {
    /// `otherwise_pass` or `guard_unless` let it through. The text is the reason, for the event.
    NotGuarded(&'static str),
    /// It passed: verified, or by a fallback of the policy.
    Passed(&'d Decision),
    Denied(&'d Refusal),
    /// The client left during a check, or its deadline passed.
    Abandoned,
    /// It passed on demand, and the application never started the checks.
    NotAsked,
}

/// How a guarded request ended, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Allow,
    Flag,
    Unverified,
    NotGuarded,
    NotAsked,
    Deny,
    WouldDeny,
    Abandoned,
}

// === impl Decided ===

impl Decided<'_> {
    /// The rule's name ([`Rule::name`](crate::Rule::name)), by default as in `POST /login`. `None` if it is not known which
    /// rule applies.
    pub fn rule(&self) -> Option<&str> {
        self.rule
    }

    /// The `exID` of the earlier check, if the request is refused because another request has used its proof.
    pub fn first_ex_id(&self) -> Option<&ExId> {
        self.first_ex_id
    }

    /// The account that the rule's verifier spends from ([`JVerifyBuilder::account`](crate::JVerifyBuilder::account)).
    /// `None` if the rule is not known.
    pub fn account(&self) -> Option<&str> {
        self.account
    }

    /// `allow`, `flag`, `unverified` (a policy opened for an outage), `not-guarded`, `not-asked`, `deny`, `would-deny` (the rule is
    /// in shadow, and the request has passed) or `abandoned` (the client left during a check, or its `grpc-timeout` passed).
    pub fn decision(&self) -> &'static str {
        self.word().as_str()
    }

    /// `enforce`, or `shadow` if the rule was in shadow for this request: see [`Mode`](crate::Mode).
    pub fn mode(&self) -> &'static str {
        self.applied.as_str()
    }

    /// Whether the request was in shadow, and was passed on as `would-deny` (`unavailable`) before its checks were finished:
    /// see [`shadow_deadline`](crate::Rule::shadow_deadline). The other methods return what the checks came to afterwards.
    pub fn is_late(&self) -> bool {
        self.is_late
    }

    /// The reason: the word of a [`DecisionReason`] or of a [`DenialReason`]. `None` for `not-guarded` and `abandoned`.
    pub fn reason(&self) -> Option<&'static str> {
        match &self.outcome {
            Outcome::Passed(decision) => Some(decision.reason_word()),
            Outcome::Denied(refusal) => Some(refusal.reason().as_str()),
            Outcome::NotAsked => Some(DecisionReason::NotAsked.as_str()),
            Outcome::NotGuarded(_) | Outcome::Abandoned => None,
        }
    }

    /// Why the request was refused, if it was, or would have been refused (`would-deny`).
    pub fn denial_reason(&self) -> Option<DenialReason> {
        self.refusal().map(Refusal::reason)
    }

    /// Whether the request and all its checks passed: see [`Decision::is_verified`]. Also `true` if the checks passed after
    /// the request had been passed on as `would-deny` ([`Decided::is_late`]).
    pub fn is_verified(&self) -> bool {
        matches!(self.outcome, Outcome::Passed(decision) if decision.is_verified())
    }

    /// What was wrong with the request, or why no rule guards it: a constant text, never a part of the request.
    pub fn detail(&self) -> Option<Cow<'static, str>> {
        match &self.outcome {
            Outcome::Denied(refusal) => refusal.detail(),
            Outcome::NotGuarded(why) => Some(Cow::Borrowed(*why)),
            Outcome::Passed(_) | Outcome::NotAsked | Outcome::Abandoned => None,
        }
    }

    /// The class of suspicion that refused the request, if one did.
    pub fn suspicion(&self) -> Option<Suspicion> {
        self.refusal().and_then(Refusal::suspicion)
    }

    /// The verifier's answers, in the order of the checks.
    pub fn verdicts(&self) -> &[Verdict] {
        self.verdicts
    }

    /// The `exID` of each check, in the order of the verdicts.
    pub fn ex_ids(&self) -> impl Iterator<Item = &ExId> {
        self.verdicts.iter().filter_map(Verdict::ex_id)
    }

    /// The phone of the request, proven or as the client claims it. For a log, [`Phone::masked`].
    ///
    /// **Danger:** it is proven only if [`Decided::is_verified`] is true and a number or one-tap check passed.
    pub fn phone(&self) -> Option<Phone> {
        self.phone
    }

    /// The status of the inner service's answer, if it received the request and answered. `None` also for a rule that is
    /// [`on_demand`](crate::Rule::on_demand), whose record is made while the application works.
    ///
    /// A gRPC error has status 200.
    pub fn inner_status(&self) -> Option<StatusCode> {
        self.inner_status
    }

    /// The time since the request arrived, without the inner service.
    pub fn duration(&self) -> Duration {
        self.stages.all()
    }

    /// The part of [`Decided::duration`] until the proof was read. `None` if it was not read, because the request was refused before or is
    /// not guarded.
    pub fn reading(&self) -> Option<Duration> {
        self.stages.reading()
    }

    /// The part of [`Decided::duration`] for the checks and what guards them, such as claims and limits. `None` if no check could start.
    /// The time of one check is [`Verdict::duration`].
    pub fn judging(&self) -> Option<Duration> {
        self.stages.judging()
    }

    /// The highest level of the risks that were asked for: as [`Decision::level`], also for a request that is refused.
    /// `None` if no risk was asked for, or if the rule is not known.
    pub fn level(&self) -> Option<Level> {
        match &self.outcome {
            Outcome::Passed(decision) => decision.level(),
            _ => self.policy?.level_for(self.verdicts),
        }
    }

    /// Replaces [`Decided::phone`] in a log. `None` without a phone, or without a
    /// [`pseudonym_key`](crate::JVerifyBuilder::pseudonym_key).
    pub fn phone_pseudonym(&self) -> Option<Pseudonym> {
        Some(self.pseudonyms?.of_phone(self.phone?))
    }

    /// Replaces the client's address, or its IPv6 network of 64 bits, in a log. `None` without a
    /// [`pseudonym_key`](crate::JVerifyBuilder::pseudonym_key), without [`client_ip`](crate::Rule::client_ip), or if the request
    /// is refused before its checks.
    pub fn client_pseudonym(&self) -> Option<Pseudonym> {
        Some(self.pseudonyms?.of_client(&self.client?))
    }

    /// Whether any answer came from a sandbox.
    pub fn is_sandbox(&self) -> bool {
        self.verdicts.iter().any(Verdict::is_sandbox)
    }

    /// The time since the request arrived, with the inner service.
    #[cfg(feature = "serde")]
    pub(super) fn age(&self) -> Duration {
        self.stages.began().elapsed()
    }

    /// How the request ended, in a word.
    pub(super) fn word(&self) -> Word {
        match (self.outcome.word(), self.applied) {
            (Word::Deny, Applied::Shadow) => Word::WouldDeny,
            (word, Applied::Enforced | Applied::Shadow) => word,
        }
    }

    pub(super) fn refusal(&self) -> Option<&Refusal> {
        match &self.outcome {
            Outcome::Denied(refusal) => Some(refusal),
            Outcome::Passed(_) | Outcome::NotGuarded(_) | Outcome::NotAsked | Outcome::Abandoned => None,
        }
    }
}

impl fmt::Debug for Decided<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decided")
            .field("rule", &self.rule)
            .field("account", &self.account)
            .field("mode", &self.mode())
            .field("decision", &self.decision())
            .field("reason", &self.reason())
            .field("detail", &self.detail())
            .field("verdicts", &self.verdicts)
            .field("phone", &self.phone)
            .finish_non_exhaustive()
    }
}

// === impl Outcome ===

impl Outcome<'_> {
    fn word(&self) -> Word {
        match self {
            Self::NotGuarded(_) => Word::NotGuarded,
            Self::Passed(decision) if decision.would_deny().is_some() => Word::WouldDeny,
            Self::Passed(decision) if decision.is_verified() => match decision.action() {
                Action::Allow => Word::Allow,
                Action::Flag | Action::StepUp | Action::Deny => Word::Flag,
            },
            Self::Passed(decision) if decision.reason() == DecisionReason::FallbackCaptcha => Word::Flag,
            Self::Passed(decision) if decision.reason() != DecisionReason::NotAsked => Word::Unverified,
            Self::Passed(_) | Self::NotAsked => Word::NotAsked,
            Self::Denied(_) => Word::Deny,
            Self::Abandoned => Word::Abandoned,
        }
    }
}

// === impl Word ===

impl Word {
    pub(super) const ALL: [Self; 8] = [
        Self::Allow,
        Self::Flag,
        Self::Unverified,
        Self::NotGuarded,
        Self::NotAsked,
        Self::Deny,
        Self::WouldDeny,
        Self::Abandoned,
    ];

    /// The word in events and labels.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => Action::Allow.as_str(),
            Self::Flag => Action::Flag.as_str(),
            Self::Unverified => "unverified",
            Self::NotGuarded => NOT_GUARDED,
            Self::NotAsked => NOT_ASKED,
            Self::Deny => Action::Deny.as_str(),
            Self::WouldDeny => WOULD_DENY,
            Self::Abandoned => "abandoned",
        }
    }
}
