//! The guarded application.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header::ALLOW};
use http_body::Body;
use tower::BoxError;
use tower_service::Service;

use super::{
    current::Current,
    flow::{self, End},
    future::ResponseFuture,
};
use crate::{
    body::{RequestBody, ResponseBody},
    check::Check,
    decision::Decision,
    denial::{Answering, Refusal},
    rule::{Match, has_proof_in_head, is_preflight},
    verdict::Verdict,
};

/// A service that verifies the requests that its rules match. Created by [`JVerifyLayer`](super::JVerifyLayer).
///
/// Always ready; see the [crate's documentation](crate#readiness) for why. Errors are the inner service's own.
pub struct JVerify<S, V> {
    inner: S,
    current: Arc<Current<V>>,
}

// === impl JVerify ===

impl<S, V> JVerify<S, V> {
    pub(super) fn new(inner: S, current: Arc<Current<V>>) -> Self {
        Self { inner, current }
    }

    /// Returns the inner service. Requests sent to it directly are not verified.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S, V> JVerify<S, V> {
    /// Answers a request that is refused by its head. `allow`: the header for a 405.
    #[cold]
    fn answer<B>(&self, answering: Answering, allow: Option<HeaderValue>) -> ResponseFuture<S, B>
    where
        S: Service<Request<RequestBody<B>>> + Clone,
    {
        match answering {
            Answering::Ready(response) => ResponseFuture::refused(with_allow(response, allow)),
            Answering::Waiting(waiting) => {
                let story = async move { End::Denied(with_allow(waiting.finish().await, allow)) };
                ResponseFuture::guarded(self.inner.clone(), Box::pin(story))
            }
        }
    }
}

impl<S: Clone, V> Clone for JVerify<S, V> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), current: Arc::clone(&self.current) }
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

    /// Always ready: the future polls the inner service for readiness when it is needed.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let shared = self.current.now();
        let is_foreign = shared.routes.are_before_foreign();
        if is_foreign {
            // Before anything is read: removed headers must not decide anything.
            shared.strip(request.headers_mut());
        }
        let group = match shared.routes.find(request.method(), request.uri(), original_uri(&request)) {
            Match::Nothing => None,
            Match::Group(group) => Some(group),
            Match::Ambiguous(suspicion) => {
                let refusal = Refusal::of_path(suspicion);
                return self.answer(flow::refuse(&shared, request, None, &refusal), None);
            }
            Match::Unnamed(unnamed) => {
                if let Err(refusal) = unnamed.check(&request) {
                    let refused = flow::refuse(&shared, request, unnamed.first_group(), &refusal);
                    return self.answer(refused, unnamed.allow());
                }
                shared.strip_for(unnamed.groups(), request.headers_mut());
                unnamed.otherwise()
            }
        };
        if let Some(group) = group {
            if is_foreign {
                shared.strip_for(&[group], request.headers_mut());
            }
            let preflight = is_preflight(&request).then(|| has_proof_in_head(group, &request));
            if preflight == Some(false) && !group.preflight_passes() {
                let refusal = Refusal::of_preflight();
                return self.answer(flow::refuse(&shared, request, Some(group), &refusal), None);
            }
            // A script that ignores the method also reads a login in the head of an OPTIONS.
            let passes = preflight.is_some_and(|has_proof| group.preflight_passes() && !(is_foreign && has_proof));
            if !passes {
                let parameters = match group.path_parameters(request.uri(), original_uri(&request)) {
                    Ok(parameters) => parameters,
                    Err(refusal) => return self.answer(flow::refuse(&shared, request, Some(group), &refusal), None),
                };
                let story = flow::guard(Arc::clone(&shared), Arc::clone(group), parameters, request);
                return ResponseFuture::guarded(self.inner.clone(), story);
            }
        }
        // This layer makes no decision about the request.
        {
            let outer = request.extensions().get::<Decision>().cloned();
            if is_foreign {
                shared.pass_stripped(request.headers_mut(), outer.as_ref());
            } else {
                shared.pass(request.headers_mut(), outer.as_ref());
            }
        }
        let (inner, trailers, version) = (self.inner.clone(), shared.trailers.clone(), request.version());
        ResponseFuture::unmatched(inner, request.map(|body| RequestBody::untouched(body, trailers, version)))
    }
}

/// RFC 9110 requires `Allow` in a 405, also if a user's closure returns it.
fn with_allow(mut response: Response<Bytes>, allow: Option<HeaderValue>) -> Response<Bytes> {
    if response.status() == StatusCode::METHOD_NOT_ALLOWED
        && !response.headers().contains_key(ALLOW)
        && let Some(allow) = allow
    {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
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
