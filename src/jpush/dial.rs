//! One connection, in one time: DNS, TCP and TLS together.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
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
use tokio::net::TcpStream;
use tower_service::Service;

use super::{BoxError, call_error::DialTimeout};

/// The connector, under a timeout. It dials the base URL and nothing else, whatever a request's URI says.
///
/// Behind an `Arc`, because the pool clones its connector several times for every request, and boxed, because the pool
/// carries the dial's future in every request's future, also when it takes a connection that is there.
#[derive(Clone, Debug)]
pub(super) struct Dial(Arc<Dialled>);

#[derive(Debug)]
struct Dialled {
    connector: HttpsConnector<HttpConnector>,
    base: Uri,
    timeout: Duration,
}

/// A connection that tells nothing of itself. The connector's own would put both of its addresses into the extensions of
/// every reply (`HttpInfo`), where nobody looks for them: three allocations a reply.
#[derive(Debug)]
pub(super) struct Stream(MaybeHttpsStream<TokioIo<TcpStream>>);

// === impl Dial ===

impl Dial {
    pub(super) fn new(connector: HttpsConnector<HttpConnector>, base: Uri, timeout: Duration) -> Self {
        Self(Arc::new(Dialled { connector, base, timeout }))
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
            let connect = dialled.connector.clone().call(dialled.base.clone());
            tokio::time::timeout(dialled.timeout, connect).await.unwrap_or_else(|_| Err(DialTimeout.into())).map(Stream)
        })
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
