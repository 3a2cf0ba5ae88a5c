//! The response future: one decision, then the inner service.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    after::{AfterInner, Answered},
    flow::{End, GuardFuture},
};
use crate::body::{RequestBody, ResponseBody};

pin_project! {
    /// Resolves to the inner service's response, or to a denial.
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<RequestBody<B>>>,
    {
        #[pin]
        state: State<S, S::Future, B, S::Error>,
        // Called when the inner service has answered a guarded request.
        after: Option<AfterInner>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, B, E> {
        /// The checks are running. The clone of the inner service has not been polled and holds nothing.
        Guarded { inner: Option<S>, stages: GuardFuture<B> },
        // Boxed: it is rare, and every request moves the future.
        Waiting { waiting: Box<Waiting<S, B>> },
        Called { #[pin] future: F },
        /// The inner service could not be made ready.
        Failed { error: Option<E> },
        Refused { response: Option<Response<Bytes>> },
    }
}

/// What a request is answered with.
type Answer<RB, E> = Result<Response<ResponseBody<RB>>, E>;

/// The inner service was not ready at once: this clone is polled until it is ready, and called.
struct Waiting<S, B> {
    inner: S,
    request: Option<Request<RequestBody<B>>>,
}

// === impl State ===

impl<S, B> State<S, S::Future, B, S::Error>
where
    S: Service<Request<RequestBody<B>>>,
{
    /// Calls the inner service directly if it is ready: a request is large, and every move of it costs.
    #[inline]
    fn called(mut inner: S, request: Request<RequestBody<B>>, cx: &mut Context<'_>) -> Self {
        match inner.poll_ready(cx) {
            Poll::Ready(Ok(())) => Self::Called { future: inner.call(request) },
            Poll::Ready(Err(error)) => Self::Failed { error: Some(error) },
            Poll::Pending => Self::Waiting { waiting: Box::new(Waiting { inner, request: Some(request) }) },
        }
    }

    /// Polls what precedes the call of the inner service, or answers without it. Apart from that call, so that most requests move their
    /// answer once less.
    #[inline(never)]
    fn poll_other<RB>(
        mut self: Pin<&mut Self>,
        to_follow: &mut Option<AfterInner>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Answer<RB, S::Error>>> {
        match self.as_mut().project() {
            StateProj::Guarded { inner, stages } => match (ready!(stages.as_mut().poll(cx)), inner.take()) {
                (End::Denied(response), _) => self.set(Self::Refused { response: Some(response) }),
                (End::Through(request, after), Some(inner)) => {
                    *to_follow = after;
                    self.set(Self::called(inner, request, cx));
                }
                (End::Through(..), None) => self.set(Self::Refused { response: None }),
            },
            StateProj::Waiting { waiting } => {
                let Waiting { inner, request } = &mut **waiting;
                if let Err(error) = ready!(inner.poll_ready(cx)) {
                    return Poll::Ready(Some(Err(error)));
                }
                let request = request.take().expect("a future is not polled after it has answered");
                let future = inner.call(request);
                self.set(Self::Called { future });
            }
            StateProj::Called { .. } => {}
            StateProj::Failed { error } => {
                let error = error.take().expect("a future is not polled after it has answered");
                return Poll::Ready(Some(Err(error)));
            }
            StateProj::Refused { response } => {
                let response = response.take().expect("a future is not polled after it has answered");
                return Poll::Ready(Some(Ok(response.map(ResponseBody::denial))));
            }
        }
        Poll::Ready(None)
    }
}

// === impl ResponseFuture ===

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<RequestBody<B>>>,
{
    pub(super) fn guarded(inner: S, stages: GuardFuture<B>) -> Self {
        Self { state: State::Guarded { inner: Some(inner), stages }, after: None }
    }

    /// Calls the inner service directly if it is ready. Otherwise the future's first poll registers the waker of its task.
    #[inline]
    pub(super) fn unmatched(inner: S, request: Request<RequestBody<B>>) -> Self {
        Self { state: State::called(inner, request, &mut Context::from_waker(Waker::noop())), after: None }
    }

    pub(super) fn refused(response: Response<Bytes>) -> Self {
        Self { state: State::Refused { response: Some(response) }, after: None }
    }
}

impl<S, B, RB> Future for ResponseFuture<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<RB>>,
{
    type Output = Answer<RB, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            if let StateProj::Called { future } = this.state.as_mut().project() {
                let mut answer = ready!(future.poll(cx));
                if let Some(after) = this.after.take() {
                    call_after(after, answer.as_mut().ok());
                }
                return Poll::Ready(answer.map(|response| response.map(ResponseBody::inner)));
            }
            if let Some(answer) = ready!(this.state.as_mut().poll_other(this.after, cx)) {
                return Poll::Ready(answer);
            }
        }
    }
}

#[inline(never)]
fn call_after<RB>(after: AfterInner, response: Option<&mut Response<RB>>) {
    after(response.map(|response| Answered { status: response.status(), headers: response.headers_mut() }));
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<RequestBody<B>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
