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
    /// A gRPC answer with this `Content-Type`.
    Grpc(HeaderValue),
}

// === impl Format ===

impl Format {
    /// A gRPC call gets a gRPC answer if `grpc_answers` allows it, and never a page.
    pub(super) fn of(headers: &HeaderMap, grpc_answers: bool) -> Self {
        match headers.get(CONTENT_TYPE) {
            Some(value) if is_grpc(headers) && grpc_answers => Self::Grpc(media_type(value)),
            Some(value) if is_grpc(headers) || is_grpc_web_type(value.as_bytes()) => Self::Problem,
            _ if prefers_html(headers) => Self::Html,
            _ => Self::Problem,
        }
    }

    pub(super) fn is_grpc(&self) -> bool {
        matches!(self, Self::Grpc(_))
    }
}

/// The media type of a gRPC call without its parameters, which are the client's text.
fn media_type(value: &HeaderValue) -> HeaderValue {
    let is_of_suffix = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
    let text = value.as_bytes();
    let end = text
        .strip_prefix(b"application/grpc+")
        .map_or(0, |suffix| suffix.iter().take_while(|b| is_of_suffix(b)).count());
    let whole = text.get(..GRPC.len() + 1 + end).filter(|_| end > 0);
    let is_whole = |kind: &&[u8]| matches!(text.get(kind.len()), None | Some(b';' | b' ' | b'\t'));
    whole.filter(is_whole).and_then(|kind| HeaderValue::from_bytes(kind).ok()).unwrap_or(HeaderValue::from_static(GRPC))
}

const GRPC: &str = "application/grpc";
