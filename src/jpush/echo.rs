//! Whether an endpoint repeats a check's `exID`, which shows that a reply belongs to the check.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::log::event;

/// Whether one endpoint repeats the `exID` of checks.
#[derive(Debug, Default)]
pub(super) struct Echo {
    repeats: AtomicBool,
    warned: AtomicBool,
}

// === impl Echo ===

impl Echo {
    /// Records a reply to a check that had an `exID`. If an endpoint that has repeated an `exID` sends a pass without one, the first
    /// such pass is a WARN: the reply may belong to an earlier check.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
    pub(super) fn note(&self, path: &str, is_repeated: bool, is_pass: bool) {
        if is_repeated {
            // Reads before it writes, because all cores share this cache line.
            if !self.repeats.load(Ordering::Relaxed) {
                self.repeats.store(true, Ordering::Relaxed);
            }
        } else if is_pass
            && self.repeats.load(Ordering::Relaxed)
            && !self.warned.load(Ordering::Relaxed)
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            event!(
                WARN,
                endpoint = path,
                "a pass without the check's exID, from an endpoint that repeats exIDs: it may answer another check. \
                 `JPushBuilder::require_ex_id` refuses such passes"
            );
        }
    }
}
