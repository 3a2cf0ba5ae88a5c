//! Dials one connection, with one timeout for DNS, TCP, proxy and TLS together.
//!
//! If a dial fails because this process lacks a resource, the error says so ([`Exhausted`]). A client can cause that, and it
//! must not look like an outage of JPush.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_rustls::HttpsConnector;
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};
use tower_service::Service;

use super::{BoxError, errors::DialTimeout, resolve::Resolver, route::Route, spare::Spare, stream::Stream};
use crate::exhaustion::{Exhausted, is_exhausted, lacks_sockets};

/// How long a dial that failed for lack of a resource affects other dials: if they fail within this time, they count as
/// failed for the same lack. Between their failure and the check for free sockets a file descriptor may become free, and
/// clients can cause that.
const SHADOW: Duration = Duration::from_secs(2);

/// If a timeout fires later than this, JPush did not cause it: the runtime was not scheduled.
const LATE: Duration = Duration::from_secs(1);

/// The connector, with a timeout. It dials the base URL only, whatever a request's URI is. It takes the spare connection if
/// there is one.
///
/// It is behind an `Arc`, and its future is boxed, because hyper-util's client (HTTP/2) clones its connector several times for
/// every request, and the future of every request contains the dial's future, even if it uses an existing connection.
#[derive(Clone, Debug)]
pub(super) struct Dial(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    dialler: Arc<Dialler>,
    spare: Arc<Spare<Stream>>,
    keeps_warm: bool,
    /// The task that keeps a spare connection. The first dial starts it, because a client is built without a runtime.
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// The settings of a dial.
#[derive(Debug)]
pub(super) struct Dialler {
    pub(super) connector: HttpsConnector<Route>,
    /// The connector's resolver, which counts the lookups that wait for a thread.
    pub(super) resolver: Resolver,
    pub(super) base: Uri,
    pub(super) timeout: Duration,
    pub(super) http2: bool,
    /// When this process last lacked a resource.
    pub(super) lacked: Mutex<Option<Instant>>,
}

// === impl Dial ===

impl Dial {
    /// A spare connection is kept for `lasts`. With `keeps_warm`, a new one always replaces it.
    pub(super) fn new(dialler: Dialler, lasts: Duration, keeps_warm: bool) -> Self {
        Self(Arc::new(Shared {
            dialler: Arc::new(dialler),
            spare: Arc::new(Spare::new(lasts)),
            keeps_warm,
            keeper: Mutex::default(),
        }))
    }

    /// Connects, or takes the spare connection.
    pub(super) async fn connect(&self) -> Result<Stream, BoxError> {
        self.0.keep();
        if self.0.spare.is_held() {
            // Lets the runtime poll its sockets, because a request on a closed connection would count as sent.
            tokio::task::yield_now().await;
        }
        match self.0.spare.take() {
            Some(stream) => Ok(stream),
            None => self.0.dialler.dial().await,
        }
    }

    /// Dials a spare connection, unless there is one.
    pub(super) async fn warm(&self) -> Result<(), BoxError> {
        if !self.0.spare.is_held() {
            self.0.spare.put(self.0.dialler.dial().await?);
            if !self.0.keeps_warm {
                let spare = Arc::clone(&self.0.spare);
                tokio::spawn(async move { spare.end().await });
            }
        }
        self.0.keep();
        Ok(())
    }
}

impl Service<Uri> for Dial {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    /// Always ready, as the inner connector is.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let dial = self.clone();
        Box::pin(async move { dial.connect().await })
    }
}

// === impl Shared ===

impl Shared {
    /// Starts the task that keeps a spare connection, if it is wanted.
    fn keep(&self) {
        if !self.keeps_warm {
            return;
        }
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        // The task has finished because its runtime has ended.
        if keeper.as_ref().is_none_or(JoinHandle::is_finished) {
            // The task does not hold the client, so it ends with the client's last clone.
            let (spare, dialler) = (Arc::clone(&self.spare), Arc::clone(&self.dialler));
            *keeper = Some(tokio::spawn(async move { spare.keep(|| dialler.dial()).await }));
        }
    }
}

/// Dropped with the last client and its calls.
impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(keeper) = &*self.keeper.lock().unwrap_or_else(PoisonError::into_inner) {
            keeper.abort();
        }
        self.spare.clear();
    }
}

// === impl Dialler ===

impl Dialler {
    async fn dial(&self) -> Result<Stream, BoxError> {
        let began = Instant::now();
        let connect = self.connector.clone().call(self.base.clone());
        // The dial is dropped only after its error is classified, so that a lookup that waits for a thread is still counted.
        let mut connect = pin!(timeout(self.timeout, connect));
        match connect.as_mut().await {
            Ok(Ok(stream)) => Ok(Stream::new(stream, self.http2)),
            Ok(Err(error)) => Err(self.explain(error, false)),
            Err(_) => {
                let is_late = began.elapsed() >= self.timeout.saturating_add(LATE);
                Err(self.explain(DialTimeout.into(), is_late || self.resolver.is_waiting()))
            }
        }
    }

    /// The error of a dial that has just failed: unchanged, or as a lack of a resource.
    fn explain(&self, error: BoxError, is_local: bool) -> BoxError {
        let is_local = is_local || is_exhausted(&*error) || lacks_sockets();
        let now = Instant::now();
        let mut lacked = self.lacked.lock().unwrap_or_else(PoisonError::into_inner);
        if is_local {
            *lacked = Some(now);
        }
        let in_shadow = lacked.is_some_and(|lacked| now.saturating_duration_since(lacked) < SHADOW);
        if in_shadow { Exhausted::with(error).into() } else { error }
    }
}
