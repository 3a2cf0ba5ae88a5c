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
    /// Kept over a reload, by the rule of the same name.
    matched: Arc<AtomicBool>,
}

// === impl RuleState ===

impl RuleState {
    /// `before`: the rule of the same name before a reload.
    pub(super) fn new(name: Arc<str>, settings: Settings, before: Option<&Self>) -> Self {
        let asked_by = Arc::new(AskedBy::new(Arc::clone(&name), Vec::new()));
        let matched = before.map_or_else(Arc::default, |before| Arc::clone(&before.matched));
        Self { name, settings, asked_by, matched }
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
