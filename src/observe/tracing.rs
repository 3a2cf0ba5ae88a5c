//! One event for every decision.

use std::fmt;

use tokio::time::Instant;

use super::{
    alarms::Alarms,
    decided::{Decided, Outcome},
};
use crate::{
    decision::{DecisionReason, NOT_ASKED, NOT_GUARDED},
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
        let Decided { rule, account, outcome, verdicts, phone, began, first_ex_id } = decided;
        let rule = rule.unwrap_or("-");
        let refusal = match outcome {
            Outcome::NotGuarded(why) => {
                let (decision, ms) = (outcome.as_str(), millis(*began));
                return event!(INFO, rule, decision, ms, "not guarded: {why}");
            }
            Outcome::NotAsked => {
                let (decision, reason, ms) = (outcome.as_str(), outcome.reason(), millis(*began));
                return event!(
                    WARN,
                    rule,
                    account,
                    decision,
                    reason,
                    ms,
                    "not asked: the rule is on demand, and the application has not called `Prove::now`"
                );
            }
            Outcome::Denied(refusal) => Some(refusal),
            Outcome::Passed(_) | Outcome::Abandoned => None,
        };
        let detail = refusal.and_then(|refusal| refusal.detail());
        let is_unanswered = verdicts.iter().any(|verdict| verdict.cause().is_some());
        macro_rules! decided {
            ($level:ident, $message:expr) => {
                event!(
                    $level,
                    rule,
                    account,
                    decision = outcome.as_str(),
                    reason = outcome.reason(),
                    detail = detail.as_deref(),
                    suspicion = refusal.and_then(|refusal| refusal.suspicion()).map(Suspicion::as_str),
                    checks = %List(verdicts, |verdict, f| f.write_str(verdict.kind().as_str())),
                    classes = %List(verdicts, |verdict, f| f.write_str(verdict.class().as_str())),
                    codes = %List(verdicts, |verdict, f| f.write_str(verdict.code().unwrap_or("-"))),
                    ids = %List(verdicts, |verdict, f| f.write_str(verdict.id().unwrap_or("-"))),
                    ex_ids = %List(verdicts, |verdict, f| match verdict.ex_id() {
                        Some(ex_id) => fmt::Display::fmt(ex_id, f),
                        None => f.write_str("-"),
                    }),
                    first_ex_id = first_ex_id.map(::tracing::field::display),
                    causes = is_unanswered.then_some(::tracing::field::display(List(verdicts, |verdict, f| {
                        f.write_str(verdict.cause().unwrap_or("-"))
                    }))),
                    nothing_sent = is_unanswered.then_some(verdicts.iter().all(Verdict::nothing_sent)),
                    sandbox = verdicts.iter().any(Verdict::is_sandbox),
                    phone = phone.map(|phone| ::tracing::field::display(phone.masked())),
                    ms = millis(*began),
                    "{}",
                    $message
                )
            };
        }
        let most_are_malformed = verdicts.iter().fold(false, |most, verdict| self.alarms.count(verdict, *began) | most);
        match verdicts.iter().find_map(|verdict| self.alarms.due(verdict, most_are_malformed)) {
            Some(what_to_do) => decided!(ERROR, what_to_do),
            None => match decided.trouble() {
                Some(trouble) => decided!(WARN, trouble),
                None if matches!(outcome, Outcome::Abandoned) => {
                    decided!(INFO, "the client left while a check was in flight");
                }
                None => decided!(INFO, "decided"),
            },
        }
    }
}

impl Observers {
    /// The sandbox let a client through that is not on this host: a WARN, at most once a minute.
    pub(crate) fn sandbox_elsewhere(&self, rule: &str) {
        if self.alarms.is_sandbox_due() {
            event!(
                WARN,
                rule,
                "the sandbox let a client through that is not on this host. It asks no carrier, so every client can log in with \
                 every phone"
            );
        }
    }
}

impl Observers {
    /// A proof was asked about without a claim, because the store is full: an ERROR, at most once a minute.
    pub(crate) fn store_full(&self) {
        if self.alarms.is_store_full_due() {
            event!(
                ERROR,
                alarm = "store_full",
                "the store of the guards is full: proofs are asked about without a claim until entries expire"
            );
        }
    }
}

// === impl Decided ===

impl Decided<'_> {
    /// Why a check has no answer, if one has none, in a line that is true for it.
    fn trouble(&self) -> Option<&'static str> {
        if let Outcome::Denied(refusal) = &self.outcome {
            match refusal.reason() {
                DenialReason::Overloaded => return Some("too many checks or bodies at once"),
                DenialReason::Panicked => return Some("a closure, a verifier or a body panicked"),
                _ => {}
            }
        }
        self.verdicts.iter().find_map(|verdict| match verdict.class() {
            Class::Unavailable if verdict.cause().is_none() => Some("the verifier answered that it is unavailable"),
            Class::Unavailable if verdict.nothing_sent() => Some("the verifier could not be asked"),
            Class::Unavailable => Some("the verifier did not answer"),
            Class::Unreadable => Some("the verifier's answer cannot be read"),
            Class::Quota => Some("the verifier answered that a limit of its account is reached"),
            _ => None,
        })
    }
}

// === impl Outcome ===

impl Outcome<'_> {
    fn as_str(&self) -> &'static str {
        match self {
            Self::NotGuarded(_) => NOT_GUARDED,
            Self::Passed(decision) if decision.is_verified() => decision.action().as_str(),
            Self::Passed(decision) if decision.reason() != DecisionReason::NotAsked => "unverified",
            Self::Passed(_) | Self::NotAsked => NOT_ASKED,
            Self::Denied(_) => "deny",
            Self::Abandoned => "abandoned",
        }
    }

    fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Passed(decision) => Some(decision.reason().as_str()),
            Self::Denied(refusal) => Some(refusal.reason().as_str()),
            Self::NotAsked => Some(DecisionReason::NotAsked.as_str()),
            Self::NotGuarded(_) | Self::Abandoned => None,
        }
    }
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
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
