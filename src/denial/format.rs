//! In which form a request is answered.

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

use crate::headers::is_grpc;

/// The form of an answer, from the request's Content-Type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Problem,
    /// With the Content-Type to answer with.
    Grpc(HeaderValue),
}

// === impl Format ===

impl Format {
    /// A call is answered as one.
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
