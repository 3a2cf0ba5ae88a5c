//! Counts recent checks and failures.

use std::time::Duration;

use tokio::time::Instant;

use super::settings::Breaker;

const BUCKETS: u32 = 10;

/// The checks of one window, in ten buckets, and the failures in a row.
#[derive(Debug)]
pub(super) struct Count {
    /// When counting began.
    began: Instant,
    /// A ring, in which each bucket has the number of its tenth of a window.
    buckets: [Bucket; BUCKETS as usize],
    pub(super) consecutive: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    number: u64,
    calls: u32,
    failures: u32,
}

// === impl Count ===

impl Count {
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, buckets: [Bucket::default(); BUCKETS as usize], consecutive: 0 }
    }

    pub(super) fn add(&mut self, settings: &Breaker, now: Instant, is_failure: bool) {
        self.consecutive = if is_failure { self.consecutive.saturating_add(1) } else { 0 };
        let number = self.number(settings, now);
        let slot = usize::try_from(number % u64::from(BUCKETS)).unwrap_or_default();
        let Some(bucket) = self.buckets.get_mut(slot) else { return };
        if bucket.number != number {
            *bucket = Bucket { number, ..Bucket::default() };
        }
        bucket.calls = bucket.calls.saturating_add(1);
        bucket.failures = bucket.failures.saturating_add(u32::from(is_failure));
    }

    /// Whether the failures open the breaker.
    pub(super) fn is_over(&self, settings: &Breaker, now: Instant) -> bool {
        if self.consecutive >= settings.consecutive {
            return true;
        }
        let number = self.number(settings, now);
        let recent = self.buckets.iter().filter(|bucket| bucket.number + u64::from(BUCKETS) > number);
        let (calls, failures) = recent.fold((0_u64, 0_u64), |(calls, failures), bucket| {
            (calls + u64::from(bucket.calls), failures + u64::from(bucket.failures))
        });
        #[expect(clippy::cast_precision_loss, reason = "ten buckets of 32 bits are exact in a float")]
        let ratio = failures as f64 / calls.max(1) as f64;
        calls >= u64::from(settings.minimum_calls) && ratio >= settings.ratio
    }

    /// The number of the current tenth of a window. It starts at one, so that zero marks an empty bucket.
    fn number(&self, settings: &Breaker, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.began)).saturating_mul(u64::from(BUCKETS))
            / millis(settings.window).max(1)
            + 1
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000).saturating_add(u64::from(duration.subsec_millis()))
}
