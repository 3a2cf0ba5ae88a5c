//! The current time.

use std::time::{self, SystemTime};

use tokio::time::Instant;

/// The system's clock, which an administrator may set, plus the time by which a test has advanced Tokio's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    system: time::Instant,
    tokio: Instant,
}

// === impl Clock ===

impl Clock {
    pub(crate) fn new() -> Self {
        Self { system: time::Instant::now(), tokio: Instant::now() }
    }

    pub(crate) fn now(&self) -> SystemTime {
        let moved = self.tokio.elapsed().saturating_sub(self.system.elapsed());
        SystemTime::now().checked_add(moved).unwrap_or_else(SystemTime::now)
    }
}
