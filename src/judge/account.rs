//! The state of one account that a verifier spends from.

use std::{sync::Arc, time::SystemTime};

use super::{
    account_limits::AccountLimits,
    breaker::{Switch, settings::Breaker, state::Change},
    running::Abandoned,
    snapshot::BreakerState,
    store_policy::StorePolicy,
};
use crate::{
    check::{Check, Endpoint, Question},
    observe::Observers,
    store::{Calendar, Day, Key, Memory, Name, Purpose, Redis, Subject},
};

/// One account: its breakers, and the stores of its claims.
pub(crate) struct Account {
    pub(crate) name: Arc<str>,
    /// In the order of [`Endpoint::ALL`].
    switches: Option<[Arc<Switch>; Endpoint::ALL.len()]>,
    means: Arc<Means>,
}

/// The state that all accounts share.
pub(super) struct Means {
    pub(super) store: Memory,
    /// The store that instances share.
    pub(super) redis: Option<Redis>,
    pub(super) claims: bool,
    pub(super) store_policy: StorePolicy,
    pub(super) limits: AccountLimits,
    pub(super) calendar: Calendar,
    pub(super) abandoned: Arc<Abandoned>,
    /// When the store in this process was created.
    pub(super) since: SystemTime,
}

// === impl Account ===

impl Account {
    pub(super) fn new(name: Arc<str>, breaker: Option<Breaker>, means: Arc<Means>) -> Self {
        let switches = breaker.map(|settings| std::array::from_fn(|_| Switch::new(settings)));
        Self { name, switches, means }
    }

    pub(super) fn breakers(&self) -> impl Iterator<Item = BreakerState> {
        let of = |(endpoint, switch): (Endpoint, &Arc<Switch>)| {
            BreakerState::new(Arc::clone(&self.name), endpoint, switch.phase())
        };
        self.switches.iter().flat_map(move |switches| Endpoint::ALL.into_iter().zip(switches).map(of))
    }

    pub(super) fn switch(&self, endpoint: Endpoint) -> Option<&Arc<Switch>> {
        self.switches.as_ref()?.get(endpoint.index())
    }

    /// Whether proofs are claimed.
    pub(super) fn claims(&self) -> bool {
        self.means.claims
    }

    pub(super) fn store(&self) -> &Memory {
        &self.means.store
    }

    pub(super) fn redis(&self) -> Option<&Redis> {
        self.means.redis.as_ref()
    }

    pub(super) fn store_policy(&self) -> StorePolicy {
        self.means.store_policy
    }

    /// The checks and releases that outlive their requests.
    pub(super) fn abandoned(&self) -> &Arc<Abandoned> {
        &self.means.abandoned
    }

    pub(super) fn limits(&self) -> &AccountLimits {
        &self.means.limits
    }

    /// The day whose budget is spent.
    pub(super) fn today(&self) -> Day {
        self.means.calendar.today()
    }

    /// The current time. A reload keeps the clock.
    pub(super) fn now(&self) -> SystemTime {
        self.means.calendar.now()
    }

    /// Whether a proof may have been used before the store was created: the memory is lost with its process, Redis is not. `is_before`: whether
    /// the proof is older than the given time.
    pub(super) fn may_have_forgotten(&self, is_before: impl FnOnce(SystemTime) -> bool) -> bool {
        self.redis().is_none() && is_before(self.means.since)
    }

    /// The key of a pass in the memory.
    pub(super) fn key_of_pass(&self, jti: &str) -> Key {
        self.of_pass(jti, |subject| self.means.store.key(subject))
    }

    /// The name of a pass in Redis; `None` without Redis.
    pub(super) fn name_of_pass(&self, jti: &str) -> Option<Name> {
        let redis = self.redis()?;
        Some(self.of_pass(jti, |subject| redis.name(subject, None)))
    }

    fn of_pass<T>(&self, jti: &str, known: impl FnOnce(&Subject<'_>) -> T) -> T {
        // No kind of check has this word.
        known(&Subject::new(Purpose::Claim, &[b"pass", self.name.as_bytes(), jti.as_bytes()]))
    }

    /// The key of a proof: its kind, this account, and the proof itself. `None` if no guard needs it.
    pub(super) fn key(&self, check: &Check) -> Option<Key> {
        if self.switches.is_none() && !self.means.claims {
            return None;
        }
        Some(self.of_proof(check, |subject| self.means.store.key(subject)))
    }

    /// The name of a proof in Redis; `None` without Redis.
    pub(super) fn name(&self, check: &Check) -> Option<Name> {
        let redis = self.redis()?;
        Some(self.of_proof(check, |subject| redis.name(subject, None)))
    }

    fn of_proof<T>(&self, check: &Check, known: impl FnOnce(&Subject<'_>) -> T) -> T {
        let proof = match check.question() {
            Question::Number { token, .. } => token.expose(),
            Question::Captcha { content } => content.expose(),
            Question::OneTap { login_token } => login_token.expose(),
            // Not a proof, and never claimed. The breaker uses it to count a phone once.
            Question::Risk { phone } => phone.as_str(),
        };
        let parts = [check.kind().as_str().as_bytes(), self.name.as_bytes(), proof.as_bytes()];
        known(&Subject::new(Purpose::Claim, &parts))
    }

    /// Reports the change of a breaker: an event and a metric.
    #[cold]
    pub(super) fn report(&self, endpoint: Endpoint, change: Change, observers: &Observers) {
        let Change { to, open_for, is_outage } = change;
        observers.breaker(&self.name, endpoint, to, open_for, is_outage);
    }
}
