//! An inner service that remembers what reached it.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, request::Parts};
use http_body::{Body, SizeHint};
use http_body_util::{BodyExt, Full};
use tower::Service;

/// A request as it reached the application.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) parts: Parts,
    pub(crate) size_hint: SizeHint,
    /// `Err` when the body failed under way.
    pub(crate) body: Result<Bytes, ()>,
    pub(crate) trailers: Option<HeaderMap>,
}

/// Clones share their memory. Answers 200 `application`.
#[derive(Clone, Default)]
pub(crate) struct Application {
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Application {
    /// How often it ran.
    pub(crate) fn runs(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// What reached it last.
    pub(crate) fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().cloned().expect("the application ran")
    }

    /// A header of what reached it last.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.last().parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    }
}

impl<B> Service<Request<B>> for Application
where
    B: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let seen = Arc::clone(&self.seen);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let size_hint = body.size_hint();
            let (body, trailers) = match body.collect().await {
                Ok(collected) => {
                    let trailers = collected.trailers().cloned();
                    (Ok(collected.to_bytes()), trailers)
                }
                Err(_) => (Err(()), None),
            };
            seen.lock().unwrap().push(Seen { parts, size_hint, body, trailers });
            Ok(Response::new(Full::new(Bytes::from_static(b"application"))))
        })
    }
}
