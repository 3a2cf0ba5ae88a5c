//! The user's closures that turn a denial into a response, at once or later.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{Response, request::Parts};
use tokio::time::timeout;

use super::{Denial, reason::DenialReason};

/// The time limit for the future of a `respond_async` closure.
const LIMIT: Duration = Duration::from_secs(1);

type Later = Pin<Box<dyn Future<Output = Option<Response<Bytes>>> + Send>>;

/// A closure that answers refusals, or returns `None` for the built-in answer.
#[derive(Clone)]
pub(crate) struct Respond(Arc<Closure>);

type Closure = dyn Fn(&Parts, &Denial) -> Returned + Send + Sync;

/// The result of a closure: a response, `None` for the built-in one, or a future of either.
enum Returned {
    Now(Option<Response<Bytes>>),
    Later(Later),
}

/// A refusal's response, which may be pending.
pub(crate) enum Answering {
    Ready(Response<Bytes>),
    Waiting(Waiting),
}

/// A closure's future, and the denial that it answers.
pub(crate) struct Waiting {
    denial: Denial,
    later: Later,
}

// === impl Respond ===

impl Respond {
    pub(crate) fn now<R>(respond: impl Fn(&Parts, &Denial) -> R + Send + Sync + 'static) -> Self
    where
        R: Into<Option<Response<Bytes>>>,
    {
        Self(Arc::new(move |head, denial| Returned::Now(respond(head, denial).into())))
    }

    pub(crate) fn later<F>(respond: impl Fn(&Parts, &Denial) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output: Into<Option<Response<Bytes>>>> + Send + 'static,
    {
        Self(Arc::new(move |head, denial| {
            let later = respond(head, denial);
            Returned::Later(Box::pin(async move { later.await.into() }))
        }))
    }

    /// An axum body may be a stream, so it is awaited like a future. If it fails, the built-in answer is sent.
    #[cfg(feature = "axum")]
    pub(crate) fn axum<R>(respond: impl Fn(&Parts, &Denial) -> R + Send + Sync + 'static) -> Self
    where
        R: axum::response::IntoResponse,
    {
        Self(Arc::new(move |head, denial| {
            let (parts, body) = respond(head, denial).into_response().into_parts();
            Returned::Later(Box::pin(async move {
                let body = axum::body::to_bytes(body, usize::MAX).await.ok()?;
                Some(Response::from_parts(parts, body))
            }))
        }))
    }

    /// Answers a denial. A panic is answered with 503.
    pub(super) fn answer(&self, head: &Parts, denial: Denial) -> Answering {
        match catch_unwind(AssertUnwindSafe(|| (self.0)(head, &denial))) {
            Ok(Returned::Now(response)) => Answering::Ready(denial.attached_to(response)),
            Ok(Returned::Later(later)) => Answering::Waiting(Waiting { denial, later }),
            Err(_) => Answering::Ready(denial.after_panic()),
        }
    }
}

// === impl Answering ===

impl Answering {
    /// The response, after at most a second.
    pub(crate) async fn finish(self) -> Response<Bytes> {
        match self {
            Self::Ready(response) => response,
            Self::Waiting(waiting) => waiting.finish().await,
        }
    }
}

// === impl Waiting ===

impl Waiting {
    pub(crate) async fn finish(self) -> Response<Bytes> {
        let Self { denial, mut later } = self;
        let caught = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| later.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(_) => Poll::Ready(Err(())),
        });
        let answered = timeout(LIMIT, caught).await;
        // What the future holds may panic, too.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(later)));
        match answered {
            Ok(Ok(response)) if dropped.is_ok() => denial.attached_to(response),
            Err(_) if dropped.is_ok() => denial.attached_to(None),
            Ok(_) | Err(_) => denial.after_panic(),
        }
    }
}

// === impl Denial ===

impl Denial {
    /// The response, or the built-in one, with the denial among its extensions, and with the headers that every answer has.
    pub(super) fn attached_to(self, response: Option<Response<Bytes>>) -> Response<Bytes> {
        let mut response = match response {
            Some(mut response) => {
                self.complete(response.headers_mut());
                response
            }
            None => self.response(),
        };
        response.extensions_mut().insert(self);
        response
    }

    /// The answer to a closure that panicked.
    #[cold]
    fn after_panic(self) -> Response<Bytes> {
        let response = Self { reason: DenialReason::Panicked, ..self.clone() }.response();
        self.attached_to(Some(response))
    }
}
