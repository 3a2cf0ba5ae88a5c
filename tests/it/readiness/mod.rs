//! During a check, the layer holds nothing of the application: CASES 55 and 57.

mod contract;
mod inside;
mod outside;
mod verifier;

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::sync::watch;
use tower::{Service, ServiceExt};
use tower_jverify::{Check, Class, JVerifyLayer, Rule, Verdict, number};

use crate::support::{LOGIN, asking, post_json};

pub(super) fn login() -> Request<Full<Bytes>> {
    post_json("/login", LOGIN)
}

pub(super) fn health() -> Request<Full<Bytes>> {
    Request::get("/health").body(Full::default()).unwrap()
}

/// Makes a service ready for a request with a `Full` body, so that the compiler picks that implementation.
pub(super) async fn ready<S: Service<Request<Full<Bytes>>, Error: std::fmt::Debug>>(service: &mut S) -> &mut S {
    service.ready().await.unwrap()
}

/// A verifier that answers when the test lets it.
#[derive(Clone)]
pub(super) struct Gate {
    class: Class,
    open: watch::Sender<bool>,
    started: Arc<Mutex<usize>>,
}

impl Gate {
    pub(super) fn closed(class: Class) -> Self {
        Self { class, open: watch::Sender::new(false), started: Arc::default() }
    }

    pub(super) fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until so many checks have started.
    pub(super) async fn asked(&self, times: usize) {
        while self.started() < times {
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn started(&self) -> usize {
        *self.started.lock().unwrap()
    }

    pub(super) fn layer(&self) -> JVerifyLayer<Self> {
        asking(self.clone()).rule(Rule::post("/login", number())).build().unwrap()
    }
}

impl Service<Check> for Gate {
    type Response = Verdict;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Verdict, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, check: Check) -> Self::Future {
        *self.started.lock().unwrap() += 1;
        let (class, mut open) = (self.class, self.open.subscribe());
        Box::pin(async move {
            open.wait_for(|open| *open).await.unwrap();
            Ok(Verdict::new(check.kind(), class))
        })
    }
}

/// An application that insists on the contract: what is called was polled ready itself, once for each call. A clone
/// starts not ready.
#[derive(Default)]
pub(super) struct Strict {
    ready: bool,
    runs: Arc<Mutex<usize>>,
}

impl Strict {
    pub(super) fn runs(&self) -> usize {
        *self.runs.lock().unwrap()
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false, runs: Arc::clone(&self.runs) }
    }
}

impl<B> Service<Request<B>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without having been polled ready");
        *self.runs.lock().unwrap() += 1;
        std::future::ready(Ok(Response::new(Full::default())))
    }
}
