//! The states closed, open and half open, and how the outcomes of checks change them.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    count::Count,
    settings::{Breaker, LONGEST},
};
use crate::{
    check_kind::CheckKind, health::Health, judge::client::Client, observe::Phase, store::Key, verdict::Verdict,
};

/// The maximum number of times that one client counts, both since the last success and in any window: a success of the
/// client must not let it count again.
const CLIENT: u32 = 3;

/// The maximum number of remembered clients. Failures of further clients do not count.
const CLIENTS: usize = 16_384;

/// The time after which a client may try again while a probe runs. The duration of the probe is not known.
const PROBE: Duration = Duration::from_secs(1);

/// The maximum number of remembered proofs. A remembered proof does not count again.
const PROOFS: usize = 1_024;

/// The state of a breaker.
#[cfg_attr(test, derive(Debug))]
pub(super) struct State {
    stage: Stage,
    /// Changes with every change of the phase.
    generation: u64,
    /// All checks.
    all: Count,
    /// All checks except those with an unreadable answer.
    readable: Count,
    /// The proofs whose failures were counted.
    proofs: VecDeque<Key>,
    /// How often each client was counted since the last success and in any window, and when last.
    clients: HashMap<Client, (u32, Instant)>,
    /// The longest deadline of a check that was let through.
    longest: Duration,
    /// How often it opened without a success in between.
    openings: u32,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Closed,
    Open { until: Instant, is_outage: bool },
    HalfOpen { is_probed: bool, is_outage: bool },
}

/// A change of the phase, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) to: Phase,
    /// How long it will be open.
    pub(crate) open_for: Duration,
    pub(crate) is_outage: bool,
}

/// Why a check is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// How long the breaker stays open.
    pub(crate) left: Duration,
    /// Whether it is an outage even without the unreadable answers.
    pub(crate) is_outage: bool,
}

/// When a check was let through.
#[derive(Debug)]
pub(super) struct Asked {
    generation: u64,
    is_probe: bool,
}

// === impl Refused ===

impl Refused {
    /// Converts to the verdict on the check.
    pub(crate) fn verdict(self, kind: CheckKind) -> Verdict {
        // In whole seconds, and never zero.
        let seconds = u32::try_from(self.left.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        Verdict::breaker_open(kind, self.is_outage, seconds)
    }
}

// === impl State ===

impl State {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            stage: Stage::Closed,
            generation: 0,
            all: Count::new(now),
            readable: Count::new(now),
            proofs: VecDeque::new(),
            clients: HashMap::new(),
            longest: Duration::ZERO,
            openings: 0,
        }
    }

    /// Reads the clock only if it is needed.
    pub(super) fn enter(
        &mut self,
        deadline: Duration,
        now: impl FnOnce() -> Instant,
    ) -> Result<(Asked, Option<Change>), Refused> {
        let mut change = None;
        match self.stage {
            Stage::Closed => {}
            Stage::Open { until, is_outage } => {
                let left = until.saturating_duration_since(now());
                if !left.is_zero() {
                    return Err(Refused { left, is_outage });
                }
                self.turn(Stage::HalfOpen { is_probed: true, is_outage });
                change = Some(Change { to: Phase::HalfOpen, open_for: Duration::ZERO, is_outage });
            }
            Stage::HalfOpen { is_probed: true, is_outage } => return Err(Refused { left: PROBE, is_outage }),
            Stage::HalfOpen { is_probed: false, is_outage } => {
                self.stage = Stage::HalfOpen { is_probed: true, is_outage };
            }
        }
        self.longest = self.longest.max(deadline);
        let is_probe = matches!(self.stage, Stage::HalfOpen { .. });
        Ok((Asked { generation: self.generation, is_probe }, change))
    }

    /// Counts the outcome of a check, and changes the phase if needed. `from`: the proof and the client of the check.
    /// `random`: varies how long the breaker stays open.
    pub(super) fn settle(
        &mut self,
        settings: &Breaker,
        asked: &mut Asked,
        health: Health,
        from: (Key, Option<Client>),
        now: Instant,
        random: impl FnOnce() -> u64,
    ) -> Option<Change> {
        if asked.generation != self.generation {
            return None;
        }
        match health {
            // Returns the slot of the probe.
            Health::Unknown | Health::TimedOut => None,
            Health::Well => self.succeed(settings, now),
            Health::Failed | Health::Garbled => {
                if !self.counts(from, now) {
                    // The failure does not count, so the slot of the probe is free for the next request, and no policy
                    // opens until a failure counts. Otherwise a client whose probes fail one after the other could block
                    // all others, or keep a policy open.
                    if let Stage::HalfOpen { is_outage, .. } = &mut self.stage {
                        *is_outage = false;
                    }
                    return None;
                }
                let is_readable = health == Health::Failed;
                let is_outage = match self.stage {
                    Stage::Closed => {
                        self.all.add(settings, now, true);
                        if is_readable {
                            self.readable.add(settings, now, true);
                        }
                        if !self.all.is_over(settings, now) {
                            return None;
                        }
                        self.readable.is_over(settings, now)
                    }
                    Stage::Open { is_outage, .. } | Stage::HalfOpen { is_outage, .. } => {
                        if is_readable {
                            self.readable.add(settings, now, true);
                        }
                        is_readable && (is_outage || self.readable.consecutive >= settings.consecutive)
                    }
                };
                Some(self.open(settings, is_outage, now, random()))
            }
        }
    }

    /// Frees the slot of a probe that has no outcome.
    pub(super) fn give_back(&mut self, asked: &mut Asked) {
        if let Stage::HalfOpen { is_probed, .. } = &mut self.stage
            && asked.is_probe
            && asked.generation == self.generation
        {
            *is_probed = false;
        }
    }

    /// Returns why a check would be refused. Does not take the slot of a probe.
    pub(super) fn refusal(&self, now: Instant) -> Option<Refused> {
        match self.stage {
            Stage::Open { until, is_outage } if until > now => {
                Some(Refused { left: until.saturating_duration_since(now), is_outage })
            }
            Stage::HalfOpen { is_probed: true, is_outage } => Some(Refused { left: PROBE, is_outage }),
            Stage::Open { .. } | Stage::HalfOpen { is_probed: false, .. } | Stage::Closed => None,
        }
    }

    pub(super) fn is_open_for_an_outage(&self) -> bool {
        matches!(self.stage, Stage::Open { is_outage: true, .. } | Stage::HalfOpen { is_outage: true, .. })
    }

    /// Returns the phase. It is half open also if the next request will be the probe.
    pub(super) fn phase(&self, now: Instant) -> Phase {
        match self.stage {
            Stage::Closed => Phase::Closed,
            Stage::Open { until, .. } if until > now => Phase::Open,
            Stage::Open { .. } | Stage::HalfOpen { .. } => Phase::HalfOpen,
        }
    }

    fn succeed(&mut self, settings: &Breaker, now: Instant) -> Option<Change> {
        self.clients.retain(|_, (_, last)| now.saturating_duration_since(*last) < settings.window);
        if matches!(self.stage, Stage::Closed) {
            self.all.add(settings, now, false);
            self.readable.add(settings, now, false);
            return None;
        }
        (self.all, self.readable) = (Count::new(now), Count::new(now));
        self.openings = 0;
        self.turn(Stage::Closed);
        Some(Change { to: Phase::Closed, open_for: Duration::ZERO, is_outage: false })
    }

    /// Whether a failure of this proof and client counts.
    fn counts(&mut self, (proof, client): (Key, Option<Client>), now: Instant) -> bool {
        if self.proofs.contains(&proof) {
            return false;
        }
        if let Some(client) = client {
            if self.clients.len() >= CLIENTS && !self.clients.contains_key(&client) {
                return false;
            }
            let (counted, last) = self.clients.entry(client).or_insert((0, now));
            if *counted >= CLIENT {
                return false;
            }
            (*counted, *last) = (*counted + 1, now);
        }
        if self.proofs.len() >= PROOFS {
            self.proofs.pop_front();
        }
        self.proofs.push_back(proof);
        true
    }

    fn open(&mut self, settings: &Breaker, is_outage: bool, now: Instant, random: u64) -> Change {
        let doubled =
            settings.open_for.saturating_mul(1_u32.checked_shl(self.openings.min(8)).unwrap_or(1)).min(LONGEST);
        // The length varies from 80 % to 120 %.
        let percent = 80 + u32::try_from(random % 41).unwrap_or_default();
        let open_for = (doubled * percent / 100).max(self.longest);
        self.openings = self.openings.saturating_add(1);
        self.turn(Stage::Open { until: now + open_for, is_outage });
        Change { to: Phase::Open, open_for, is_outage }
    }

    fn turn(&mut self, stage: Stage) {
        self.stage = stage;
        self.generation += 1;
    }
}
