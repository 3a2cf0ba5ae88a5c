//! How often an alarm is raised.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::share::Share;
use crate::verdict::{Class, Verdict};

/// Lets an alarm of a class through once in a while: a wrong key fails every login, and one line says it.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    account: Alarm,
    misconfigured: Alarm,
    unknown: Alarm,
    quota: Alarm,
    malformed: Alarm,
    /// Which share of the answers says that the question was malformed.
    share: Share,
}

/// When it last went off, in seconds since the first that might have; 0 for never.
#[derive(Debug, Default)]
struct Alarm(AtomicU64);

/// An alarm of one class goes off at most this often.
const QUIET: Duration = Duration::from_secs(60);

// === impl Alarms ===

impl Alarms {
    /// Counts an answer of the verifier. Returns whether most answers say now that the question was malformed.
    pub(super) fn count(&self, verdict: &Verdict, now: Instant) -> bool {
        verdict.has_code() && self.share.add(verdict.class() == Class::Invalid, now)
    }

    /// What to do about this verdict, if its class is an operator's to mend and the last alarm of it is some time ago. One malformed
    /// proof is a client's; where most are, the set-up is wrong.
    pub(super) fn due(&self, verdict: &Verdict, most_are_malformed: bool) -> Option<&'static str> {
        let (alarm, usual) = match verdict.class() {
            Class::Account => {
                (&self.account, "the verifier's account is refused: top up its balance, or enable the product")
            }
            Class::Misconfigured => {
                (&self.misconfigured, "the verifier's set-up is refused: check its keys and secrets")
            }
            Class::Unknown => (
                &self.unknown,
                "the verifier answered with a code, or failed with an error, that is not classified: look it up",
            ),
            Class::Quota => (&self.quota, verdict.advice()?),
            Class::Invalid if most_are_malformed => (
                &self.malformed,
                "the verifier refuses most questions as malformed: check in which fields the rules read proofs",
            ),
            Class::Passed
            | Class::Rejected
            | Class::Stale
            | Class::Inconclusive
            | Class::Throttled
            | Class::Invalid
            | Class::Unavailable
            | Class::Unreadable => return None,
        };
        alarm.is_due(Instant::now()).then_some(verdict.advice().unwrap_or(usual))
    }
}

// === impl Alarm ===

impl Alarm {
    fn is_due(&self, now: Instant) -> bool {
        static START: OnceLock<Instant> = OnceLock::new();
        // From one on, so that zero is "never".
        let now = now.saturating_duration_since(*START.get_or_init(|| now)).as_secs().saturating_add(1);
        let last = self.0.load(Ordering::Relaxed);
        (last == 0 || now.saturating_sub(last) >= QUIET.as_secs())
            && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
