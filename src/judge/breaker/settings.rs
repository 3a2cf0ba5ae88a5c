//! The settings of breakers.

use std::time::Duration;

use crate::error::ConfigError;

/// Configures when a breaker opens, and for how long it stays open. Each account has one breaker for each endpoint of the verifier:
/// numbers of apps, numbers of browsers, captchas, one-tap logins, risks.
///
/// While the breaker is open, requests get 503 `verification_unavailable` at once, with `Retry-After`, and nothing is sent. Then the
/// check of one request is sent as a probe. Its answer closes the breaker or opens it again.
///
/// | outcome of a check | counts as |
/// |---|---|
/// | no connection, a reset, a 5xx without a known code, an answer that reports an error of the service | failure |
/// | no answer in time, if the check started with at least half of the rule's `deadline` left | failure |
/// | an answer that cannot be read | failure, but never toward [`Fallback::Open`](crate::Fallback::Open) |
/// | every other answer, also a definite no | success |
/// | a check that this process refused (a full limit, a missing key), an unknown error | neither |
///
/// One proof counts as a failure once. If `client_ip` is set, one client counts at most three times since the last success, and at
/// most three times in a window. A probe whose failure does not count leaves its turn to the next request. **If fewer than four failures
/// in a row (or in a window) open the breaker, one client can open it.**
///
/// ```
/// use std::time::Duration;
///
/// use tower_jverify::{Breaker, Guards};
///
/// let guards = Guards::builder().breaker(Breaker::new().consecutive(5).open_for(Duration::from_secs(20))).build()?;
/// # let _ = guards;
/// # Ok::<_, tower_jverify::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Breaker {
    pub(super) window: Duration,
    pub(super) minimum_calls: u32,
    pub(super) ratio: f64,
    pub(super) consecutive: u32,
    pub(super) open_for: Duration,
}

/// A breaker is not open for longer than this, unless the rules' deadlines are longer.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// More checks than this are a mistake: the breaker would practically never open.
const MOST: u32 = 10_000;

// === impl Breaker ===

impl Default for Breaker {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            minimum_calls: 20,
            ratio: 0.5,
            consecutive: 10,
            open_for: Duration::from_secs(10),
        }
    }
}

impl Breaker {
    /// Creates a breaker with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the period over which the ratio of failures is computed. Default: 10 s; 1 s to 60 s.
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Sets how many checks the window must contain before the ratio counts. Default: 20; 1 to 10,000.
    pub fn minimum_calls(mut self, calls: u32) -> Self {
        self.minimum_calls = calls;
        self
    }

    /// Sets which part of the checks in the window must fail to open the breaker. Default: 0.5; more than 0 and at most 1.
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// Sets how many failures in a row open the breaker, however long they take. Default: 10; 1 to 10,000.
    pub fn consecutive(mut self, failures: u32) -> Self {
        self.consecutive = failures;
        self
    }

    /// Sets for how long the breaker is open the first time. Default: 10 s; 1 s to 60 s. Each further time without a success in between
    /// is twice as long, up to 60 s. Each time is up to 20 % shorter or longer at random, so that many instances do not probe at once. It
    /// is never shorter than the longest `deadline` of the checks, so that every older check has ended before the probe.
    pub fn open_for(mut self, open_for: Duration) -> Self {
        self.open_for = open_for;
        self
    }

    /// # Errors
    ///
    /// Names the first setting that is out of its range.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let Self { window, minimum_calls, ratio, consecutive, open_for } = self;
        let seconds = Duration::from_secs(1)..=LONGEST;
        if !seconds.contains(window) {
            return Err(ConfigError::new("breaker.window", format!("{window:?}"), "1 s to 60 s"));
        }
        if !(1..=MOST).contains(minimum_calls) {
            return Err(ConfigError::new("breaker.minimum_calls", minimum_calls.to_string(), "1 to 10,000"));
        }
        // Written so that NaN is refused.
        if !(*ratio > 0.0 && *ratio <= 1.0) {
            return Err(ConfigError::new("breaker.ratio", ratio.to_string(), "more than 0 and at most 1"));
        }
        if !(1..=MOST).contains(consecutive) {
            return Err(ConfigError::new("breaker.consecutive", consecutive.to_string(), "1 to 10,000"));
        }
        if !seconds.contains(open_for) {
            return Err(ConfigError::new("breaker.open_for", format!("{open_for:?}"), "1 s to 60 s"));
        }
        Ok(())
    }
}
