//! Builds the response: RFC 9457 problem details, a page, or trailers-only gRPC.

use std::fmt::Write;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER, VARY,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::{Denial, format::Format, page::Shown};

/// The characters that a `grpc-message` must percent-encode: everything except printable ASCII, and `%` itself.
const GRPC_MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

// === impl Denial ===

impl Denial {
    /// The built-in answer: `application/problem+json`, a page if the request's `Accept` prefers `text/html`, or trailers-only
    /// gRPC. With the headers of [`cors`](crate::Rule::cors).
    pub fn response(&self) -> Response<Bytes> {
        let mut response = match &self.format {
            Format::Problem => problem(self),
            Format::Html => page(self),
            Format::Grpc(content_type) => trailers_only(self, content_type.clone()),
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if !self.is_grpc() {
            headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            headers.insert(VARY, HeaderValue::from_static("accept, accept-language"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        self.complete(headers);
        response
    }

    /// Adds what every answer has, also that of a closure: the pass, and the headers that let pages of other origins read it.
    pub(super) fn complete(&self, headers: &mut HeaderMap) {
        if let Some(pass) = &self.about.pass {
            pass.insert_into(headers);
        }
        if let Some(sharing) = &self.about.settings.sharing {
            sharing.write(self.about.allowed_origin.as_ref(), headers);
        }
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
        let message = message(&denial);
        let details = denial.grpc_details(&message).into();
        let mut status = Self::with_details(i32::from(denial.grpc_code()).into(), message, details);
        if let Some(seconds) = denial.retry_after {
            status.metadata_mut().insert("retry-after", seconds.into());
        }
        if let Some(pass) = &denial.about.pass {
            let mut headers = std::mem::take(status.metadata_mut()).into_headers();
            pass.insert_into(&mut headers);
            *status.metadata_mut() = tonic::metadata::MetadataMap::from_headers(headers);
        }
        status
    }
}

fn problem(denial: &Denial) -> Response<Bytes> {
    // Only constants, a validated URI and a pass are written. None of them needs escaping.
    let mut body = String::with_capacity(256);
    let _ = write!(
        body,
        r#"{{"type":"{}","title":"{}","status":{},"code":"{}""#,
        denial.about.settings.problem_type(denial.code()),
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
    if let Some(pass) = denial.pass() {
        let _ = write!(body, r#","pass":"{}""#, pass.expose());
    }
    body.push('}');

    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = denial.status();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

fn page(denial: &Denial) -> Response<Bytes> {
    let page = denial.about.settings.page();
    let shown = Shown { answer: denial.answer(), locale: denial.locale, retry_after: denial.retry_after };
    let mut response = Response::new(Bytes::from(page.render(&shown)));
    *response.status_mut() = denial.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(denial.locale.tag()));
    headers.insert(CONTENT_SECURITY_POLICY, page.policy.clone());
    response
}

/// gRPC over HTTP/2, *Responses*: a Trailers-Only answer has status 200 and everything in one block of headers.
fn trailers_only(denial: &Denial, content_type: HeaderValue) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from(u16::from(denial.grpc_code())));
    let message = message(denial);
    if let Ok(details) = HeaderValue::try_from(BASE64_STANDARD_NO_PAD.encode(denial.grpc_details(&message))) {
        headers.insert(HeaderName::from_static("grpc-status-details-bin"), details);
    }
    if let Ok(message) = HeaderValue::try_from(utf8_percent_encode(&message, GRPC_MESSAGE).to_string()) {
        headers.insert(HeaderName::from_static("grpc-message"), message);
    }
    response
}

/// The text for a gRPC client.
fn message(denial: &Denial) -> String {
    format!("{}: {}", denial.code(), denial.title())
}
