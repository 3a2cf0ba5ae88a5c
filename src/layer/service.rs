//! The guarded application.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Extensions, HeaderValue, Request, Response, Uri};
use http_body::Body;
use tower::BoxError;
use tower_service::Service;

use super::{
    bodiless::{self, WithBody},
    current::Current,
    flow::{self, End},
    future::ResponseFuture,
    head,
    shared::Shared,
};
use crate::{
    body::{Kept, RequestBody, ResponseBody},
    check::Check,
    decision::{Applied, Decision},
    denial::{Answering, Refusal},
    foreign_backend::Suspicion,
    rule::{
        Bodiless, Group, IfItEnds, Match, Meant, Preflight, RuleState, Shown, all_applied, has_proof_in_head, preflight,
    },
    verdict::Verdict,
};

/// A service that verifies the requests that its rules match. Created by [`JVerifyLayer`](super::JVerifyLayer).
///
/// Always ready; see the [crate's documentation](crate#readiness) for why. Errors are the inner service's own.
///
/// ```
/// use tower::{Layer, service_fn};
/// use tower_jverify::{JVerify, JVerifyLayer, Rule, number};
/// # use tower_jverify::{Check, Class, ConfigError, Verdict};
/// # fn guarded() -> Result<(), ConfigError> {
/// # let verifier = service_fn(|check: Check| async move {
/// #     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
/// # });
/// # let application = service_fn(|_: ()| async { Ok::<_, std::convert::Infallible>(()) });
/// let layer = JVerifyLayer::builder(verifier).rule(Rule::post("/login", number())).build()?;
/// let service: JVerify<_, _> = layer.layer(application);
/// # let _ = service;
/// # Ok(())
/// # }
/// ```
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

/// A refusal by the head alone.
struct ByHead<'g> {
    /// The group that guards the path, if it is known.
    group: Option<&'g Group>,
    refusal: Refusal,
    /// The header for a 405.
    allow: Option<HeaderValue>,
}

impl<S, V> JVerify<S, V> {
    /// Answers a request that is refused by its head, or passes it on if all rules that it may mean are in shadow.
    #[cold]
    fn refuse<B>(
        &self,
        shared: &Shared<V>,
        request: Request<B>,
        shown: Option<&Shown>,
        refused: ByHead<'_>,
    ) -> ResponseFuture<S, B>
    where
        S: Service<Request<RequestBody<B>>> + Clone,
        B: Body,
    {
        let ByHead { group, refusal, allow } = refused;
        let (request, applied, only) = applied(shared, request, shown, group);
        match applied {
            Applied::Enforced => self.answer(head::refuse(shared, request, group, &refusal), allow),
            Applied::Shadow => {
                let request = request.map(Kept::Untouched);
                let passed = head::pass_refused(shared, request, (group, only.as_deref()), &refusal);
                ResponseFuture::unmatched(self.inner.clone(), passed)
            }
        }
    }

    /// Passes a request on if its body ends without data and trailers.
    #[cold]
    fn wait<B>(
        &self,
        shared: &Arc<Shared<V>>,
        request: Request<B>,
        shown: Option<&Shown>,
        (group, allow, wait): (Option<&Arc<Group>>, Option<HeaderValue>, IfItEnds),
    ) -> ResponseFuture<S, B>
    where
        S: Service<Request<RequestBody<B>>> + Clone,
        V: Send + Sync + 'static,
        B: Body<Data = Bytes> + Send + 'static,
    {
        let (request, applied, only) = applied(shared, request, shown, group.map(|group| &**group));
        let with_body = WithBody { group: group.map(Arc::clone), only, applied, allow };
        let waiting = bodiless::wait(Arc::clone(shared), request, wait, with_body);
        ResponseFuture::guarded(self.inner.clone(), waiting)
    }

    /// Answers a request that is refused by its head. `allow`: the header for a 405.
    fn answer<B>(&self, answering: Answering, allow: Option<HeaderValue>) -> ResponseFuture<S, B>
    where
        S: Service<Request<RequestBody<B>>> + Clone,
    {
        match answering {
            Answering::Ready(response) => ResponseFuture::refused(head::with_allow(response, allow)),
            Answering::Waiting(waiting) => {
                let stages = async move { End::Denied(head::with_allow(waiting.finish().await, allow)) };
                ResponseFuture::guarded(self.inner.clone(), Box::pin(stages))
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
        let shown = shared.shown(request.headers());
        let mut in_headers = None;
        if is_foreign {
            in_headers = shared.in_headers(request.headers(), request.extensions());
            // Before anything is read: removed headers must not decide anything.
            shared.strip(request.headers_mut());
            if shared.refuses_tunnel(&request) {
                let refused =
                    ByHead { group: None, refusal: Refusal::of_connect().with_suspicion(Suspicion::H2c), allow: None };
                return self.refuse(&shared, request, shown.as_ref(), refused);
            }
            shared.strip_host(request.uri_mut());
        }
        let group = match shared.routes.find(request.method(), request.uri(), original_uri(&request)) {
            Match::Nothing => None,
            Match::Group(group) => Some(group),
            Match::Ambiguous(suspicion) => {
                let refusal = Refusal::of_path(suspicion);
                return self.refuse(&shared, request, shown.as_ref(), ByHead { group: None, refusal, allow: None });
            }
            Match::Unnamed(unnamed) => {
                let bodiless = match unnamed.check(&request) {
                    Ok(bodiless) => bodiless,
                    Err(refusal) => {
                        let group = unnamed.first_group().map(|group| &**group);
                        let refused = ByHead { group, refusal, allow: unnamed.allow() };
                        return self.refuse(&shared, request, shown.as_ref(), refused);
                    }
                };
                shared.strip_for(unnamed.groups(), request.headers_mut());
                if let Bodiless::IfItEnds(wait) = bodiless {
                    let waited = (unnamed.first_group(), unnamed.allow(), wait);
                    return self.wait(&shared, request, shown.as_ref(), waited);
                }
                unnamed.otherwise()
            }
        };
        if let Some(group) = group {
            if is_foreign {
                shared.strip_for(&[group], request.headers_mut());
            }
            let preflight = preflight(&request).map(|preflight| (preflight, has_proof_in_head(group, &request)));
            if preflight == Some((Preflight::Certain, false)) && !group.preflight_passes() {
                let refused = ByHead { group: Some(group), refusal: Refusal::of_preflight(), allow: None };
                return self.refuse(&shared, request, shown.as_ref(), refused);
            }
            // A script that ignores the method also reads a login in the head of an OPTIONS.
            let passes = preflight.filter(|(_, has_proof)| group.preflight_passes() && !(is_foreign && *has_proof));
            if let Some((Preflight::IfItEnds, _)) = passes {
                let wait = IfItEnds::of(group, Refusal::of_preflight_with_body());
                return self.wait(&shared, request, shown.as_ref(), (Some(group), None, wait));
            }
            if passes.is_none() {
                let parameters = match group.path_parameters(request.uri(), original_uri(&request)) {
                    Ok(parameters) => parameters,
                    Err(refusal) => {
                        let refused = ByHead { group: Some(group), refusal, allow: None };
                        return self.refuse(&shared, request, shown.as_ref(), refused);
                    }
                };
                let meant = group.may_be_in_shadow().then(|| {
                    let others = shared.routes.others_meant(group, request.uri(), original_uri(&request));
                    Box::new(Meant { shown, others })
                });
                let in_headers = in_headers.or_else(|| shared.in_headers(request.headers(), request.extensions()));
                let hints = flow::Hints { parameters, meant, in_headers };
                let stages = flow::guard(Arc::clone(&shared), Arc::clone(group), hints, request);
                return ResponseFuture::guarded(self.inner.clone(), stages);
            }
        }
        // This layer makes no decision about the request.
        let outer = request.extensions().get::<Decision>().cloned();
        if is_foreign {
            shared.pass_stripped(request.headers_mut(), outer.as_ref());
        } else {
            shared.pass(request.headers_mut(), outer.as_ref());
        }
        let (inner, trailers, version) = (self.inner.clone(), shared.trailers.clone(), request.version());
        ResponseFuture::unmatched(inner, request.map(|body| RequestBody::untouched(body, trailers, version)))
    }
}

/// Whether all rules that a request may mean are in shadow for it, and the rule of the group if it is the only one of these.
fn applied<V, B>(
    shared: &Shared<V>,
    request: Request<B>,
    shown: Option<&Shown>,
    group: Option<&Group>,
) -> (Request<B>, Applied, Option<Arc<RuleState>>) {
    if !shared.routes.have_modes() {
        return (request, Applied::Enforced, None);
    }
    let (parts, body) = request.into_parts();
    let mut rules = shared.routes.meant(&parts.method, &parts.uri, original_in(&parts.extensions));
    rules.extend(group.iter().flat_map(|group| group.states()));
    let only = group.and_then(|group| group.only_rule());
    let only = only.filter(|only| rules.iter().all(|rule| Arc::ptr_eq(rule, only))).map(Arc::clone);
    let applied = all_applied(rules.into_iter(), None, &parts, shown);
    (Request::from_parts(parts, body), applied, only)
}

/// The path before an axum router stripped the prefix under which it nests another.
fn original_uri<B>(request: &Request<B>) -> Option<&Uri> {
    original_in(request.extensions())
}

#[cfg(feature = "axum")]
pub(super) fn original_in(extensions: &Extensions) -> Option<&Uri> {
    extensions.get::<axum::extract::OriginalUri>().map(|original| &original.0)
}

#[cfg(not(feature = "axum"))]
pub(super) fn original_in(_: &Extensions) -> Option<&Uri> {
    None
}
