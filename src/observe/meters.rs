//! The names, types and labels of all metrics.
//!
//! Every handle is resolved when a layer is built, so a request looks up only its rule.

use std::{collections::HashMap, sync::Arc, time::Duration};

use foldhash::fast::FixedState;

use super::{
    alarms::AlarmKind,
    decided::{Decided, Outcome, Word},
    watch::Watched,
};
use crate::{
    check::Endpoint,
    decision::{Applied, DecisionReason},
    denial::DenialReason,
    metric::{Counter, Gauge, Histogram, Series, describe_counter, describe_gauge, describe_seconds},
    store::StoreError,
    verdict::{Class, Verdict},
};

const DECISIONS: &str = "jverify_decisions_total";
const CHECKS: &str = "jverify_checks_total";
const DURATION: &str = "jverify_check_duration_seconds";
const PAID: &str = "jverify_paid_checks_total";
const SAVED: &str = "jverify_saved_checks_total";
const IN_FLIGHT: &str = "jverify_checks_in_flight";
const BREAKER: &str = "jverify_breaker_state";
const TRANSITIONS: &str = "jverify_breaker_transitions_total";
const STORE: &str = "jverify_store_duration_seconds";
const STORE_ERRORS: &str = "jverify_store_errors_total";
const OPENED: &str = "jverify_opened_total";
const ALARMS: &str = "jverify_alarms_total";
const PASSES: &str = "jverify_passes_total";
const DROPPED: &str = "jverify_events_dropped_total";

/// The label of an unknown rule, and of a missing reason.
const NONE: &str = "-";

/// Why a requested check was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The proof was claimed before.
    Replay,
    /// The client is over its rate.
    Spend,
    /// The account's budget is used up.
    Budget,
    /// The endpoint's breaker is open.
    Breaker,
    /// All places for checks in flight are taken, or the client's share of them.
    Bulkhead,
    /// The proof has a shape that no SDK makes.
    Shape,
    /// A pass takes the place of a number check.
    Pass,
}

/// What happens to a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PassEvent {
    /// An answer carries it.
    Issued,
    /// It takes the place of a number check.
    Accepted,
    /// It is invalid, expired or used, or the store does not answer.
    Refused,
}

/// A mark of a daily budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BudgetMark {
    /// Four fifths.
    Soft,
    UsedUp,
}

/// The current state of an endpoint's breaker. Later variants are worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Closed,
    HalfOpen,
    Open,
}

/// An operation of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Claim,
    Release,
    Take,
    Add,
}

/// All handles of a layer.
pub(super) struct Meters {
    rules: HashMap<Arc<str>, RuleMeters, FixedState>,
    /// For requests with an unknown rule.
    unknown: RuleMeters,
    endpoints: [EndpointMeters; Endpoint::ALL.len()],
    saved: [Counter; By::ALL.len()],
    in_flight: Gauge,
    operations: [OperationMeters; Operation::ALL.len()],
    alarms: [Counter; AlarmKind::ALL.len()],
    passes: [Counter; PassEvent::ALL.len()],
    dropped: Counter,
}

struct RuleMeters {
    /// For each word, one counter per possible reason.
    enforced: [Vec<Counter>; Word::ALL.len()],
    /// As `enforced`, for requests in shadow. Empty for a rule that is always enforced.
    in_shadow: [Vec<Counter>; Word::ALL.len()],
    opened: Counter,
}

struct EndpointMeters {
    checks: [Counter; Class::ALL.len()],
    duration: Histogram,
    paid: Counter,
    breaker: Gauge,
    transitions: [Counter; Phase::ALL.len()],
}

struct OperationMeters {
    duration: Histogram,
    errors: [Counter; StoreError::ALL.len()],
}

// === impl Meters ===

impl Meters {
    /// Resolves all handles.
    pub(super) fn new(rules: &[Watched]) -> Self {
        describe();
        Self {
            rules: rules
                .iter()
                .map(|rule| (Arc::clone(&rule.name), RuleMeters::new(&rule.name, rule.may_be_in_shadow)))
                .collect(),
            unknown: RuleMeters::new(NONE, rules.iter().any(|rule| rule.may_be_in_shadow)),
            endpoints: Endpoint::ALL.map(EndpointMeters::new),
            saved: By::ALL.map(|by| counter(SAVED, &[("by", by.as_str())])),
            in_flight: Series { name: IN_FLIGHT, labels: &[] }.gauge(),
            operations: Operation::ALL.map(OperationMeters::new),
            alarms: AlarmKind::ALL.map(|kind| counter(ALARMS, &[("kind", kind.as_str())])),
            passes: PassEvent::ALL.map(|event| counter(PASSES, &[("event", event.as_str())])),
            dropped: counter(DROPPED, &[]),
        }
    }

    pub(super) fn decided(&self, decided: &Decided<'_>) {
        let rule = decided.rule.and_then(|rule| self.rules.get(rule)).unwrap_or(&self.unknown);
        let word = decided.word();
        let reason = match &decided.outcome {
            Outcome::Passed(decision) if word != Word::NotAsked => {
                decision.would_deny().map_or(decision.reason().index(), DenialReason::index)
            }
            Outcome::Denied(refusal) => refusal.reason().index(),
            Outcome::Passed(_) | Outcome::NotGuarded(_) | Outcome::NotAsked | Outcome::Abandoned => 0,
        };
        let counters = match decided.applied {
            Applied::Enforced => &rule.enforced,
            Applied::Shadow => &rule.in_shadow,
        };
        if let Some(counter) = counters.get(word as usize).and_then(|reasons| reasons.get(reason)) {
            counter.increment(1);
        }
        if word == Word::Unverified && reason == DecisionReason::Unavailable.index() {
            rule.opened.increment(1);
        }
    }

    /// Records a verdict, from the vendor or in its place.
    pub(super) fn answered(&self, endpoint: Endpoint, verdict: &Verdict, took: Duration) {
        let Some(meters) = self.endpoints.get(endpoint.index()) else { return };
        if let Some(counter) = meters.checks.get(verdict.class().index()) {
            counter.increment(1);
        }
        meters.duration.record(took.as_secs_f64());
        if !verdict.nothing_sent() {
            meters.paid.increment(1);
        } else if verdict.class() == Class::Invalid {
            self.saved(By::Shape);
        }
    }

    pub(super) fn saved(&self, by: By) {
        if let Some(counter) = self.saved.get(by as usize) {
            counter.increment(1);
        }
    }

    pub(super) fn in_flight(&self) -> &Gauge {
        &self.in_flight
    }

    /// Records the phase of a breaker. `worst` is the worst phase of the endpoint's breakers.
    pub(super) fn breaker(&self, endpoint: Endpoint, phase: Phase, worst: Phase) {
        let Some(meters) = self.endpoints.get(endpoint.index()) else { return };
        meters.breaker.set(match worst {
            Phase::Closed => 0.0,
            Phase::HalfOpen => 1.0,
            Phase::Open => 2.0,
        });
        if let Some(counter) = meters.transitions.get(phase as usize) {
            counter.increment(1);
        }
    }

    pub(super) fn store(&self, operation: Operation, took: Duration, failure: Option<StoreError>) {
        let Some(meters) = self.operations.get(operation as usize) else { return };
        meters.duration.record(took.as_secs_f64());
        if let Some(counter) = failure.and_then(|failure| meters.errors.get(failure as usize)) {
            counter.increment(1);
        }
    }

    pub(super) fn alarm(&self, kind: AlarmKind) {
        if let Some(counter) = self.alarms.get(kind as usize) {
            counter.increment(1);
        }
    }

    pub(super) fn pass(&self, event: PassEvent) {
        if let Some(counter) = self.passes.get(event as usize) {
            counter.increment(1);
        }
    }

    pub(super) fn dropped(&self) {
        self.dropped.increment(1);
    }
}

fn counter(name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
    Series { name, labels }.counter()
}

fn describe() {
    describe_counter(DECISIONS, "Guarded requests, by how they ended");
    describe_counter(CHECKS, "Checks that have a verdict, or a failure in place of one");
    describe_seconds(DURATION, "Time from the beginning of a check to its verdict");
    describe_counter(PAID, "Checks that were sent to the vendor, or may have been");
    describe_counter(SAVED, "Checks that were not sent, by what refused them");
    describe_gauge(IN_FLIGHT, "Checks that are in flight");
    describe_gauge(BREAKER, "The state of the breaker, of several accounts the worst: 0 closed, 1 half-open, 2 open");
    describe_counter(TRANSITIONS, "Changes of the breaker's state, by the new state");
    describe_seconds(STORE, "Time that an operation of the store took");
    describe_counter(STORE_ERRORS, "Operations of the store that failed");
    describe_counter(OPENED, "Requests that a policy let through during an outage");
    describe_counter(ALARMS, "Alarms in the log");
    describe_counter(PASSES, "Passes that were issued, accepted and refused");
    describe_counter(DROPPED, "Events whose closure or subscriber panicked");
}

// === impl RuleMeters ===

impl RuleMeters {
    fn new(rule: &str, may_be_in_shadow: bool) -> Self {
        let decisions = |applied: Applied, word: Word| {
            let mode = ("mode", applied.as_str());
            let counter =
                |reason| counter(DECISIONS, &[("rule", rule), mode, ("action", word.as_str()), ("reason", reason)]);
            match word {
                Word::Deny if applied == Applied::Shadow => Vec::new(),
                Word::Allow | Word::Flag | Word::Unverified => {
                    DecisionReason::ALL.iter().map(|reason| counter(reason.as_str())).collect()
                }
                Word::Deny | Word::WouldDeny => DenialReason::all().map(|reason| counter(reason.as_str())).collect(),
                Word::NotAsked => vec![counter(DecisionReason::NotAsked.as_str())],
                Word::NotGuarded | Word::Abandoned => vec![counter(NONE)],
            }
        };
        let in_shadow = |word| if may_be_in_shadow { decisions(Applied::Shadow, word) } else { Vec::new() };
        Self {
            enforced: Word::ALL.map(|word| decisions(Applied::Enforced, word)),
            in_shadow: Word::ALL.map(in_shadow),
            opened: counter(OPENED, &[("rule", rule)]),
        }
    }
}

// === impl EndpointMeters ===

impl EndpointMeters {
    fn new(endpoint: Endpoint) -> Self {
        let endpoint = ("endpoint", endpoint.as_str());
        Self {
            checks: Class::ALL.map(|class| counter(CHECKS, &[endpoint, ("class", class.as_str())])),
            duration: Series { name: DURATION, labels: &[endpoint] }.histogram(),
            paid: counter(PAID, &[endpoint]),
            breaker: Series { name: BREAKER, labels: &[endpoint] }.gauge(),
            transitions: Phase::ALL.map(|phase| counter(TRANSITIONS, &[endpoint, ("to", phase.as_str())])),
        }
    }
}

// === impl OperationMeters ===

impl OperationMeters {
    fn new(operation: Operation) -> Self {
        let op = ("op", operation.as_str());
        Self {
            duration: Series { name: STORE, labels: &[op] }.histogram(),
            errors: StoreError::ALL.map(|kind| counter(STORE_ERRORS, &[op, ("kind", kind.as_str())])),
        }
    }
}

/// The words of labels, in the order of the enum.
macro_rules! words {
    ($($name:ident: $($variant:ident => $word:literal),+;)+) => {$(
        impl $name {
            const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    )+};
}

words! {
    By: Replay => "replay", Spend => "spend", Budget => "budget", Breaker => "breaker", Bulkhead => "bulkhead", Shape => "shape", Pass => "pass";
    PassEvent: Issued => "issued", Accepted => "accepted", Refused => "refused";
    Phase: Closed => "closed", HalfOpen => "half_open", Open => "open";
    Operation: Claim => "claim", Release => "release", Take => "take", Add => "add";
}
