//! The share of a rule's checks that pass, now and usually.
//!
//! A vendor that returns wrong answers looks like failing clients: no call breaks, and far fewer logins succeed. It differs
//! from an attack in the clients: there are many, and none has a large share.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::time::Instant;

/// The number of last answers that are kept: on a busy site, less than five minutes of them.
const KEPT: usize = 1024;
/// The time within which answers are recent, in seconds.
const RECENT: u64 = 300;
/// The minimum number of recent answers; a share of fewer is not significant.
const LEAST: u64 = 100;
const CLIENTS: usize = 20;
/// With more answers than this, only every sixteenth triggers a comparison.
const EACH: usize = 256;

/// The usual share covers this number of steps of this many seconds: 24 hours.
const STEP: u64 = 1800;
const STEPS: usize = 48;

/// An answer in the ring: 24 bits for its second, starting at one; whether it is a pass; 39 bits of the client's hash.
const SECOND: u32 = 40;
const SECONDS: u64 = (1 << 24) - 1;
const PASS: u64 = 1 << 39;
/// A step: 16 bits of its number, 24 bits of all answers, 24 bits of those that passed.
const NUMBER: u32 = 48;
const ONE: u64 = 1 << 24;
const MOST: u64 = ONE - 1;

/// The answers to the checks of one rule.
pub(super) struct Ratio {
    began: Instant,
    recent: Box<[AtomicU64]>,
    /// The number of answers so far.
    next: AtomicUsize,
    day: [AtomicU64; STEPS],
    /// While the share is collapsed, the usual share at that time, in thousandths, plus one. Otherwise zero.
    collapsed: AtomicU64,
}

/// A changed share, in hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Collapsed { recent: u64, usual: u64 },
    Recovered { recent: u64, usual: u64 },
}

/// The number of answers, and the number of passes.
#[derive(Clone, Copy, Default)]
struct Answers {
    all: u64,
    passed: u64,
}

// === impl Ratio ===

impl Ratio {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            recent: (0..KEPT).map(|_| AtomicU64::new(0)).collect(),
            next: AtomicUsize::new(0),
            day: [const { AtomicU64::new(0) }; STEPS],
            collapsed: AtomicU64::new(0),
        }
    }

    /// Adds an answer for a client, identified by its hash. Returns a change of the share.
    pub(super) fn add(&self, passed: bool, client: u64, now: Instant) -> Option<Change> {
        let second = now.saturating_duration_since(self.began).as_secs();
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        let entry = ((second + 1) & SECONDS) << SECOND | if passed { PASS } else { 0 } | client & (PASS - 1);
        if let Some(slot) = self.recent.get(at % KEPT) {
            slot.store(entry, Ordering::Relaxed);
        }
        self.add_to_day(passed, second);
        // Only a failure can make the share collapse, and only a pass can make it recover.
        let may_change = passed != (self.collapsed.load(Ordering::Relaxed) == 0);
        if may_change && (at < EACH || at.is_multiple_of(16)) { self.look(at + 1, second) } else { None }
    }

    fn add_to_day(&self, passed: bool, second: u64) {
        let step = second / STEP + 1;
        let number = step & 0xffff;
        let Some(slot) = usize::try_from(step).ok().and_then(|step| self.day.get(step % STEPS)) else { return };
        let added = |count: u64| {
            let count = if count >> NUMBER == number { count } else { number << NUMBER };
            // A full count does not change.
            if count >> 24 & MOST == MOST { count } else { count + ONE + u64::from(passed) }
        };
        let _ = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| Some(added(count)));
    }

    /// `answers`: the number of answers so far.
    #[cold]
    fn look(&self, answers: usize, second: u64) -> Option<Change> {
        let now = (second + 1) & SECONDS;
        let is_recent = |entry: &u64| *entry != 0 && (now.wrapping_sub(entry >> SECOND) & SECONDS) < RECENT;
        let entries = || self.recent.iter().take(answers).map(|entry| entry.load(Ordering::Relaxed)).filter(is_recent);
        let recent = entries().fold(Answers::default(), |sum, entry| sum.and(1, u64::from(entry & PASS != 0)));
        if recent.all < LEAST {
            return None;
        }
        let collapsed = self.collapsed.load(Ordering::Relaxed);
        if let Some(usual) = collapsed.checked_sub(1) {
            let usual = Answers { all: 1000, passed: usual };
            let is_over = recent.is_recovery_to(usual) && self.turn(collapsed, 0);
            return is_over.then(|| Change::Recovered { recent: recent.percent(), usual: usual.percent() });
        }
        let usual = self.usual(second);
        if !recent.is_collapse_of(usual) || !are_many(entries().map(|entry| entry & (PASS - 1)).collect()) {
            return None;
        }
        let is_new = self.turn(0, usual.passed * 1000 / usual.all.max(1) + 1);
        is_new.then(|| Change::Collapsed { recent: recent.percent(), usual: usual.percent() })
    }

    /// The answers of the last 24 hours.
    fn usual(&self, second: u64) -> Answers {
        let number = (second / STEP + 1) & 0xffff;
        let of_the_day = |count: &u64| (number.wrapping_sub(count >> NUMBER) & 0xffff) < STEPS as u64;
        let steps = self.day.iter().map(|count| count.load(Ordering::Relaxed)).filter(of_the_day);
        steps.fold(Answers::default(), |sum, count| sum.and(count >> 24 & MOST, count & MOST))
    }

    /// If several threads see the same change, only one reports it.
    fn turn(&self, from: u64, to: u64) -> bool {
        self.collapsed.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Whether answers are for at least twenty clients, none of which has more than a tenth of them.
fn are_many(mut clients: Vec<u64>) -> bool {
    clients.sort_unstable();
    let mut each = clients.chunk_by(|one, other| one == other);
    let (count, largest) = each.by_ref().fold((0, 0), |(count, largest), one| (count + 1, one.len().max(largest)));
    count >= CLIENTS && largest * 10 <= clients.len()
}

// === impl Answers ===

impl Answers {
    fn and(self, all: u64, passed: u64) -> Self {
        Self { all: self.all + all, passed: self.passed + passed }
    }

    /// Whether this share is below half of the usual one, and thirty points lower.
    fn is_collapse_of(self, usual: Self) -> bool {
        let (here, there) = (self.passed * usual.all, usual.passed * self.all);
        2 * here < there && there.saturating_sub(here) * 10 >= 3 * self.all * usual.all
    }

    /// Whether this share is three quarters of the usual one. With half, a share around half would be reported repeatedly.
    fn is_recovery_to(self, usual: Self) -> bool {
        4 * self.passed * usual.all >= 3 * usual.passed * self.all
    }

    fn percent(self) -> u64 {
        self.passed * 100 / self.all.max(1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn add(ratio: &Ratio, count: u64, clients: u64, passed: bool) -> Vec<Change> {
        (0..count).filter_map(|at| ratio.add(passed, at % clients, Instant::now())).collect()
    }

    async fn minutes(minutes: u64) {
        tokio::time::advance(Duration::from_secs(60 * minutes)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_collapse_is_reported_once_and_again_after_it_has_recovered() {
        let ratio = Ratio::new();
        for _ in 0..2 {
            assert_eq!(add(&ratio, 900, 50, true).len(), 0);
            minutes(6).await;
            assert_eq!(add(&ratio, 99, 33, false), [], "99 are too few");
            let [Change::Collapsed { recent: 0, .. }] = add(&ratio, 60, 33, false)[..] else { panic!("no collapse") };
            minutes(6).await;
            let recovered = add(&ratio, 120, 20, true);
            assert!(matches!(recovered[..], [Change::Recovered { recent: 100, .. }]), "{recovered:?}");
            minutes(6).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn few_clients_or_one_with_a_large_part_are_not_a_collapse() {
        for (clients, is_collapse) in [(19, false), (20, true), (1, false)] {
            let ratio = Ratio::new();
            add(&ratio, 900, 50, true);
            minutes(6).await;
            assert_eq!(!add(&ratio, 190, clients, false).is_empty(), is_collapse, "{clients}");
        }
        let ratio = Ratio::new();
        add(&ratio, 900, 50, true);
        minutes(6).await;
        for at in 0..1000 {
            // Every eighth is of one client.
            let client = if at % 8 == 0 { 7_777 } else { at };
            assert_eq!(ratio.add(false, client, Instant::now()), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_that_was_always_low_and_one_that_falls_a_little_are_not_a_collapse() {
        let low = Ratio::new();
        let mixed = |ratio: &Ratio, count, of| {
            (0..count).filter_map(|at| ratio.add(at % 10 < of, at % 50, Instant::now())).collect::<Vec<_>>()
        };
        assert_eq!(mixed(&low, 900, 2), []);
        minutes(6).await;
        assert_eq!(mixed(&low, 300, 0), [], "from 20 % to none are twenty points");
        let high = Ratio::new();
        assert_eq!(mixed(&high, 9000, 9), []);
        minutes(6).await;
        assert_eq!(mixed(&high, 300, 5), [], "from 90 % to 50 % is more than half");
        minutes(6).await;
        assert_eq!(mixed(&high, 1000, 4).len(), 1, "from 90 % to 40 %");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_older_than_a_day_is_forgotten() {
        let ratio = Ratio::new();
        add(&ratio, 900, 50, true);
        minutes(25 * 60).await;
        assert_eq!(add(&ratio, 900, 50, false), []);
    }
}
