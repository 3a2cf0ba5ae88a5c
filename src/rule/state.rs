//! A rule in a running layer.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::time::Instant;

use super::resolved::Settings;
use crate::{check::AskedBy, observe::Watched};

/// The state of a rule that all its groups share.
pub(crate) struct RuleState {
    pub(crate) name: Arc<str>,
    pub(crate) settings: Settings,
    /// For requests without path parameters.
    pub(super) asked_by: Arc<AskedBy>,
    /// A reload keeps it for the rule of the same name.
    mark: Arc<Mark>,
}

/// Whether a rule is used.
struct Mark {
    /// When a rule with this name was first built.
    since: Instant,
    is_matched: AtomicBool,
    /// Whether the log already reports that no request matched it in its first day.
    is_reported: AtomicBool,
}

// === impl RuleState ===

impl RuleState {
    /// `before`: the rule of the same name before a reload.
    pub(super) fn new(name: Arc<str>, settings: Settings, before: Option<&Self>) -> Self {
        let asked_by = Arc::new(AskedBy::new(Arc::clone(&name), Vec::new()));
        let mark = before.map_or_else(|| Arc::new(Mark::new()), |before| Arc::clone(&before.mark));
        Self { name, settings, asked_by, mark }
    }

    /// Reads before it writes: a cache line that all cores write to would move between them.
    pub(super) fn mark_matched(&self) {
        if !self.has_matched() {
            self.mark.is_matched.store(true, Ordering::Relaxed);
        }
    }

    /// The data for the observers.
    pub(crate) fn watched(&self) -> Watched {
        let judge = &self.settings.judge;
        Watched {
            name: Arc::clone(&self.name),
            account: Arc::clone(&judge.account.name),
            knows_clients: judge.client_ip.is_some(),
            may_be_in_shadow: self.settings.shadow.is_some(),
        }
    }

    /// Whether any request has matched it.
    pub(super) fn has_matched(&self) -> bool {
        self.mark.is_matched.load(Ordering::Relaxed)
    }

    /// The time since which no request has matched it, unless one has or the log already reports it.
    pub(crate) fn unused_since(&self) -> Option<Instant> {
        (!self.has_matched() && !self.mark.is_reported.load(Ordering::Relaxed)).then_some(self.mark.since)
    }

    /// Marks the rule as reported in the log. Returns whether it was not reported before.
    pub(crate) fn mark_reported(&self) -> bool {
        !self.mark.is_reported.swap(true, Ordering::Relaxed)
    }
}

// === impl Mark ===

impl Mark {
    fn new() -> Self {
        Self { since: Instant::now(), is_matched: AtomicBool::new(false), is_reported: AtomicBool::new(false) }
    }
}
