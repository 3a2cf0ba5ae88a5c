//! Guards at one moment, for health pages.

use std::sync::Arc;

use crate::{check::Endpoint, observe::Phase};

/// The state of guards at one moment, for health pages. It contains no personal data.
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

    /// The number of running checks whose client has left, or whose handler waits for them on demand.
    pub fn abandoned_checks(&self) -> usize {
        self.abandoned
    }

    /// The number of requests with a check in flight, which count toward `in_flight`.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// The bytes of bodies that are held, which count toward `buffered`.
    pub fn buffered_bytes(&self) -> usize {
        self.buffered
    }

    /// The number of claims, clients and sums, which count toward [`GuardsBuilder::capacity`](crate::GuardsBuilder::capacity). It
    /// includes ended entries, which later requests remove.
    pub fn entries(&self) -> usize {
        self.entries
    }
}

// === impl BreakerState ===

impl BreakerState {
    pub(super) fn new(account: Arc<str>, endpoint: Endpoint, phase: Phase) -> Self {
        Self { account, endpoint, phase }
    }

    /// Its place in a snapshot.
    pub(super) fn place(&self) -> (&str, usize) {
        (&self.account, self.endpoint.index())
    }

    /// The account of the endpoint.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The endpoint: `number_app`, `number_web`, `captcha`, `one_tap` or `risk`.
    pub fn endpoint(&self) -> &'static str {
        self.endpoint.as_str()
    }

    /// Whether the breaker refuses checks. `false` while it is closed or half open.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }
}
