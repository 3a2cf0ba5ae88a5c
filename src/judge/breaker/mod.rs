//! A breaker for one endpoint of one account: while the service behind it is down, requests do not wait for it.
//!
//! # Threats
//!
//! An open breaker answers 503 to every client, and lets requests through where a policy says so. So no single client may
//! open it: a client can choose the content of its token so that a firewall in front of the service drops the check.
//! Therefore one proof counts once, and one client three times since the last success and in any window. The same holds for probes:
//! one that does not count leaves its turn to the next request, so that no client keeps the breaker open for all. Errors of this
//! process, such as a lack of connections, threads or memory, never count. An answer that cannot be read opens the breaker
//! for 503 only, and never lets requests through: two counts are kept.
//!
//! An answer may arrive long after its check started. Each answer carries the generation of the breaker in which its check
//! was sent, and is ignored in a later one: a late failure cannot open the breaker again, and a late success cannot end an
//! outage that goes on.

mod count;
pub(super) mod settings;
pub(super) mod state;
#[cfg(test)]
mod tests;

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use self::{
    settings::Breaker,
    state::{Asked, Change, Refused, State},
};
use super::client::Client;
use crate::{health::Health, observe::Phase, store::Key};

/// One breaker. Its settings are the same for all of a [`Guards`](super::Guards).
#[cfg_attr(test, derive(Debug))]
pub(super) struct Switch {
    settings: Breaker,
    state: Mutex<State>,
}

/// The permission of a breaker to send one check. The outcome of the check is counted. If this is dropped without an outcome, the slot of
/// a probe is free again.
#[cfg_attr(test, derive(Debug))]
pub(super) struct Admission {
    switch: Arc<Switch>,
    asked: Asked,
    /// Whether the check had enough time, so that a missing answer counts as a failure.
    had_time: bool,
    proof: Key,
    client: Option<Client>,
}

// === impl Switch ===

impl Switch {
    pub(super) fn new(settings: Breaker) -> Arc<Self> {
        Arc::new(Self { settings, state: Mutex::new(State::new(Instant::now())) })
    }

    /// Admits a check, or refuses it at once. `deadline`: the deadline of the rule's checks; `left`: how much of it is left.
    pub(super) fn enter(
        self: &Arc<Self>,
        proof: Key,
        client: Option<Client>,
        deadline: Duration,
        left: Duration,
    ) -> Result<(Admission, Option<Change>), Refused> {
        let (asked, change) = self.state().enter(deadline, Instant::now)?;
        let had_time = left >= deadline / 2;
        Ok((Admission { switch: Arc::clone(self), asked, had_time, proof, client }, change))
    }

    /// Whether the breaker is open because of an outage.
    pub(super) fn is_open_for_an_outage(&self) -> bool {
        self.state().is_open_for_an_outage()
    }

    /// Whether a check would be refused now, and why.
    pub(super) fn refusal(&self) -> Option<Refused> {
        self.state().refusal(Instant::now())
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase(Instant::now())
    }

    /// Nothing panics while it is locked.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Admission ===

impl Admission {
    /// Counts the outcome of the check.
    pub(super) fn settle(mut self, health: Health) -> Option<Change> {
        let health = match health {
            Health::TimedOut if self.had_time => Health::Failed,
            Health::TimedOut => Health::Unknown,
            other => other,
        };
        let Self { switch, asked, proof, client, .. } = &mut self;
        let (random, now) = (|| RandomState::new().hash_one(0), Instant::now());
        switch.state().settle(&switch.settings, asked, health, (*proof, *client), now, random)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.switch.state().give_back(&mut self.asked);
    }
}
