//! One event for every decision.

#[cfg(feature = "tracing")]
use std::fmt;
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::evidence::Evidence;
use crate::{
    Class, Decision, Suspicion, Verdict,
    denial::{DenialReason, Refusal},
    observe::event,
    rule::RuleState,
};

/// What is known of a guarded request by the time that it is decided.
pub(super) struct Account<'s> {
    rule: Option<&'s Arc<RuleState>>,
    evidence: Evidence,
}

/// Lets an alarm of a class through once in a while: a wrong key fails every login, and one line says it.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    account: Alarm,
    misconfigured: Alarm,
    unknown: Alarm,
}

/// When it last went off, in seconds since the first that might have; 0 for never.
#[derive(Debug, Default)]
struct Alarm(AtomicU64);

/// The word for a request whose client was not waited for.
const ABANDONED: &str = "abandoned";

/// An alarm of one class goes off at most this often.
const QUIET: Duration = Duration::from_secs(60);

// === impl Account ===

impl<'s> Account<'s> {
    pub(super) fn new(rule: Option<&'s Arc<RuleState>>) -> Self {
        Self::of(rule, Evidence::new())
    }

    pub(super) fn of(rule: Option<&'s Arc<RuleState>>, evidence: Evidence) -> Self {
        Self { rule, evidence }
    }

    pub(super) fn chose(&mut self, rule: &'s Arc<RuleState>) {
        self.rule = Some(rule);
    }

    pub(super) fn rule(&self) -> Option<&'s Arc<RuleState>> {
        self.rule
    }

    pub(super) fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    pub(super) fn evidence_mut(&mut self) -> &mut Evidence {
        &mut self.evidence
    }

    /// A request that no rule's `when` names, let through by `otherwise_pass`.
    #[cfg_attr(not(feature = "tracing"), allow(clippy::unused_self))]
    pub(super) fn passed(&self) {
        event!(DEBUG, rule = self.name(), decision = "pass", "not guarded: no rule names the value of `when`");
    }

    #[cfg_attr(not(feature = "tracing"), allow(unused_variables, clippy::unused_self))]
    pub(super) fn decided(&self, alarms: &Alarms, decision: &Decision) {
        let verdicts = decision.verdicts();
        let word = if decision.is_verified() { decision.action().as_str() } else { "unverified" };
        self.tell(alarms, verdicts, word, Some(decision.reason().as_str()), None, None);
    }

    /// The client left during a check, or its own deadline passed. Written by the task that has finished the check.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables, clippy::unused_self))]
    pub(super) fn abandoned(&self, alarms: &Alarms) {
        self.tell(alarms, self.evidence.verdicts(), ABANDONED, None, None, None);
    }

    #[cfg_attr(not(feature = "tracing"), allow(unused_variables, clippy::unused_self))]
    pub(super) fn denied(&self, alarms: &Alarms, refusal: &Refusal) {
        let suspicion = refusal.suspicion().map(Suspicion::as_str);
        let (verdicts, reason) = (self.evidence.verdicts(), refusal.reason().as_str());
        self.tell(alarms, verdicts, "deny", Some(reason), refusal.detail(), suspicion);
    }

    /// The one event. An alarm that is due makes it an ERROR that says what to do; an outage or a limit makes it a WARN.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables, clippy::unused_self))]
    fn tell(
        &self,
        alarms: &Alarms,
        verdicts: &[Verdict],
        decision: &'static str,
        reason: Option<&'static str>,
        detail: Option<&'static str>,
        suspicion: Option<&'static str>,
    ) {
        let due = verdicts.iter().find_map(|verdict| alarms.due(verdict.class()));
        let troubled = verdicts.iter().any(|verdict| matches!(verdict.class(), Class::Unavailable | Class::Quota))
            || [DenialReason::Overloaded, DenialReason::Panicked]
                .iter()
                .any(|trouble| Some(trouble.as_str()) == reason);
        let is_abandoned = decision == ABANDONED;
        macro_rules! tell {
            ($level:ident, $message:expr) => {
                event!(
                    $level,
                    rule = self.name(),
                    decision,
                    reason,
                    detail,
                    suspicion,
                    checks = %List(verdicts, |verdict, f| f.write_str(verdict.kind().as_str())),
                    classes = %List(verdicts, |verdict, f| f.write_str(verdict.class().as_str())),
                    codes = %List(verdicts, |verdict, f| number(f, verdict.code())),
                    ids = %List(verdicts, |verdict, f| number(f, verdict.id())),
                    // Only here: of a decision, the ids of JPush are enough.
                    ex_ids = is_abandoned.then_some(::tracing::field::display(List(verdicts, |verdict, f| {
                        match verdict.ex_id() {
                            Some(ex_id) => fmt::Display::fmt(ex_id, f),
                            None => f.write_str("-"),
                        }
                    }))),
                    sandbox = verdicts.iter().any(Verdict::is_sandbox),
                    phone = self.evidence.about().map(|phone| ::tracing::field::display(phone.masked())),
                    ms = self.evidence.milliseconds(),
                    "{}",
                    $message
                )
            };
        }
        match due {
            Some(what_to_do) => tell!(ERROR, what_to_do),
            None if troubled => tell!(WARN, "decided without JPush: an outage, a limit, or a panic"),
            None if is_abandoned => tell!(INFO, "the client left while a check was in flight"),
            None => tell!(INFO, "decided"),
        }
    }

    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    fn name(&self) -> &str {
        self.rule.map_or("-", |rule| &*rule.name)
    }
}

// === impl Alarms ===

impl Alarms {
    /// What to do about this class, if it is one that somebody must do something about and nobody was told just now.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    fn due(&self, class: Class) -> Option<&'static str> {
        let (alarm, what_to_do) = match class {
            Class::Account => (
                &self.account,
                "JPush refuses this account: top up its balance, or enable the product in the vendor's console",
            ),
            Class::Misconfigured => (
                &self.misconfigured,
                "JPush refuses this set-up: check app key, master secret, the app's package and signature, and the RSA key",
            ),
            Class::Unknown => (
                &self.unknown,
                "JPush answered with a code that nobody has classified: look it up, and report it to tower-jverify",
            ),
            Class::Passed
            | Class::Rejected
            | Class::Stale
            | Class::Inconclusive
            | Class::Throttled
            | Class::Quota
            | Class::Invalid
            | Class::Unavailable => return None,
        };
        alarm.is_due(Instant::now()).then_some(what_to_do)
    }
}

// === impl Alarm ===

impl Alarm {
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    fn is_due(&self, now: Instant) -> bool {
        static START: OnceLock<Instant> = OnceLock::new();
        // From one on, so that zero is "never".
        let now = now.saturating_duration_since(*START.get_or_init(|| now)).as_secs().saturating_add(1);
        let last = self.0.load(Ordering::Relaxed);
        (last == 0 || now.saturating_sub(last) >= QUIET.as_secs())
            && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Something of each verdict, joined by commas; `-` where there is none.
#[cfg(feature = "tracing")]
struct List<'v>(&'v [Verdict], fn(&Verdict, &mut fmt::Formatter<'_>) -> fmt::Result);

#[cfg(feature = "tracing")]
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

#[cfg(feature = "tracing")]
fn number(f: &mut fmt::Formatter<'_>, number: Option<impl fmt::Display>) -> fmt::Result {
    match number {
        Some(number) => fmt::Display::fmt(&number, f),
        None => f.write_str("-"),
    }
}
