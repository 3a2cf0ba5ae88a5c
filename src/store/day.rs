//! The days of a daily budget.

use std::time::{Duration, SystemTime};

use crate::clock::Clock;

/// A day in Asia/Shanghai (UTC+8 the whole year), as a number of days since 1970-01-01 there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Day(u64);

/// The current day.
pub(crate) struct Calendar(Clock);

const OFFSET: Duration = Duration::from_secs(8 * 60 * 60);
const SECONDS: u64 = 24 * 60 * 60;

// === impl Day ===

impl Day {
    /// The day at that time. Times before 1970 belong to its first day.
    pub(crate) fn at(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(since.saturating_add(OFFSET).as_secs() / SECONDS)
    }

    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

// === impl Calendar ===

impl Calendar {
    pub(crate) fn new() -> Self {
        Self(Clock::new())
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.0.now()
    }

    pub(crate) fn today(&self) -> Day {
        Day::at(self.0.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_days_change_at_midnight_in_shanghai() {
        // 2025-12-31T16:00:00Z is 2026-01-01T00:00:00+08:00.
        let first = 1_767_196_800;
        for day in 0..10_000 {
            let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(first + day * 86_400);
            let (before, after) = (Day::at(midnight - Duration::from_secs(60)), Day::at(midnight));
            assert_eq!(after.number(), before.number() + 1, "{day}");
            assert_eq!(Day::at(midnight - Duration::from_nanos(1)), before, "{day}");
            assert_eq!(Day::at(midnight + Duration::from_secs(86_399)), after, "{day}");
            // 2026-01-01 is day 20,454 since 1970-01-01.
            assert_eq!(after.number(), 20_454 + day);
        }
    }
}
