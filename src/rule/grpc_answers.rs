//! Whether refused gRPC calls get gRPC answers.

use http::Version;

use super::resolved::Settings;
use crate::{proof::Media, reading::Reading};

/// Whether the refused gRPC calls of a rule get gRPC answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct GrpcAnswers {
    /// The value of the setting `grpc_answers`.
    set: Option<bool>,
    /// The default over HTTP/2: whether the rule could have let a call through.
    over_http2: bool,
}

// === impl GrpcAnswers ===

impl GrpcAnswers {
    pub(super) fn of(reading: &Reading, settings: &Settings) -> Self {
        let accepts = settings.reading.accept.contains(&Media::Grpc);
        Self { set: settings.grpc_answers, over_http2: accepts || !reading.plan().reads_body() }
    }

    /// Whether a call over this HTTP version gets a gRPC answer.
    ///
    /// Over versions other than HTTP/2 only if it is set: a gateway that trusts only the status (nginx's `auth_request`
    /// uses HTTP/1.1) would let its user in.
    pub(super) fn over(self, version: Version) -> bool {
        self.set.unwrap_or(self.over_http2 && version == Version::HTTP_2)
    }
}
