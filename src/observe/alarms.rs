//! How often an alarm is raised.

use std::{
    sync::atomic::{AtomicU64, Ordering},
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
    sandbox: Alarm,
    store_full: Alarm,
    /// Which share of the answers says that the question was malformed.
    share: Share,
}

/// When it last went off, in seconds since the layer was built; 0 for never.
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

    /// Whether it is some time ago that the sandbox let a client through that is not on this host.
    pub(super) fn is_sandbox_due(&self) -> bool {
        self.is_due(&self.sandbox)
    }

    /// Whether it is some time ago that the store was full.
    pub(super) fn is_store_full_due(&self) -> bool {
        self.is_due(&self.store_full)
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
        self.is_due(alarm).then_some(verdict.advice().unwrap_or(usual))
    }

    fn is_due(&self, alarm: &Alarm) -> bool {
        // From one on, so that zero is "never".
        alarm.is_due(self.share.began().elapsed().as_secs().saturating_add(1))
    }
}

// === impl Alarm ===

impl Alarm {
    /// `now`: in seconds, as the time that is kept.
    fn is_due(&self, now: u64) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        (last == 0 || now.saturating_sub(last) >= QUIET.as_secs())
            && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
