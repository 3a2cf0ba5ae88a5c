//! When the stages of a request began and ended.

use std::time::Duration;

use tokio::time::Instant;

/// The times of a guarded request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stages {
    /// When the request arrived.
    began: Instant,
    /// When the proof had been read and the checks could start.
    judged_from: Option<Instant>,
    /// When the layer had finished. `None` if it is finishing now.
    ended: Option<Instant>,
}

// === impl Stages ===

impl Stages {
    /// Creates the times of a request that arrives now.
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), judged_from: None, ended: None }
    }

    /// Records that the checks can start.
    pub(crate) fn judge_from(&mut self, now: Instant) {
        self.judged_from = Some(now);
    }

    /// Records that the layer has finished.
    pub(crate) fn end_now(&mut self) {
        self.ended = Some(Instant::now());
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// From the request's arrival to the end of its proof. `None` if no proof was read.
    pub(super) fn reading(&self) -> Option<Duration> {
        self.judged_from.map(|end| end.saturating_duration_since(self.began))
    }

    /// From the end of the proof to the decision.
    pub(super) fn judging(&self) -> Option<Duration> {
        self.judged_from.map(|begin| self.end().saturating_duration_since(begin))
    }

    pub(super) fn all(&self) -> Duration {
        self.end().saturating_duration_since(self.began)
    }

    fn end(&self) -> Instant {
        self.ended.unwrap_or_else(Instant::now)
    }
}
