//! Checks in flight, requests that wait, clients that leave.

mod abandoned;
mod bulkhead;
mod deadline;
mod dropped;
mod own_future;
mod resets;
mod shares;

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use http_body_util::Full;
use tokio::{task::JoinHandle, time::sleep};
use tower::Service;
use tower_jverify::{Check, Class, JVerifyLayer, Verdict};

use crate::support::{Application, send};

/// A slow JPush that finishes every check, even if the client has left. Clones share their counts.
#[derive(Clone)]
pub(crate) struct Slow {
    time: Duration,
    started: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
    /// The calls that JPush works on.
    now: Arc<AtomicUsize>,
    /// How many there were at most.
    most: Arc<AtomicUsize>,
}

impl Slow {
    pub(crate) fn taking(milliseconds: u64) -> Self {
        let time = Duration::from_millis(milliseconds);
        Self { time, started: Arc::default(), answered: Arc::default(), now: Arc::default(), most: Arc::default() }
    }

    pub(crate) fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

impl Service<Check> for Slow {
    type Response = Verdict;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Verdict, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, check: Check) -> Self::Future {
        self.started.fetch_add(1, Ordering::SeqCst);
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let (at_jpush, time) = (Arc::clone(&self.now), self.time);
        tokio::spawn(async move {
            sleep(time).await;
            at_jpush.fetch_sub(1, Ordering::SeqCst);
        });
        let answered = Arc::clone(&self.answered);
        Box::pin(async move {
            sleep(time).await;
            answered.fetch_add(1, Ordering::SeqCst);
            Ok(Verdict::new(check.kind(), Class::Passed))
        })
    }
}

/// Spawns a login, and returns once its next check has started.
async fn started(
    layer: &JVerifyLayer<Slow>,
    slow: &Slow,
    request: Request<Full<bytes::Bytes>>,
) -> JoinHandle<Response<bytes::Bytes>> {
    let (layer, before) = (layer.clone(), slow.started());
    let login = tokio::spawn(async move { send(&layer, &Application::default(), request).await });
    while slow.started() == before {
        tokio::task::yield_now().await;
    }
    login
}

/// The client leaves: its request is dropped.
pub(crate) async fn leave<T>(login: JoinHandle<T>) {
    login.abort();
    assert!(login.await.is_err_and(|error| error.is_cancelled()));
}
