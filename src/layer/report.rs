//! Reports a guarded request to the observers.

use crate::{
    judge::Evidence,
    observe::{Decided, Observers, Outcome},
    rule::RuleState,
};

/// Informs the observers. Inlined, because every guarded request runs it, and a call would move its arguments.
#[inline]
pub(super) fn report(observers: &Observers, rule: &RuleState, outcome: Outcome<'_>, evidence: &Evidence) {
    let verdicts = match &outcome {
        Outcome::Passed(decision) => decision.verdicts(),
        Outcome::NotGuarded(_) | Outcome::Denied(_) | Outcome::Abandoned | Outcome::NotAsked => evidence.verdicts(),
    };
    let account = Some(&*rule.settings.judge.account.name);
    let (phone, began) = (evidence.about(), evidence.began());
    let first_ex_id = evidence.replayed();
    observers.decided(&Decided { rule: Some(&rule.name), account, outcome, verdicts, phone, began, first_ex_id });
}
