//! Recognises gRPC calls.

use http::{HeaderMap, header::CONTENT_TYPE};

/// Whether a request is a gRPC call, which has frames and possibly a `grpc-timeout`.
///
/// The HTTP version does not matter: tonic-web's `GrpcWebLayer` translates gRPC-Web calls and keeps the version of the
/// connection, which may be HTTP/1.1. `Group::answers_grpc` decides how such a call is refused.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| is_grpc_type(value.as_bytes()))
}

/// `application/grpc`, alone or followed by `+proto` or a parameter; not gRPC-Web, whose frames may be base64.
pub(crate) fn is_grpc_type(content_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    content_type.get(..GRPC.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
        && content_type.get(GRPC.len()).is_none_or(|next| matches!(next, b'+' | b';' | b' '))
}

/// `application/grpc-web` and `application/grpc-web-text`, with any suffix.
pub(crate) fn is_grpc_web_type(content_type: &[u8]) -> bool {
    const GRPC_WEB: &[u8] = b"application/grpc-web";
    content_type.get(..GRPC_WEB.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC_WEB))
}
