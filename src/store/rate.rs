//! Rates: how often an event may happen.

use std::time::Duration;

use crate::error::ConfigError;

/// How many times in a period, and how many of them at once.
///
/// `Rate::new(600, Duration::from_secs(60))` allows one every 100 ms on average, and 600 at once after a pause. With `.burst(300)`
/// it allows 300 at once.
///
/// ```
/// use std::time::Duration;
///
/// use tower_jverify::{Guards, Rate};
///
/// # fn main() -> Result<(), tower_jverify::ConfigError> {
/// let guards = Guards::builder().per_client(Rate::new(600, Duration::from_secs(60)).burst(300)).build()?;
/// # let _ = guards;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    times: u32,
    per: Duration,
    burst: u32,
}

/// The longest period of a rate. It limits how long an entry is kept, and prevents overflow.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// The longest time in which a burst may recover.
const LONGEST_BURST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

// === impl Rate ===

impl Rate {
    /// Allows so many times in a period, all of them at once after a pause.
    pub const fn new(times: u32, per: Duration) -> Self {
        Self { times, per, burst: times }
    }

    /// Sets how many times are allowed at once. Default: all of a period.
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }

    /// Refuses a rate that allows nothing, or that cannot be counted in microseconds.
    pub(crate) fn validate(&self, setting: &'static str) -> Result<(), ConfigError> {
        let problem = if self.times == 0 {
            "allows nothing: the number of times is at least 1"
        } else if self.burst == 0 {
            "allows nothing: the burst is at least 1"
        } else if self.per.is_zero() {
            "needs a period longer than 0"
        } else if self.per > LONGEST {
            "has a period longer than 31 days"
        } else if u128::from(self.times) > self.per.as_micros() {
            "is more than one a microsecond"
        } else if u128::from(self.window()) > LONGEST_BURST.as_micros() {
            "has a burst that needs more than 366 days to recover"
        } else {
            return Ok(());
        };
        Err(ConfigError::new(setting, format!("{} in {:?}, burst {}", self.times, self.per, self.burst), problem))
    }

    /// The time between two, in microseconds, rounded up, so that the rate is never exceeded.
    pub(crate) fn interval(&self) -> u64 {
        let interval = self.per.as_micros().div_ceil(u128::from(self.times.max(1)));
        u64::try_from(interval).unwrap_or(u64::MAX).max(1)
    }

    /// The time of a whole burst, in microseconds.
    pub(crate) fn window(&self) -> u64 {
        self.interval().saturating_mul(u64::from(self.burst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_can_never_be_taken_or_counted_is_refused_with_its_setting() {
        let minute = Duration::from_secs(60);
        let refused = [
            Rate::new(0, minute),
            Rate::new(0, minute).burst(1),
            Rate::new(1, Duration::ZERO),
            Rate::new(1, minute).burst(0),
            Rate::new(1, Duration::MAX),
            Rate::new(1, LONGEST + Duration::from_secs(1)),
            Rate::new(2, Duration::from_micros(1)),
            Rate::new(1, Duration::from_nanos(999)),
            Rate::new(1, LONGEST).burst(u32::MAX),
        ];
        for rate in refused {
            let error = rate.validate("limit").expect_err("must be refused");
            assert_eq!(error.setting(), "limit", "{rate:?}");
        }
        for rate in [Rate::new(600, minute).burst(300), Rate::new(3, minute * 10), Rate::new(1, LONGEST)] {
            assert_eq!(rate.validate("limit"), Ok(()), "{rate:?}");
        }
    }

    #[test]
    fn an_interval_is_rounded_up() {
        assert_eq!(Rate::new(7, Duration::from_secs(1)).interval(), 142_858);
        assert_eq!(Rate::new(600, Duration::from_secs(60)).burst(300).window(), 30_000_000);
    }
}
