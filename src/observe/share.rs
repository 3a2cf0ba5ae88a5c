//! The share of the last minutes' answers that are of one kind.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

/// The span of one count, in seconds. The counts of the last ten minutes are kept.
const STEP: u64 = 30;
const STEPS: usize = 20;
/// The minimum number of answers; a share of fewer is not significant.
const LEAST: u64 = 20;

/// The answers of the last ten minutes: all of them, and those that count.
#[derive(Debug)]
pub(super) struct Share {
    began: Instant,
    /// A ring with one count per step: its number in the upper 32 bits, then 16 bits for all answers and 16 for those that
    /// count.
    counts: [AtomicU64; STEPS],
}

/// One answer, in a count.
const ONE: u64 = 1 << 16;
const MOST: u64 = ONE - 1;

// === impl Share ===

impl Default for Share {
    fn default() -> Self {
        Self { began: Instant::now(), counts: [const { AtomicU64::new(0) }; STEPS] }
    }
}

impl Share {
    /// The start of counting.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// Counts an answer to a request that arrived at this time. Returns whether those that count are now more than half of
    /// at least twenty.
    pub(super) fn add(&self, counts: bool, now: Instant) -> bool {
        // Starts at one, so that an empty count does not belong to a step.
        let step = now.saturating_duration_since(self.began).as_secs() / STEP + 1;
        let number = step & 0xffff_ffff;
        let slot = usize::try_from(step).unwrap_or(0) % STEPS;
        let Some(slot) = self.counts.get(slot) else { return false };
        let added = |count: u64| {
            let count = if count >> 32 == number { count } else { number << 32 };
            // A full count does not change.
            if all(count) == MOST { count } else { count + ONE + u64::from(counts) }
        };
        // If two threads start a step, the second uses the count of the first.
        let _ = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| Some(added(count)));
        counts && self.is_large(number)
    }

    #[cold]
    fn is_large(&self, number: u64) -> bool {
        let is_recent = |count: &u64| (number.wrapping_sub(count >> 32) & 0xffff_ffff) < STEPS as u64;
        let recent = || self.counts.iter().map(|count| count.load(Ordering::Relaxed)).filter(is_recent);
        let (all, counting) = (recent().map(all).sum::<u64>(), recent().map(|count| count & MOST).sum::<u64>());
        all >= LEAST && counting > all / 2
    }
}

fn all(count: u64) -> u64 {
    count >> 16 & MOST
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn more_than_half_of_twenty_within_ten_minutes_is_a_share_worth_a_word() {
        let share = Share::default();
        let add = |counts| share.add(counts, Instant::now());
        assert!((0..10).all(|_| !add(false)));
        assert!((0..10).all(|_| !add(true)), "half of twenty");
        assert!(add(true), "eleven of twenty-one");
        assert!(!add(false), "an answer that does not count raises nothing");
        tokio::time::advance(Duration::from_secs(600)).await;
        assert!((0..19).all(|_| !add(true)), "what is older than ten minutes is forgotten");
        assert!(add(true), "the twentieth");
    }

    #[tokio::test(start_paused = true)]
    async fn answers_of_different_minutes_count_together() {
        let share = Share::default();
        for minute in 0..20 {
            let is_enough = share.add(true, Instant::now());
            assert_eq!(is_enough, minute >= 19, "{minute}");
            tokio::time::advance(Duration::from_secs(29)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_count_stays_as_it_is() {
        let share = Share::default();
        assert!((0..100_000).all(|at| share.add(true, Instant::now()) == (at >= 19)));
        assert!((0..100_000).all(|_| !share.add(false, Instant::now())));
        assert!(share.add(true, Instant::now()));
    }
}
