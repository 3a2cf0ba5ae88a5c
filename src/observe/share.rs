//! How many of the last minutes' answers were of one kind.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The span that is looked at.
const SPAN: Duration = Duration::from_secs(600);
/// The span of one count: the oldest count of the span is forgotten as a whole.
const STEP: Duration = Duration::from_secs(30);
/// Of fewer answers a share means nothing.
const LEAST: u32 = 20;

/// The answers of the last ten minutes: all of them, and those that count.
#[derive(Debug, Default)]
pub(super) struct Share(Mutex<VecDeque<Counts>>);

#[derive(Debug)]
struct Counts {
    began: Instant,
    all: u32,
    counting: u32,
}

// === impl Share ===

impl Share {
    /// Counts an answer to a request that came at this time. Returns whether those that count are now more than half of at least twenty.
    pub(super) fn add(&self, counts: bool, now: Instant) -> bool {
        let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if steps.back().is_none_or(|step| now.saturating_duration_since(step.began) >= STEP) {
            steps.push_back(Counts { began: now, all: 0, counting: 0 });
            steps.retain(|step| now.saturating_duration_since(step.began) < SPAN);
        }
        if let Some(step) = steps.back_mut() {
            step.all = step.all.saturating_add(1);
            step.counting = step.counting.saturating_add(u32::from(counts));
        }
        if !counts {
            return false;
        }
        let sum = |of: fn(&Counts) -> u32| steps.iter().map(of).fold(0, u32::saturating_add);
        let (all, counting) = (sum(|step| step.all), sum(|step| step.counting));
        all >= LEAST && counting > all / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn more_than_half_of_twenty_within_ten_minutes_is_a_share_worth_a_word() {
        let share = Share::default();
        let add = |counts| share.add(counts, Instant::now());
        assert!((0..10).all(|_| !add(false)));
        assert!((0..10).all(|_| !add(true)), "half of twenty");
        assert!(add(true), "eleven of twenty-one");
        assert!(!add(false), "an answer that does not count raises nothing");
        tokio::time::advance(SPAN).await;
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
}
