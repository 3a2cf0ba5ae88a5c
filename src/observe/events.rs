//! One event for every decision.

use std::{fmt, time::Duration};

use super::{
    decided::{Decided, Outcome},
    meters::{BudgetMark, Phase},
};
use crate::{
    denial::DenialReason,
    foreign_backend::Suspicion,
    log::{event, is_debug},
    verdict::{Class, Verdict},
};

/// Writes the event of a guarded request. `what_to_do`, of an alarm that is due, makes it an ERROR; an outage, a limit or a panic makes it a
/// WARN.
pub(super) fn decided(decided: &Decided<'_>, what_to_do: Option<&'static str>) {
    let Decided { rule, account, outcome, is_late, verdicts, phone, first_ex_id, .. } = decided;
    let mode = decided.mode();
    let rule = rule.unwrap_or("-");
    match outcome {
        Outcome::NotGuarded(why) => {
            let (decision, ms) = (decided.decision(), millis(decided));
            return event!(INFO, rule, mode, decision, ms, "not guarded: {why}");
        }
        Outcome::NotAsked => {
            let (decision, reason, ms) = (decided.decision(), decided.reason(), millis(decided));
            return event!(
                WARN,
                rule,
                account,
                mode,
                decision,
                reason,
                ms,
                "not asked: the rule is on demand, and the application has not called `Prove::now`"
            );
        }
        Outcome::Denied(_) | Outcome::Passed(_) | Outcome::Abandoned => {}
    }
    let is_unanswered = verdicts.iter().any(|verdict| verdict.cause().is_some());
    macro_rules! decided {
        ($level:ident, $message:expr) => {
            event!(
                $level,
                rule,
                account,
                mode,
                decision = decided.decision(),
                reason = decided.reason(),
                detail = decided.detail().as_deref(),
                suspicion = decided.suspicion().map(Suspicion::as_str),
                checks = %List(verdicts, |verdict, f| f.write_str(verdict.kind().as_str())),
                classes = %List(verdicts, |verdict, f| f.write_str(verdict.class().as_str())),
                codes = %List(verdicts, |verdict, f| f.write_str(verdict.code().unwrap_or("-"))),
                ids = %List(verdicts, |verdict, f| f.write_str(verdict.id().unwrap_or("-"))),
                ex_ids = %List(verdicts, |verdict, f| match verdict.ex_id() {
                    Some(ex_id) => fmt::Display::fmt(ex_id, f),
                    None => f.write_str("-"),
                }),
                first_ex_id = first_ex_id.map(::tracing::field::display),
                lot_number = verdicts.iter().find_map(Verdict::lot_number),
                causes = is_unanswered.then_some(::tracing::field::display(List(verdicts, |verdict, f| {
                    f.write_str(verdict.cause().unwrap_or("-"))
                }))),
                nothing_sent = is_unanswered.then_some(verdicts.iter().all(Verdict::nothing_sent)),
                late = is_late.then_some(true),
                sandbox = decided.is_sandbox(),
                phone = phone.map(|phone| ::tracing::field::display(phone.masked())),
                explanation = is_debug().then(|| ::tracing::field::display(decided.explain())),
                ms = millis(decided),
                "{}",
                $message
            )
        };
    }
    match what_to_do {
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

/// Writes that the sandbox has let a client pass that is not on this host.
pub(super) fn sandbox_elsewhere(rule: &str) {
    event!(
        WARN,
        rule,
        "the sandbox let a client through that is not on this host. It asks no carrier, so every client can log in with every phone"
    );
}

/// Writes that a breaker has changed.
pub(super) fn breaker(account: &str, endpoint: &str, to: Phase, open_for: Duration, is_outage: bool) {
    match to {
        Phase::Open => {
            let open_ms = u64::try_from(open_for.as_millis()).unwrap_or(u64::MAX);
            event!(
                WARN,
                account,
                endpoint,
                open_ms,
                is_outage,
                "the breaker is open: too many checks had no answer, and no check is sent until it is half open"
            );
        }
        Phase::HalfOpen => event!(INFO, account, endpoint, "the breaker is half open: one check is sent as a probe"),
        Phase::Closed => event!(INFO, account, endpoint, "the breaker is closed"),
    }
}

/// Writes that a mark of an account's daily budget is reached.
pub(super) fn budget(account: &str, mark: BudgetMark, budget: u64) {
    match mark {
        BudgetMark::Soft => {
            event!(WARN, account, budget, "budget: four fifths of the account's checks of this day are used");
        }
        BudgetMark::UsedUp => event!(
            ERROR,
            account,
            budget,
            "budget: the account's checks of this day are used up. Its requests get 503 until midnight in Shanghai: raise `daily_budget`, or \
             look for a flood"
        ),
    }
}

/// Writes that the address of a client was not found.
pub(super) fn unknown_client(rule: &str) {
    event!(WARN, rule, "`client_ip` found no address for a request: all such requests count as those of one client");
}

/// Writes that a check was sent without a claim of its proof.
pub(super) fn store_full() {
    event!(
        ERROR,
        alarm = "store_full",
        "the store of the guards is full: checks are sent without a claim, and clients are not limited, until entries expire"
    );
}

/// Writes that this instance's memory has decided in place of Redis. `kind`: why Redis has no answer.
pub(super) fn store_local(kind: &'static str) {
    event!(
        WARN,
        alarm = "store_local",
        kind,
        "store_local: Redis does not answer, so this instance's memory decides: claims, limits and budgets are not shared until Redis answers again"
    );
}

/// Writes that far fewer checks of a rule pass than usual. `recent` and `usual`: in percent.
pub(super) fn pass_ratio_collapsed(rule: &str, recent: u64, usual: u64) {
    event!(
        ERROR,
        rule,
        recent,
        usual,
        "pass_ratio_collapsed: far fewer checks of this rule pass than in the last 24 hours. This opens no policy: check the codes of the \
         decisions and the last release of the client, and ask the vendor"
    );
}

/// Writes that the checks of a rule pass again.
pub(super) fn pass_ratio_recovered(rule: &str, recent: u64, usual: u64) {
    event!(INFO, rule, recent, usual, "pass_ratio_recovered: the checks of this rule pass again");
}

/// Writes that most proofs of an account are for another application.
pub(super) fn misconfigured_app(rule: &str, account: &str) {
    event!(
        ERROR,
        rule,
        account,
        "misconfigured_app: most proofs are forged, or made for another application: compare the clients' app key, package and signature with \
         those of the verifier's account"
    );
}

// === impl Decided ===

impl Decided<'_> {
    /// Why a check has no answer, if there is such a check.
    fn trouble(&self) -> Option<&'static str> {
        match self.denial_reason() {
            Some(DenialReason::Overloaded) => return Some("too many checks or bodies at once"),
            Some(DenialReason::StoreDown) => {
                return Some(
                    "the store of the guards is full or does not answer: a proof could not be claimed, or the request not counted",
                );
            }
            Some(DenialReason::AccountLimited) => return Some("the account is over its rate"),
            Some(DenialReason::Budget) => return Some("the account's checks of this day are used up"),
            Some(DenialReason::Panicked) => return Some("a closure, a verifier or a body panicked"),
            Some(_) | None => {}
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

fn millis(decided: &Decided<'_>) -> u64 {
    u64::try_from(decided.duration().as_millis()).unwrap_or(u64::MAX)
}

/// A value of each verdict, joined by commas; `-` for a missing one.
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
