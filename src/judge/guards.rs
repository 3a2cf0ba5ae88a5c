//! The state that survives a reload: what requests hold, breakers, claims, limits, alarms, and abandoned checks.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    account::{Account, Means},
    account_limits::AccountLimits,
    breaker::settings::Breaker,
    bulkhead::Bulkhead,
    held::Held,
    running::Abandoned,
    snapshot::{BreakerState, GuardsSnapshot},
    store_policy::StorePolicy,
};
use crate::{
    body::Budget,
    error::ConfigError,
    observe::Counts,
    store::{Calendar, Memory, Rate, Redis},
};

/// More claims than this are a mistake: they would take 11 GB.
const MOST: usize = 100_000_000;

/// Protects the verifier's accounts: replay guard, limits and breakers. One handle may serve several layers, and survives reloads;
/// clones are the same handle. A layer without a handle creates one with the defaults.
///
/// | guard | default | what a request gets |
/// |---|---|---|
/// | **replay**: a proof is claimed before it is checked, for all rules, paths and channels together | on: number 15 min, captcha 30 min, one-tap 45 min | 403 `proof_expired`, reason `replayed` |
/// | **clients**: each client, and each client with each phone, if the layer knows the clients ([`GuardsBuilder::per_client`]) | on: 600 a minute, 3 in ten minutes | 429 `throttled` with `Retry-After`, reason `rate_limited` |
/// | **account**: all requests at the cost of one account ([`GuardsBuilder::per_account`], [`GuardsBuilder::daily_budget`]) | off | 503 `verification_unavailable`, reason `account_limited` or `budget` |
/// | **breaker**: no checks for an endpoint that is down ([`Breaker`]) | on | 503 `verification_unavailable` with `Retry-After`, reason `breaker_open` |
///
/// A claim is released only if nothing can have been sent, or if a sandbox answered whose proofs can be used again. After a timeout
/// the claim stays, because the verifier may have used up the proof.
///
/// Claims, limits and breakers are kept for each account ([`JVerifyBuilder::account`](crate::JVerifyBuilder::account)). **Layers that share a
/// handle and name no account share one**, so name the accounts of different verifiers.
///
/// A handle also keeps, for all of its layers: the places of [`in_flight`](crate::JVerifyBuilder::in_flight) and the bytes
/// of [`buffered`](crate::JVerifyBuilder::buffered), separately for each rule that sets such a limit, by the rule's name;
/// and what alarms count. The limits themselves belong to each layer: with `in_flight(256)` on two layers, 256 requests of
/// both have a check in flight.
///
/// State is kept in the memory of this process: by default at most 1,000,000 claims, clients and sums. It contains only hashes of
/// proofs, phones and addresses, under a random key of the process. With [`GuardsBuilder::redis`], instances share claims, limits
/// and budgets.
///
/// ```
/// use tower_jverify::{Guards, JVerifyLayer, Rule, number};
/// # use tower_jverify::{Check, Class, Verdict};
/// # let verifier = tower::service_fn(|check: Check| async move {
/// #     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
/// # });
/// let guards = Guards::new();
/// let layer = JVerifyLayer::builder(verifier).guards(&guards).rule(Rule::post("/login", number())).build()?;
/// assert!(guards.snapshot().breakers().all(|breaker| !breaker.is_open()));
/// # Ok::<_, tower_jverify::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Guards(Arc<Kept>);

struct Kept {
    settings: Settings,
    means: Arc<Means>,
    accounts: Mutex<HashMap<Arc<str>, Arc<Account>>>,
    held: Held,
    counts: Arc<Counts>,
}

#[derive(Clone, Debug)]
struct Settings {
    breaker: Option<Breaker>,
    claims: bool,
    store_policy: StorePolicy,
    capacity: usize,
    redis: Option<Redis>,
    limits: AccountLimits,
}

/// Configures [`Guards`].
///
/// ```
/// use tower_jverify::{Breaker, Guards, StorePolicy};
///
/// let guards = Guards::builder()
///     .breaker(Breaker::new().consecutive(5))
///     .store_policy(StorePolicy::Refuse)
///     .build()?;
/// # let _ = guards;
/// # Ok::<_, tower_jverify::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder guards nothing until it is built"]
pub struct GuardsBuilder(Settings);

// === impl Guards ===

impl Guards {
    /// Creates guards in memory, with the defaults.
    pub fn new() -> Self {
        Self::of(Settings::default())
    }

    /// Returns a builder with the defaults.
    pub fn builder() -> GuardsBuilder {
        GuardsBuilder(Settings::default())
    }

    fn of(settings: Settings) -> Self {
        let store = Memory::new(settings.capacity);
        let Settings { claims, store_policy, limits, .. } = settings;
        let redis = settings.redis.clone();
        let (calendar, abandoned) = (Calendar::new(), Arc::default());
        let since = calendar.now();
        let means = Means { store, redis, claims, store_policy, limits, calendar, abandoned, since };
        Self(Arc::new(Kept {
            settings,
            means: Arc::new(means),
            accounts: Mutex::default(),
            held: Held::default(),
            counts: Arc::default(),
        }))
    }

    /// Waits until no abandoned check and no check of an `on_demand` rule is running, and no claim is being released in Redis, in any layer
    /// with these guards: see
    /// [`JVerifyLayer::drained`](crate::JVerifyLayer::drained).
    pub async fn drained(&self) {
        self.abandoned().drained().await;
    }

    /// Returns the current state. An account is included after a layer with this account has been built.
    pub fn snapshot(&self) -> GuardsSnapshot {
        let accounts = self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut breakers: Vec<BreakerState> = accounts.values().flat_map(|account| account.breakers()).collect();
        breakers.sort_by(|a, b| a.place().cmp(&b.place()));
        GuardsSnapshot {
            breakers,
            abandoned: self.abandoned().running(),
            in_flight: self.0.held.in_flight(),
            buffered: self.0.held.buffered(),
            entries: self.0.means.store.entries(),
        }
    }

    /// The maximum time that a request waits for Redis. Zero without Redis.
    pub(crate) fn longest_wait(&self) -> Duration {
        self.0.settings.redis.as_ref().map_or(Duration::ZERO, Redis::deadline)
    }

    /// Whether outages are detected.
    pub(crate) fn have_breakers(&self) -> bool {
        self.0.settings.breaker.is_some()
    }

    /// Whether proofs are claimed.
    pub(crate) fn claim_proofs(&self) -> bool {
        self.0.settings.claims
    }

    /// Whether known clients are limited.
    pub(crate) fn limit_clients(&self) -> bool {
        self.0.settings.limits.are_for_clients()
    }

    /// The settings that switch a guard off.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    pub(crate) fn switched_off(&self) -> impl Iterator<Item = &'static str> {
        let switches = [
            ("without_breaker", !self.have_breakers()),
            ("without_replay_guard", !self.claim_proofs()),
            ("without_client_limits", !self.limit_clients()),
        ];
        switches.into_iter().filter_map(|(setting, is_off)| is_off.then_some(setting))
    }

    /// The state of an account.
    pub(crate) fn account(&self, name: &Arc<str>) -> Arc<Account> {
        let mut accounts = self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Account::new(Arc::clone(name), self.0.settings.breaker, Arc::clone(&self.0.means)));
        Arc::clone(accounts.entry(Arc::clone(name)).or_insert_with(new))
    }

    /// Returns a bulkhead with this number of places of `in_flight`: of this rule only, or of all rules that do not set it.
    pub(crate) fn bulkhead(&self, rule: Option<&str>, places: usize) -> Bulkhead {
        self.0.held.bulkhead(rule, places)
    }

    /// Returns a budget of this number of bytes of `buffered`: of this rule only, or of all rules that do not set it.
    ///
    /// # Errors
    ///
    /// Names the setting `buffered`.
    pub(crate) fn budget(&self, rule: Option<&str>, bytes: usize) -> Result<Budget, ConfigError> {
        self.0.held.budget(rule, bytes)
    }

    /// The counts for alarms.
    pub(crate) fn counts(&self) -> &Arc<Counts> {
        &self.0.counts
    }

    pub(super) fn abandoned(&self) -> &Arc<Abandoned> {
        &self.0.means.abandoned
    }
}

impl Default for Guards {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guards").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            breaker: Some(Breaker::default()),
            claims: true,
            store_policy: StorePolicy::default(),
            capacity: Memory::CAPACITY,
            redis: None,
            limits: AccountLimits::default(),
        }
    }
}

// === impl GuardsBuilder ===

impl GuardsBuilder {
    /// Sets when breakers open. Default: [`Breaker::default`].
    pub fn breaker(mut self, breaker: Breaker) -> Self {
        self.0.breaker = Some(breaker);
        self
    }

    /// Sends checks to an endpoint also while it is down, so each request waits for its whole deadline. The layer's `build()` then
    /// returns an error for a policy that opens, because outages are not detected. Default: breakers are on.
    pub fn without_breaker(mut self) -> Self {
        self.0.breaker = None;
        self
    }

    /// Checks a proof each time that it arrives. The verifier still accepts it once only, and each check is billed. Default: each
    /// proof is checked once.
    pub fn without_replay_guard(mut self) -> Self {
        self.0.claims = false;
        self
    }

    /// Limits how often one client may send requests that are checked. Default: 600 a minute, 300 of them at once, because people on
    /// cellular data share few addresses.
    ///
    /// [`client_ip`](crate::JVerifyBuilder::client_ip) or [`spend_key`](crate::JVerifyBuilder::spend_key) identifies the client. Without
    /// either, clients are not limited: behind a proxy, all of them have the peer's address.
    pub fn per_client(mut self, rate: Rate) -> Self {
        self.0.limits.per_client = Some(rate);
        self
    }

    /// Limits how often one client may send requests that are checked for the same phone. Default: 3 in ten minutes. See
    /// [`GuardsBuilder::per_client`].
    ///
    /// A request with a valid [pass](crate::Passes) does not count: no number check is sent for its phone.
    ///
    /// A limit for a phone alone does not exist: any stranger could use it to lock out the phone's owner.
    pub fn per_client_and_phone(mut self, rate: Rate) -> Self {
        self.0.limits.per_client_and_phone = Some(rate);
        self
    }

    /// Removes the limits of clients. Limits of a rule ([`Rule::limit`](crate::Rule::limit)) and of the account stay. Default: the
    /// limits of [`GuardsBuilder::per_client`] and [`GuardsBuilder::per_client_and_phone`].
    pub fn without_client_limits(mut self) -> Self {
        self.0.limits.per_client = None;
        self.0.limits.per_client_and_phone = None;
        self
    }

    /// Limits how often requests may be checked at the cost of one account, for all clients together. Further requests get 503
    /// with `Retry-After: 1`. Default: no limit.
    ///
    /// Set it above what one client may do ([`GuardsBuilder::per_client`]). Otherwise one client can lock out all others.
    pub fn per_account(mut self, rate: Rate) -> Self {
        self.0.limits.per_account = Some(rate);
        self
    }

    /// Limits how many checks one account may pay for in a day. Days start at midnight in Shanghai. Number checks, one-tap logins and
    /// risk queries count; a captcha is free. A request counts before its proofs are claimed, with all of its checks. At four fifths of
    /// the budget the log has a WARN. Above it the log has an ERROR, once, and requests get 503 with the reason `budget`. Default: no
    /// budget.
    ///
    /// A request that is refused later stays counted: a replay, and each request while a breaker is open. Set the budget above what one
    /// client may do in a day ([`GuardsBuilder::per_client`]). Otherwise one client can lock out all others.
    ///
    /// The sum is kept in the memory of this process. Several instances share it only with [`GuardsBuilder::redis`].
    pub fn daily_budget(mut self, checks: u64) -> Self {
        self.0.limits.daily_budget = Some(checks);
        self
    }

    /// Limits how many claims, clients and sums are kept at the same time. Each takes about 110 bytes. At the limit, no valid entry is
    /// dropped: [`GuardsBuilder::store_policy`] decides what happens. Default: 1,000,000; 1 to 100,000,000.
    pub fn capacity(mut self, claims: usize) -> Self {
        self.0.capacity = claims;
        self
    }

    /// Shares claims, limits and budgets with the other instances, in Redis. Breakers, places for checks and bytes of bodies are not
    /// shared. Default: this process shares nothing.
    ///
    /// [`GuardsBuilder::store_policy`] decides what happens while Redis does not answer.
    pub fn redis(mut self, redis: Redis) -> Self {
        self.0.redis = Some(redis);
        self
    }

    /// Sets what happens to a request whose claim cannot be kept, or that cannot be counted. Default: [`StorePolicy::Local`].
    pub fn store_policy(mut self, policy: StorePolicy) -> Self {
        self.0.store_policy = policy;
        self
    }

    /// # Errors
    ///
    /// Names the first setting that is out of its range.
    pub fn build(self) -> Result<Guards, ConfigError> {
        self.0.breaker.as_ref().map_or(Ok(()), Breaker::validate)?;
        self.0.limits.validate()?;
        if !(1..=MOST).contains(&self.0.capacity) {
            return Err(ConfigError::new("guards.capacity", self.0.capacity.to_string(), "1 to 100,000,000"));
        }
        Ok(Guards::of(self.0))
    }
}
