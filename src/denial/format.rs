//! The format of an answer.

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

use super::accept::prefers_html;
use crate::headers::{is_grpc, is_grpc_web_type};

/// The format of an answer, from the request's `Content-Type` and `Accept`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Problem,
    /// A page for a person in a browser.
    Html,
    /// With the Content-Type of the answer.
    Grpc(HeaderValue),
}

// === impl Format ===

impl Format {
    /// A gRPC call gets a gRPC answer if `grpc_answers` allows it, and never a page.
    pub(super) fn of(headers: &HeaderMap, grpc_answers: bool) -> Self {
        match headers.get(CONTENT_TYPE) {
            Some(value) if is_grpc(headers) && grpc_answers => Self::Grpc(value.clone()),
            Some(value) if is_grpc(headers) || is_grpc_web_type(value.as_bytes()) => Self::Problem,
            _ if prefers_html(headers) => Self::Html,
            _ => Self::Problem,
        }
    }

    pub(super) fn is_grpc(&self) -> bool {
        matches!(self, Self::Grpc(_))
    }
}
