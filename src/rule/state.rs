//! A rule as the layer runs it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::time::Instant;

use super::resolved::Settings;
use crate::{check::AskedBy, observe::Watched};

/// What a rule is to all groups it is part of.
pub(crate) struct RuleState {
    pub(crate) name: Arc<str>,
    pub(crate) settings: Settings,
    /// Of a request without path parameters.
    pub(super) asked_by: Arc<AskedBy>,
    /// Kept over a reload, by the rule of the same name.
    mark: Arc<Mark>,
}

/// Whether a rule is of use.
struct Mark {
    /// When a rule with this name was first built.
    since: Instant,
    is_matched: AtomicBool,
    /// Whether the log has it that nothing matched it in its first day.
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

    /// Looks before it writes: a line of memory that all cores write to would go round among them.
    pub(super) fn mark_matched(&self) {
        if !self.has_matched() {
            self.mark.is_matched.store(true, Ordering::Relaxed);
        }
    }

    /// As the observers need it.
    pub(crate) fn watched(&self) -> Watched {
        let judge = &self.settings.judge;
        Watched {
            name: Arc::clone(&self.name),
            account: Arc::clone(&judge.account.name),
            knows_clients: judge.client_ip.is_some(),
        }
    }

    /// Whether any request has matched it.
    pub(super) fn has_matched(&self) -> bool {
        self.mark.is_matched.load(Ordering::Relaxed)
    }

    /// Since when no request has matched it, if none has and the log does not have it yet.
    pub(crate) fn unused_since(&self) -> Option<Instant> {
        (!self.has_matched() && !self.mark.is_reported.load(Ordering::Relaxed)).then_some(self.mark.since)
    }

    /// The log has it now. Returns whether it had not.
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
