//! The guarded application.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response, Uri, header};
use http_body::Body;
use tower::BoxError;
use tower_service::Service;

use super::{ResponseFuture, Shared, flow};
use crate::{Check, Decision, RequestBody, ResponseBody, Verdict, rule::Match};

/// An application whose logins prove themselves. Made by [`JVerifyLayer`](super::JVerifyLayer).
///
/// Always ready; see the [crate's documentation](crate#readiness) for why. Errors are the inner service's own.
pub struct JVerify<S, V> {
    inner: S,
    shared: Arc<Shared<V>>,
}

// === impl JVerify ===

impl<S, V> JVerify<S, V> {
    pub(super) fn new(inner: S, shared: Arc<Shared<V>>) -> Self {
        Self { inner, shared }
    }

    /// The guarded application itself. What is called on it is not verified.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S: Clone, V> Clone for JVerify<S, V> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S: fmt::Debug, V> fmt::Debug for JVerify<S, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JVerify").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, V, B, RB> Service<Request<B>> for JVerify<S, V>
where
    S: Service<Request<RequestBody<B>>, Response = Response<RB>> + Clone + Send + 'static,
    S::Future: Send,
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<ResponseBody<RB>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    /// Always ready: the inner service is made ready inside the future, when it is its turn.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let shared = &self.shared;
        match shared.routes.find(request.method(), request.uri(), original_uri(&request)) {
            Match::Group(group) if !(group.preflight_passes() && is_preflight(&request)) => {
                let story = flow::guard(Arc::clone(shared), Arc::clone(group), request);
                ResponseFuture::guarded(self.inner.clone(), Box::pin(story))
            }
            Match::Ambiguous(suspicion) => ResponseFuture::refused(flow::refuse_path(shared, &request, suspicion)),
            Match::Nothing | Match::Group(_) => {
                let outer = request.extensions().get::<Decision>().cloned();
                shared.pass(request.headers_mut(), outer.as_ref());
                ResponseFuture::unmatched(self.inner.clone(), request, shared.trailers.clone())
            }
        }
    }
}

/// The path before an axum router stripped the prefix under which it nests another.
#[cfg(feature = "axum")]
fn original_uri<B>(request: &Request<B>) -> Option<&Uri> {
    request.extensions().get::<axum::extract::OriginalUri>().map(|original| &original.0)
}

#[cfg(not(feature = "axum"))]
fn original_uri<B>(_: &Request<B>) -> Option<&Uri> {
    None
}

/// A CORS preflight that cannot be anything else: no body, and no header by which a backend may read another method.
fn is_preflight<B: Body>(request: &Request<B>) -> bool {
    const OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];
    let headers = request.headers();
    let overrides = |name: &http::HeaderName| {
        let name = name.as_str().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        OVERRIDES.contains(&name.as_str())
    };
    // `_method` in any spelling: a preflight has no use for an escape.
    let overridden = request.uri().query().is_some_and(|query| query.contains('%') || query.contains("_method"));
    request.method() == Method::OPTIONS
        && !overridden
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && request.body().is_end_stream()
        && !headers.contains_key(header::TRANSFER_ENCODING)
        && headers.get_all(header::CONTENT_LENGTH).iter().all(|length| length == "0")
        && !headers.keys().any(overrides)
}
