//! The record of a guarded request.

use tokio::time::Instant;

use crate::{decision::Decision, denial::Refusal, ex_id::ExId, phone::Phone, verdict::Verdict};

/// A guarded request that is over for the layer.
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "without an observer nothing reads it"))]
pub(crate) struct Decided<'d> {
    /// The rule, as in `POST /login`, where it is known which one applies.
    pub(crate) rule: Option<&'d str>,
    /// What the verifier spends from, where the rule is known.
    pub(crate) account: Option<&'d str>,
    pub(crate) outcome: Outcome<'d>,
    /// What the checks answered, in their order.
    pub(crate) verdicts: &'d [Verdict],
    /// The phone that it is about: proven, or as the client claims it.
    pub(crate) phone: Option<Phone>,
    /// When the request came.
    pub(crate) began: Instant,
    /// The check that has asked about a proof of this request before, where that refuses it.
    pub(crate) first_ex_id: Option<&'d ExId>,
}

/// How a guarded request ended.
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "without an observer nothing reads it"))]
pub(crate) enum Outcome<'d> {
    /// `otherwise_pass` or `guard_unless` let it through. Why, for the event.
    NotGuarded(&'static str),
    /// It passed: verified, or opened for an outage.
    Passed(&'d Decision),
    Denied(&'d Refusal),
    /// The client left during a check, or its own deadline passed.
    Abandoned,
    /// It passed on demand, and the application never asked.
    NotAsked,
}
