//! How long requests took, in buckets: no memory is used per request.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Each power of two of microseconds has so many buckets: a value is known to 3 %.
const PARTS: u64 = 32;
const BUCKETS: usize = 32 * 32;

pub(crate) struct Times([AtomicU64; BUCKETS]);

// === impl Times ===

impl Default for Times {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Times {
    pub(crate) fn add(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = usize::try_from(bucket_of(micros)).unwrap_or(BUCKETS).min(BUCKETS - 1);
        if let Some(bucket) = self.0.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// The time within which `percent` of the requests were answered. `None` without requests.
    pub(crate) fn percentile(&self, percent: u64) -> Option<Duration> {
        let wanted = (self.count() * percent).div_ceil(100);
        let mut counted = 0;
        for (number, bucket) in (0_u64..).zip(&self.0) {
            counted += bucket.load(Ordering::Relaxed);
            if counted >= wanted && counted > 0 {
                return Some(Duration::from_micros(most_of(number)));
            }
        }
        None
    }
}

/// Small values have a bucket each.
fn bucket_of(micros: u64) -> u64 {
    if micros < PARTS {
        return micros;
    }
    let power = u64::from(micros.ilog2() - PARTS.ilog2());
    (power + 1) * PARTS + (micros >> power) - PARTS
}

/// The largest value of a bucket.
fn most_of(bucket: u64) -> u64 {
    match (bucket / PARTS).checked_sub(1) {
        None => bucket,
        Some(power) => ((bucket % PARTS + PARTS + 1) << power) - 1,
    }
}
