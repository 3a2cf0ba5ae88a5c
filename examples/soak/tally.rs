//! The results of the requests.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::{calls::Calls, times::Times};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Faulty,
    /// Without faults, after the last spoilt exchange has ended.
    Quiet,
    Hole,
    Back,
}

#[derive(Default)]
pub(crate) struct Count(AtomicU64);

/// Everything that is counted while the load lasts.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) sent: Count,
    pub(crate) answered: Count,
    /// By clients that did not wait for the answer.
    pub(crate) left: Count,
    /// Requests that the load generator did not send because too many waited.
    pub(crate) not_sent: Count,
    pub(crate) passed: Count,
    /// Passed with no proof, a bad one, or one that had been used.
    pub(crate) wrongly_through: Count,
    /// A good proof that was refused for another reason than an outage.
    pub(crate) wrongly_refused: Count,
    /// The statuses and bodies of those refusals.
    refusals: Mutex<BTreeSet<String>>,
    /// Refused because Redis had no answer.
    pub(crate) store_down: Count,
    /// Refused because the proof was claimed.
    pub(crate) replayed: Count,
    /// Refused because the breaker is open.
    pub(crate) not_asked: Count,
    pub(crate) calls: Calls,
    pub(crate) unmatched_quiet: Times,
    pub(crate) unmatched_in_hole: Times,
    pub(crate) guarded_quiet: Times,
    /// After the breaker has opened.
    pub(crate) guarded_in_hole: Times,
    phase: AtomicU8,
    /// In this phase.
    is_breaker_seen_open: AtomicBool,
    noticed: Mutex<Noticed>,
}

/// What happened first in this phase.
#[derive(Clone, Copy, Default)]
pub(crate) struct Noticed {
    /// The first refusal by the breaker.
    pub(crate) first_refusal: Option<Instant>,
    /// The first answer of JPush to a check, and how many calls had arrived by then.
    pub(crate) first_answer: Option<(Instant, u64)>,
    /// Until when the breaker said last that it is open.
    pub(crate) open_until: Option<Instant>,
}

// === impl Count ===

impl Count {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Tally ===

impl Tally {
    /// Begins a phase, and returns what was noticed in the one before.
    pub(crate) fn enter(&self, phase: Phase) -> Noticed {
        let noticed = std::mem::take(&mut *self.noticed.lock().unwrap_or_else(PoisonError::into_inner));
        self.is_breaker_seen_open.store(false, Ordering::SeqCst);
        self.phase.store(phase as u8, Ordering::SeqCst);
        noticed
    }

    pub(crate) fn noticed(&self) -> Noticed {
        *self.noticed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_in(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::SeqCst) == phase as u8
    }

    /// A good proof was refused with this answer.
    pub(crate) fn refuse_wrongly(&self, answer: String) {
        self.wrongly_refused.add();
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() < 10 {
            refusals.insert(answer);
        }
    }

    /// With which answers good proofs were refused: ten at most.
    pub(crate) fn refusals(&self) -> BTreeSet<String> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The breaker refuses, and says for how many seconds.
    pub(crate) fn notice_refusal(&self, seconds: Option<u32>) {
        let now = Instant::now();
        self.not_asked.add();
        self.is_breaker_seen_open.store(true, Ordering::SeqCst);
        let mut noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner);
        noticed.first_refusal.get_or_insert(now);
        noticed.open_until = seconds.map(|seconds| now + Duration::from_secs(seconds.into()));
    }

    /// JPush has answered, and so many calls have arrived.
    pub(crate) fn notice_answer(&self, arrived: u64) {
        let now = Instant::now();
        self.noticed.lock().unwrap_or_else(PoisonError::into_inner).first_answer.get_or_insert((now, arrived));
    }

    /// Where the time of an unmatched request that begins now belongs.
    pub(crate) fn unmatched(&self) -> Option<&Times> {
        if self.is_in(Phase::Quiet) {
            Some(&self.unmatched_quiet)
        } else {
            self.is_in(Phase::Hole).then_some(&self.unmatched_in_hole)
        }
    }

    /// Where the time of a guarded request that begins now belongs.
    pub(crate) fn guarded(&self) -> Option<&Times> {
        if self.is_in(Phase::Quiet) {
            return Some(&self.guarded_quiet);
        }
        let is_open = self.is_in(Phase::Hole) && self.is_breaker_seen_open.load(Ordering::SeqCst);
        is_open.then_some(&self.guarded_in_hole)
    }
}
