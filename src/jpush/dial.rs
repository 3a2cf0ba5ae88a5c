//! One connection, in one time: DNS, TCP, proxy and TLS together.
//!
//! A dial that fails because this process lacks something says so ([`Exhausted`]): a client can bring that about, and must
//! not look like an outage of JPush.

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

/// For this long after a dial that failed for want of something, others that fail count as such: between their failure
/// and the look for sockets, a file descriptor may come free, and clients can arrange for that.
const SHADOW: Duration = Duration::from_secs(2);

/// A timeout that fires this late was not JPush's doing: the runtime itself did not get to run.
const LATE: Duration = Duration::from_secs(1);

/// The connector, under a timeout. It dials the base URL and nothing else, whatever a request's URI says. Where a connection
/// is spare, it takes that one.
///
/// Behind an `Arc`, and its future boxed, because hyper-util's client (HTTP/2) clones its connector several times for every request,
/// and carries the dial's future in every request's future, also when it takes a connection that is there.
#[derive(Clone, Debug)]
pub(super) struct Dial(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    dialler: Arc<Dialler>,
    spare: Arc<Spare<Stream>>,
    keeps_warm: bool,
    /// What keeps a connection spare. It is started by the first dial: a client is built without a runtime.
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// What a dial needs.
#[derive(Debug)]
pub(super) struct Dialler {
    pub(super) connector: HttpsConnector<Route>,
    /// The connector's.
    pub(super) resolver: Resolver,
    pub(super) base: Uri,
    pub(super) timeout: Duration,
    pub(super) http2: bool,
    /// When this process last lacked something.
    pub(super) lacked: Mutex<Option<Instant>>,
}

// === impl Dial ===

impl Dial {
    /// A spare connection is kept for `lasts`; with `keeps_warm` there always is one.
    pub(super) fn new(dialler: Dialler, lasts: Duration, keeps_warm: bool) -> Self {
        Self(Arc::new(Shared {
            dialler: Arc::new(dialler),
            spare: Arc::new(Spare::new(lasts)),
            keeps_warm,
            keeper: Mutex::default(),
        }))
    }

    /// Connects, or takes the connection that is spare.
    pub(super) async fn connect(&self) -> Result<Stream, BoxError> {
        self.0.keep();
        if self.0.spare.is_held() {
            // Lets the runtime look at its sockets: a request on a connection that has ended counts as sent.
            tokio::task::yield_now().await;
        }
        match self.0.spare.take() {
            Some(stream) => Ok(stream),
            None => self.0.dialler.dial().await,
        }
    }

    /// Dials ahead of the next dial, unless a connection is spare already.
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

    /// Always: the connector inside is, too.
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
    /// Begins to keep a connection spare, where that is wanted.
    fn keep(&self) {
        if !self.keeps_warm {
            return;
        }
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        // Finished: the runtime that it ran on has ended.
        if keeper.as_ref().is_none_or(JoinHandle::is_finished) {
            // Neither holds the client: with its last clone the task ends.
            let (spare, dialler) = (Arc::clone(&self.spare), Arc::clone(&self.dialler));
            *keeper = Some(tokio::spawn(async move { spare.keep(|| dialler.dial()).await }));
        }
    }
}

/// With the last client and its calls.
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
        // Not dropped before it is known why it failed: a lookup that waits for a thread is to be seen waiting.
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

    /// The error of a dial that failed just now: as it is, or as one for want of something.
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
