//! Guards at one moment, for health pages.

use std::sync::Arc;

use crate::{check::Endpoint, observe::Phase};

/// The state of guards at one moment, for health pages. It holds no person's data.
///
/// ```
/// use tower_jverify::Guards;
///
/// let snapshot = Guards::new().snapshot();
/// assert_eq!((snapshot.breakers().count(), snapshot.abandoned_checks()), (0, 0));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GuardsSnapshot {
    pub(super) breakers: Vec<BreakerState>,
    pub(super) abandoned: usize,
    pub(super) in_flight: usize,
    pub(super) buffered: usize,
    pub(super) entries: usize,
}

/// One breaker at one moment.
///
/// ```
/// use tower_jverify::Guards;
///
/// for breaker in Guards::new().snapshot().breakers() {
///     println!("{} {}: open: {}", breaker.account(), breaker.endpoint(), breaker.is_open());
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BreakerState {
    account: Arc<str>,
    endpoint: Endpoint,
    phase: Phase,
}

// === impl GuardsSnapshot ===

impl GuardsSnapshot {
    /// The breakers, by account and endpoint.
    pub fn breakers(&self) -> impl Iterator<Item = &BreakerState> {
        self.breakers.iter()
    }

    /// How many checks run whose client has left, or whose handler waits for them on demand.
    pub fn abandoned_checks(&self) -> usize {
        self.abandoned
    }

    /// How many requests have a check in flight, in the places of `in_flight`.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many bytes of bodies are held, of those of `buffered`.
    pub fn buffered_bytes(&self) -> usize {
        self.buffered
    }

    /// How many claims, clients and sums are kept, of [`GuardsBuilder::capacity`](crate::GuardsBuilder::capacity). Some may have ended:
    /// they are removed with later requests.
    pub fn entries(&self) -> usize {
        self.entries
    }
}

// === impl BreakerState ===

impl BreakerState {
    pub(super) fn new(account: Arc<str>, endpoint: Endpoint, phase: Phase) -> Self {
        Self { account, endpoint, phase }
    }

    /// Where it is in a snapshot.
    pub(super) fn place(&self) -> (&str, usize) {
        (&self.account, self.endpoint.index())
    }

    /// The account whose endpoint it protects.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// `number_app`, `number_web`, `captcha`, `one_tap` or `risk`.
    pub fn endpoint(&self) -> &'static str {
        self.endpoint.as_str()
    }

    /// Whether it refuses checks. `false` while it is closed or half open.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }
}
