//! Whether a request is a gRPC call.

use http::{HeaderMap, Version, header::CONTENT_TYPE};

/// Whether a request is a gRPC call: it has frames, and perhaps a `grpc-timeout`.
///
/// gRPC needs HTTP/2. A client that only claims the media type gets an HTTP status that says no: an answer of 200 to
/// HTTP/1.1 would open a gateway that lets its user in by a status alone (nginx's `auth_request`).
pub(crate) fn is_grpc(version: Version, headers: &HeaderMap) -> bool {
    version == Version::HTTP_2 && headers.get(CONTENT_TYPE).is_some_and(|value| is_grpc_type(value.as_bytes()))
}

/// `application/grpc`, alone or followed by `+proto` or a parameter; not gRPC-Web, whose clients read the HTTP status.
pub(crate) fn is_grpc_type(content_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    content_type.get(..GRPC.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
        && content_type.get(GRPC.len()).is_none_or(|next| matches!(next, b'+' | b';' | b' '))
}
