//! The record of a guarded request, for the observers.

use crate::{
    judge::Evidence,
    observe::{Decided, Observers, Outcome},
    rule::RuleState,
};

/// Informs the observers. Inlined: it is part of every story, and a call of it would move what it passes on.
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
