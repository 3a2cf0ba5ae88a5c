//! Reports a guarded request to the observers.

use std::sync::Arc;

use http::StatusCode;

use super::after::AfterInner;
use crate::{
    decision::Decision,
    denial::Refusal,
    judge::Evidence,
    observe::{Decided, Observers, Outcome},
    rule::RuleState,
};

/// Informs the observers. Inlined, because every guarded request runs it, and a call would move its arguments.
#[inline]
pub(super) fn report(observers: &Observers, rule: &RuleState, outcome: Outcome<'_>, evidence: &Evidence) {
    let decided = record(observers, rule, outcome, evidence);
    observers.report(&decided);
}

/// As [`report`], for a request that the inner service receives. The closures of the user are called when it has answered:
/// they learn its status.
#[inline]
pub(super) fn report_passed(
    observers: &Arc<Observers>,
    rule: &Arc<RuleState>,
    passed: Passed,
    evidence: &Evidence,
) -> Option<AfterInner> {
    observers.decided(&record(observers, rule, passed.outcome(), evidence));
    observers.has_listeners().then(|| {
        let (observers, rule) = (Arc::clone(observers), Arc::clone(rule));
        let evidence = evidence.clone().ended();
        let record = OpenRecord { observers, rule, passed, evidence, inner_status: None };
        let after: AfterInner = Box::new(|answered| record.close(answered.map(|answered| answered.status)));
        after
    })
}

/// How a request came to the inner service.
pub(super) enum Passed {
    By(Decision),
    NotGuarded(&'static str),
    /// It is refused, and the rule is in shadow.
    InShadow(Refusal),
}

/// The record of a request that the inner service has received. The closures of the user are called when it is dropped.
struct OpenRecord {
    observers: Arc<Observers>,
    rule: Arc<RuleState>,
    passed: Passed,
    evidence: Evidence,
    inner_status: Option<StatusCode>,
}

// === impl Passed ===

impl Passed {
    fn outcome(&self) -> Outcome<'_> {
        match self {
            Self::By(decision) => Outcome::Passed(decision),
            Self::NotGuarded(why) => Outcome::NotGuarded(why),
            Self::InShadow(refusal) => Outcome::Denied(refusal),
        }
    }
}

// === impl OpenRecord ===

impl OpenRecord {
    /// The inner service has answered.
    fn close(mut self, inner_status: Option<StatusCode>) {
        self.inner_status = inner_status;
    }
}

impl Drop for OpenRecord {
    fn drop(&mut self) {
        let mut decided = record(&self.observers, &self.rule, self.passed.outcome(), &self.evidence);
        decided.inner_status = self.inner_status;
        self.observers.call_listeners(&decided);
    }
}

#[inline]
fn record<'d>(
    observers: &'d Observers,
    rule: &'d RuleState,
    outcome: Outcome<'d>,
    evidence: &'d Evidence,
) -> Decided<'d> {
    let settings = &rule.settings.judge;
    let names = (Some(&*rule.name), Some(&*settings.account.name));
    evidence.record(observers, names, Some(&settings.policy), outcome)
}
