//! The future of a guarded application: one decision, then the inner service.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::flow::End;
use crate::body::{RequestBody, ResponseBody, TrailerFilter};

pin_project! {
    /// Answers a request: the inner service's response, or a denial.
    ///
    /// Only the story of a guarded request is boxed: it waits on the network anyway, and it does not know the inner
    /// service, whose errors pass through untouched.
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<RequestBody<B>>>,
    {
        #[pin]
        state: State<S, S::Future, B>,
    }
}

type Story<B> = Pin<Box<dyn Future<Output = End<B>> + Send>>;

pin_project! {
    #[project = StateProj]
    enum State<S, F, B> {
        /// JPush is being asked. The clone of the inner service has not been polled and holds nothing.
        Guarded { inner: Option<S>, story: Story<B> },
        /// The inner service is made ready; this same clone is called. The body is wrapped on the way there, not
        /// before: a request is large, and every move of it counts.
        Unmatched { inner: S, request: Option<(Request<B>, TrailerFilter)> },
        /// As above, after a decision that lets it through.
        Ready { inner: S, request: Option<Request<RequestBody<B>>> },
        Called { #[pin] future: F },
        Refused { response: Option<Response<Bytes>> },
    }
}

// === impl ResponseFuture ===

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<RequestBody<B>>>,
{
    pub(super) fn guarded(inner: S, story: Story<B>) -> Self {
        Self { state: State::Guarded { inner: Some(inner), story } }
    }

    pub(super) fn unmatched(inner: S, request: Request<B>, trailers: TrailerFilter) -> Self {
        Self { state: State::Unmatched { inner, request: Some((request, trailers)) } }
    }

    pub(super) fn refused(response: Response<Bytes>) -> Self {
        Self { state: State::Refused { response: Some(response) } }
    }
}

impl<S, B, RB> Future for ResponseFuture<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<RB>>,
{
    type Output = Result<Response<ResponseBody<RB>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Guarded { inner, story } => {
                    let next = match (ready!(story.as_mut().poll(cx)), inner.take()) {
                        (End::Denied(response), _) => State::Refused { response: Some(response) },
                        (End::Through(request), Some(inner)) => State::Ready { inner, request: Some(request) },
                        (End::Through(_), None) => State::Refused { response: None },
                    };
                    this.state.set(next);
                }
                StateProj::Unmatched { inner, request } => {
                    ready!(inner.poll_ready(cx))?;
                    let (request, trailers) = request.take().expect("a future is not polled after it has answered");
                    let future = inner.call(request.map(|body| RequestBody::untouched(body, trailers)));
                    this.state.set(State::Called { future });
                }
                StateProj::Ready { inner, request } => {
                    ready!(inner.poll_ready(cx))?;
                    let request = request.take().expect("a future is not polled after it has answered");
                    let future = inner.call(request);
                    this.state.set(State::Called { future });
                }
                StateProj::Called { future } => {
                    return future.poll(cx).map_ok(|response| response.map(ResponseBody::inner));
                }
                StateProj::Refused { response } => {
                    let response = response.take().expect("a future is not polled after it has answered");
                    return Poll::Ready(Ok(response.map(ResponseBody::denial)));
                }
            }
        }
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<RequestBody<B>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
