//! Rules that no request matches.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::{log::event, rule::Routes};

/// When it is looked at which rules no request has matched.
pub(super) struct Unused {
    due: Instant,
    is_reported: AtomicBool,
}

/// Every rule of an application has a request in so much time, or is worth a look.
const AFTER: Duration = Duration::from_secs(24 * 60 * 60);

// === impl Unused ===

impl Unused {
    /// After a day.
    pub(super) fn from_now() -> Self {
        Self { due: Instant::now() + AFTER, is_reported: AtomicBool::new(false) }
    }

    /// Whether a request that came at this time is the first after a day. For guarded requests, which look at the clock anyway.
    #[inline]
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.due && !self.is_reported.load(Ordering::Relaxed)
    }

    #[cold]
    pub(super) fn report_once(&self, routes: &Routes) {
        if !self.is_reported.swap(true, Ordering::Relaxed) {
            report(routes, "a day");
        }
    }
}

/// Writes an event for each rule that no request has matched. `after` says when it was looked at.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
pub(super) fn report(routes: &Routes, after: &'static str) {
    for rule in routes.unmatched() {
        event!(
            WARN,
            rule,
            after,
            "no request has matched this rule: it is misspelt, guards a path that is gone, or is behind a nested router"
        );
    }
}
