//! What follows when the inner service has answered.

use http::StatusCode;

use super::{report::OpenRecord, shadow::Leash};

/// Waits for the inner service's answer. Dropped before, there is none: the client has left, or the inner service failed.
pub(super) enum AfterInner {
    /// The record is completed.
    Record(Box<OpenRecord>),
    /// A judgement that goes on without the request.
    Judgement(Leash),
}

// === impl AfterInner ===

impl AfterInner {
    /// The inner service has answered with this status, or failed.
    #[cold]
    pub(super) fn answered(self, status: Option<StatusCode>) {
        match self {
            Self::Record(record) => record.close(status),
            Self::Judgement(leash) => leash.answered(),
        }
    }
}
