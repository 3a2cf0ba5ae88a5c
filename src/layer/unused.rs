//! Rules that no request matches.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::{log::event, rule::Routes};

/// The times at which unmatched rules are reported.
pub(super) struct Unused {
    /// The end of the first day of each rule, in order.
    times: Box<[Instant]>,
    next: AtomicUsize,
}

/// A rule without a request in this time is worth reporting.
const AFTER: Duration = Duration::from_secs(24 * 60 * 60);

// === impl Unused ===

impl Unused {
    /// A day after each of these rules was first built: a reload keeps the time of a rule, so that frequent reloads do not
    /// delay the report.
    pub(super) fn of(routes: &Routes) -> Self {
        let mut times: Vec<Instant> = routes.states().filter_map(|rule| Some(rule.unused_since()? + AFTER)).collect();
        times.sort_unstable();
        times.dedup();
        Self { times: times.into(), next: AtomicUsize::new(0) }
    }

    /// Whether a report is due. Called for guarded requests, which read the clock anyway.
    #[inline]
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.times.get(self.next.load(Ordering::Relaxed)).is_some_and(|time| now >= *time)
    }

    /// Writes an event once for each rule that no request has matched in its first day.
    #[cold]
    pub(super) fn report(&self, routes: &Routes, now: Instant) {
        self.next.store(self.times.partition_point(|time| *time <= now), Ordering::Relaxed);
        for rule in routes.states() {
            if rule.unused_since().is_some_and(|since| now >= since + AFTER) && rule.mark_reported() {
                report(&rule.name, "a day");
            }
        }
    }
}

/// Logs the rules that no request has matched, when no more requests will arrive.
pub(super) fn report_at_the_end(routes: &Routes) {
    for rule in routes.unmatched() {
        report(rule, "the last of the layer and its services was dropped");
    }
}

/// `after`: the time of the report, as text.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn report(rule: &str, after: &'static str) {
    event!(
        WARN,
        rule,
        after,
        "no request has matched this rule: it is misspelt, guards a path that no longer exists, or is behind a nested router"
    );
}
