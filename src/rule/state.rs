//! A rule as the layer runs it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::resolved::Settings;
use crate::check::AskedBy;

/// What a rule is to all groups it is part of.
pub(crate) struct RuleState {
    pub(crate) name: Arc<str>,
    pub(crate) settings: Settings,
    /// Of a request without path parameters.
    pub(super) asked_by: Arc<AskedBy>,
    matched: AtomicBool,
}

// === impl RuleState ===

impl RuleState {
    pub(super) fn new(name: Arc<str>, settings: Settings) -> Self {
        let asked_by = Arc::new(AskedBy::new(Arc::clone(&name), Vec::new()));
        Self { name, settings, asked_by, matched: AtomicBool::new(false) }
    }

    /// Looks before it writes: a line of memory that all cores write to would go round among them.
    pub(super) fn mark_matched(&self) {
        if !self.has_matched() {
            self.matched.store(true, Ordering::Relaxed);
        }
    }

    /// Whether any request has matched it.
    pub(super) fn has_matched(&self) -> bool {
        self.matched.load(Ordering::Relaxed)
    }
}
