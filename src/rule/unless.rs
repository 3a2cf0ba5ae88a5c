//! The closure of [`Rule::guard_unless`](super::Rule::guard_unless), which lets a request pass unguarded.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::request::Parts;

use crate::log::event;

/// The user's closure. It receives a head without the headers under our prefix.
#[derive(Clone)]
pub(super) struct Unless(Arc<dyn Fn(&Parts) -> bool + Send + Sync>);

// === impl Unless ===

impl Unless {
    pub(super) fn new(unless: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(unless))
    }

    /// Whether the closure lets the request pass. A panic counts as `false`. `rule`: the rule's name, for the log.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
    pub(super) fn lets_by(&self, rule: &str, head: &Parts) -> bool {
        catch_unwind(AssertUnwindSafe(|| (self.0)(head))).unwrap_or_else(|_| {
            event!(WARN, rule, "the closure of `guard_unless` panicked: the request is guarded");
            false
        })
    }
}
