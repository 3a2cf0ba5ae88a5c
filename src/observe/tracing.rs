//! One event for every decision.

use std::fmt;

use super::{Decided, Outcome, alarms::Alarms};
use crate::{
    denial::DenialReason,
    foreign_backend::Suspicion,
    log::event,
    verdict::{Class, Verdict},
};

/// Writes an event for every guarded request.
#[derive(Debug, Default)]
pub(crate) struct Observers {
    alarms: Alarms,
}

// === impl Observers ===

impl Observers {
    /// An alarm that is due makes the event an ERROR that says what to do; an outage, a limit or a panic makes it a WARN.
    pub(crate) fn decided(&self, decided: &Decided<'_>) {
        let Decided { rule, outcome, verdicts, phone, began } = decided;
        let rule = rule.unwrap_or("-");
        let refusal = match outcome {
            Outcome::NotGuarded => {
                return event!(DEBUG, rule, decision = "pass", "not guarded: no rule names the value of `when`");
            }
            Outcome::Denied(refusal) => Some(refusal),
            Outcome::Passed(_) | Outcome::Abandoned => None,
        };
        let is_abandoned = matches!(outcome, Outcome::Abandoned);
        macro_rules! decided {
            ($level:ident, $message:expr) => {
                event!(
                    $level,
                    rule,
                    decision = outcome.as_str(),
                    reason = outcome.reason(),
                    detail = refusal.and_then(|refusal| refusal.detail()),
                    suspicion = refusal.and_then(|refusal| refusal.suspicion()).map(Suspicion::as_str),
                    checks = %List(verdicts, |verdict, f| f.write_str(verdict.kind().as_str())),
                    classes = %List(verdicts, |verdict, f| f.write_str(verdict.class().as_str())),
                    codes = %List(verdicts, |verdict, f| number(f, verdict.code())),
                    ids = %List(verdicts, |verdict, f| number(f, verdict.id())),
                    // Only here: of a decision, the ids of the verifier are enough.
                    ex_ids = is_abandoned.then_some(::tracing::field::display(List(verdicts, |verdict, f| {
                        match verdict.ex_id() {
                            Some(ex_id) => fmt::Display::fmt(ex_id, f),
                            None => f.write_str("-"),
                        }
                    }))),
                    sandbox = verdicts.iter().any(Verdict::is_sandbox),
                    phone = phone.map(|phone| ::tracing::field::display(phone.masked())),
                    ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                    "{}",
                    $message
                )
            };
        }
        match verdicts.iter().find_map(|verdict| self.alarms.due(verdict.class())) {
            Some(what_to_do) => decided!(ERROR, what_to_do),
            None if decided.is_troubled() => decided!(WARN, "decided without JPush: an outage, a limit, or a panic"),
            None if is_abandoned => decided!(INFO, "the client left while a check was in flight"),
            None => decided!(INFO, "decided"),
        }
    }
}

// === impl Decided ===

impl Decided<'_> {
    /// Whether it was decided without an answer.
    fn is_troubled(&self) -> bool {
        let lacks = |verdict: &Verdict| matches!(verdict.class(), Class::Unavailable | Class::Quota);
        let is_ours = match &self.outcome {
            Outcome::Denied(refusal) => matches!(refusal.reason(), DenialReason::Overloaded | DenialReason::Panicked),
            Outcome::NotGuarded | Outcome::Passed(_) | Outcome::Abandoned => false,
        };
        is_ours || self.verdicts.iter().any(lacks)
    }
}

// === impl Outcome ===

impl Outcome<'_> {
    fn as_str(&self) -> &'static str {
        match self {
            Self::NotGuarded => "pass",
            Self::Passed(decision) if decision.is_verified() => decision.action().as_str(),
            Self::Passed(_) => "unverified",
            Self::Denied(_) => "deny",
            Self::Abandoned => "abandoned",
        }
    }

    fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Passed(decision) => Some(decision.reason().as_str()),
            Self::Denied(refusal) => Some(refusal.reason().as_str()),
            Self::NotGuarded | Self::Abandoned => None,
        }
    }
}

/// Something of each verdict, joined by commas; `-` where there is none.
struct List<'v>(&'v [Verdict], fn(&Verdict, &mut fmt::Formatter<'_>) -> fmt::Result);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, verdict) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            (self.1)(verdict, f)?;
        }
        Ok(())
    }
}

fn number(f: &mut fmt::Formatter<'_>, number: Option<impl fmt::Display>) -> fmt::Result {
    match number {
        Some(number) => fmt::Display::fmt(&number, f),
        None => f.write_str("-"),
    }
}
