//! One connection, in one time: DNS, TCP and TLS together.
//!
//! A dial that fails because this process lacks something says so ([`Exhausted`]): a client can bring that about, and must
//! not look like an outage of JPush.

use std::{
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tower_service::Service;

use super::{BoxError, errors::DialTimeout, resolve::Resolver};
use crate::exhaustion::{Exhausted, is_exhausted, lacks_sockets};

/// For this long after a dial that failed for want of something, others that fail count as such: between their failure
/// and the look for sockets, a file descriptor may come free, and clients can arrange for that.
const SHADOW: Duration = Duration::from_secs(2);

/// A timeout that fires this late was not JPush's doing: the runtime itself did not get to run.
const LATE: Duration = Duration::from_secs(1);

/// The connector, under a timeout. It dials the base URL and nothing else, whatever a request's URI says.
///
/// Behind an `Arc`, because the pool clones its connector several times for every request, and boxed, because the pool
/// carries the dial's future in every request's future, also when it takes a connection that is there.
#[derive(Clone, Debug)]
pub(super) struct Dial(Arc<Dialled>);

#[derive(Debug)]
struct Dialled {
    connector: HttpsConnector<HttpConnector<Resolver>>,
    resolver: Resolver,
    base: Uri,
    timeout: Duration,
    /// When this process last lacked something.
    lacked: Mutex<Option<Instant>>,
}

/// A connection that tells nothing of itself. The connector's own would put both of its addresses into the extensions of
/// every reply (`HttpInfo`), where nobody looks for them: three allocations a reply.
#[derive(Debug)]
pub(super) struct Stream(MaybeHttpsStream<TokioIo<TcpStream>>);

// === impl Dial ===

impl Dial {
    /// `resolver` is the connector's.
    pub(super) fn new(
        connector: HttpsConnector<HttpConnector<Resolver>>,
        resolver: Resolver,
        base: Uri,
        timeout: Duration,
    ) -> Self {
        Self(Arc::new(Dialled { connector, resolver, base, timeout, lacked: Mutex::default() }))
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
        let dialled = Arc::clone(&self.0);
        Box::pin(async move {
            let began = Instant::now();
            let connect = dialled.connector.clone().call(dialled.base.clone());
            // Not dropped before it is known why it failed: a lookup that waits for a thread is to be seen waiting.
            let mut connect = pin!(timeout(dialled.timeout, connect));
            match connect.as_mut().await {
                Ok(Ok(stream)) => Ok(Stream(stream)),
                Ok(Err(error)) => Err(dialled.explain(error, false)),
                Err(_) => {
                    let is_late = began.elapsed() >= dialled.timeout.saturating_add(LATE);
                    Err(dialled.explain(DialTimeout.into(), is_late || dialled.resolver.is_waiting()))
                }
            }
        })
    }
}

// === impl Dialled ===

impl Dialled {
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

// === impl Stream ===

impl Connection for Stream {
    /// Nor of a protocol: without HTTP/2 the connector offers none by ALPN, and with it the pool speaks nothing else.
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }
}
