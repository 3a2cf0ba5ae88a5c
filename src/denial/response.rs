//! Builds the response: RFC 9457 problem details, or trailers-only gRPC.

use std::fmt::Write;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::{Denial, format::Format};

/// The characters that a `grpc-message` must percent-encode: everything except printable ASCII, and `%` itself.
const GRPC_MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

// === impl Denial ===

impl Denial {
    /// The built-in answer: `application/problem+json`, or trailers-only gRPC.
    pub fn response(&self) -> Response<Bytes> {
        let mut response = match &self.format {
            Format::Problem => problem(self),
            Format::Grpc(content_type) => trailers_only(self, content_type.clone()),
        };
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The answer to the client: the result of the rule's `respond`, otherwise [`Denial::response`]. Its extensions contain the
/// denial.
///
/// ```
/// use bytes::Bytes;
/// use http::Response;
/// use tower_jverify::{Denial, DenialReason};
///
/// let response = Response::<Bytes>::from(Denial::for_test(DenialReason::CaptchaRequired));
/// assert_eq!(response.status(), 403);
/// assert!(response.extensions().get::<Denial>().is_some());
/// ```
impl From<Denial> for Response<Bytes> {
    fn from(denial: Denial) -> Self {
        let answered = denial.answered.as_deref().cloned();
        denial.attached_to(answered)
    }
}

/// As `Response::<Bytes>::from(denial)`.
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl axum::response::IntoResponse for Denial {
    fn into_response(self) -> axum::response::Response {
        Response::from(self).map(axum::body::Body::from)
    }
}

/// The status of a refused call, without the rule's `respond`.
#[cfg(feature = "tonic")]
#[cfg_attr(docsrs, doc(cfg(feature = "tonic")))]
impl From<Denial> for tonic::Status {
    fn from(denial: Denial) -> Self {
        let mut status = Self::new(i32::from(denial.grpc_code()).into(), message(&denial));
        if let Some(seconds) = denial.retry_after {
            status.metadata_mut().insert("retry-after", seconds.into());
        }
        status
    }
}

fn problem(denial: &Denial) -> Response<Bytes> {
    // Only constants are written, none of which needs escaping.
    let mut body = String::with_capacity(256);
    let _ = write!(
        body,
        r#"{{"type":"about:blank","title":"{}","status":{},"code":"{}""#,
        denial.title(),
        denial.status().as_u16(),
        denial.code(),
    );
    for (at, step) in denial.next().iter().enumerate() {
        let _ = write!(body, r#"{}"{step}""#, if at == 0 { r#","next":["# } else { "," });
    }
    if !denial.next().is_empty() {
        body.push(']');
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
    let message = utf8_percent_encode(&message(denial), GRPC_MESSAGE).to_string();
    if let Ok(message) = HeaderValue::try_from(message) {
        headers.insert(HeaderName::from_static("grpc-message"), message);
    }
    response
}

/// The text for a gRPC client.
fn message(denial: &Denial) -> String {
    format!("{}: {}", denial.code(), denial.title())
}
