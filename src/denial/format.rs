//! The format of an answer.

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

use crate::headers::is_grpc;

/// The format of an answer, from the request's Content-Type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Problem,
    /// With the Content-Type of the answer.
    Grpc(HeaderValue),
}

// === impl Format ===

impl Format {
    /// A gRPC call gets a gRPC answer.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match headers.get(CONTENT_TYPE) {
            Some(value) if is_grpc(headers) => Self::Grpc(value.clone()),
            _ => Self::Problem,
        }
    }

    pub(super) fn is_grpc(&self) -> bool {
        matches!(self, Self::Grpc(_))
    }
}
