//! Rules that no request matches.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::{log::event, rule::Routes};

/// When it is looked at which rules no request has matched.
pub(super) struct Unused {
    built: Instant,
    /// In seconds after `built`.
    due: AtomicU64,
}

/// Every rule of an application has a request in so much time, or is worth a look.
const AFTER: Duration = Duration::from_secs(24 * 60 * 60);

// === impl Unused ===

impl Unused {
    /// A day after the first of these rules was built: a rule keeps its time over a reload, so that frequent reloads put nothing off.
    pub(super) fn of(routes: &Routes) -> Self {
        let unused = Self { built: Instant::now(), due: AtomicU64::new(0) };
        unused.plan(routes);
        unused
    }

    /// Whether it is time, for a guarded request, which looks at the clock anyway.
    #[inline]
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.built).as_secs() >= self.due.load(Ordering::Relaxed)
    }

    /// Writes an event for each rule that no request has matched in its first day, once.
    #[cold]
    pub(super) fn report(&self, routes: &Routes, now: Instant) {
        for rule in routes.states() {
            if rule.unused_since().is_some_and(|since| now >= since + AFTER) && rule.mark_reported() {
                report(&rule.name, "a day");
            }
        }
        self.plan(routes);
    }

    /// The next look, in whole seconds: rather late than twice.
    fn plan(&self, routes: &Routes) {
        let times = routes.states().filter_map(|rule| Some(rule.unused_since()? + AFTER));
        let due = times.min().map_or(u64::MAX, |due| {
            due.saturating_duration_since(self.built).as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
        });
        self.due.store(due, Ordering::Relaxed);
    }
}

/// Writes which rules no request has matched by now, when no more will come.
pub(super) fn report_at_the_end(routes: &Routes) {
    for rule in routes.unmatched() {
        report(rule, "the last of the layer and its services was dropped");
    }
}

/// `after`: when it was looked at.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn report(rule: &str, after: &'static str) {
    event!(
        WARN,
        rule,
        after,
        "no request has matched this rule: it is misspelt, guards a path that is gone, or is behind a nested router"
    );
}
