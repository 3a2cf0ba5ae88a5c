//! In which form a request is answered, and whether it is a gRPC call.

use http::{HeaderMap, HeaderValue, Version, header::CONTENT_TYPE};

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
    /// gRPC needs HTTP/2. Whoever only claims the media type gets an HTTP status that says no: an answer of 200 to
    /// HTTP/1.1 would open a gateway that lets its user in by a status alone (nginx's `auth_request`).
    pub(super) fn of(version: Version, headers: &HeaderMap) -> Self {
        match headers.get(CONTENT_TYPE) {
            Some(value) if version == Version::HTTP_2 && is_grpc(value.as_bytes()) => Self::Grpc(value.clone()),
            _ => Self::Problem,
        }
    }

    pub(super) fn is_grpc(&self) -> bool {
        matches!(self, Self::Grpc(_))
    }
}

/// `application/grpc`, alone or followed by `+proto` or a parameter; not gRPC-Web, whose clients read the HTTP status.
fn is_grpc(content_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    content_type.get(..GRPC.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
        && content_type.get(GRPC.len()).is_none_or(|next| matches!(next, b'+' | b';' | b' '))
}
