//! How often an alarm is raised.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::verdict::Class;

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

/// An alarm of one class goes off at most this often.
const QUIET: Duration = Duration::from_secs(60);

// === impl Alarms ===

impl Alarms {
    /// What to do about this class, if it is one that somebody must do something about and nobody was told just now.
    pub(super) fn due(&self, class: Class) -> Option<&'static str> {
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
    fn is_due(&self, now: Instant) -> bool {
        static START: OnceLock<Instant> = OnceLock::new();
        // From one on, so that zero is "never".
        let now = now.saturating_duration_since(*START.get_or_init(|| now)).as_secs().saturating_add(1);
        let last = self.0.load(Ordering::Relaxed);
        (last == 0 || now.saturating_sub(last) >= QUIET.as_secs())
            && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
