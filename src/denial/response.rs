//! The answer as it goes out: RFC 9457 problem details, or trailers-only gRPC.

use std::{
    fmt::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::Denial;

/// The form of an answer, from the request's Content-Type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Problem,
    /// With the Content-Type to answer with.
    Grpc(HeaderValue),
}

/// What a `grpc-message` must percent-encode: all but printable ASCII, and `%` itself.
const GRPC_MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

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

pub(super) fn response(denial: &Denial) -> Response<Bytes> {
    let mut response = match &denial.format {
        Format::Problem => problem(denial),
        Format::Grpc(content_type) => trailers_only(denial, content_type.clone()),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = denial.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn problem(denial: &Denial) -> Response<Bytes> {
    // Only our own words go in, none of which needs escaping.
    let mut body = String::with_capacity(256);
    let _ = write!(
        body,
        r#"{{"type":"about:blank","title":"{}","status":{},"code":"{}""#,
        denial.title(),
        denial.status().as_u16(),
        denial.code(),
    );
    if !denial.next().is_empty() {
        let _ = write!(body, r#","next":["{}"]"#, denial.next().join(r#"",""#));
    }
    body.push('}');

    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = denial.status();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

/// gRPC over HTTP/2, *Responses*: a Trailers-Only answer has status 200 and everything in one block of headers.
fn trailers_only(denial: &Denial, content_type: HeaderValue) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from(u16::from(denial.grpc_code())));
    let message = format!("{}: {}", denial.code(), denial.title());
    let message = utf8_percent_encode(&message, GRPC_MESSAGE).to_string();
    if let Ok(message) = HeaderValue::try_from(message) {
        headers.insert(HeaderName::from_static("grpc-message"), message);
    }
    response
}

/// For how many seconds JPush will throttle: 9005 for 30, 9006 until midnight in Shanghai (vendor FAQ: 30 s between
/// submissions and 10 a calendar day for one number).
pub(super) fn throttled_for(code: Option<i64>) -> u32 {
    const DAY: u64 = 86_400;
    /// China Standard Time, without daylight saving since 1991.
    const SHANGHAI: u64 = 8 * 3600;
    if code != Some(9006) {
        return 30;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u32::try_from(DAY - (now + SHANGHAI) % DAY).unwrap_or(30)
}
