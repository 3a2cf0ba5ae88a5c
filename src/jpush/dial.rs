//! One connection, in one time: DNS, TCP and TLS together.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use tokio::net::TcpStream;
use tower_service::Service;

use super::{BoxError, call_error::DialTimeout};

/// The connector, under a timeout. It dials the base URL and nothing else, whatever a request's URI says.
///
/// Shared by an `Arc`, because the pool clones its connector for every request, and boxed, because the pool carries
/// the dial's future in every request's future, also when it takes a connection that is there.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    connector: Arc<HttpsConnector<HttpConnector>>,
    base: Uri,
    timeout: Duration,
}

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

// === impl Dial ===

impl Dial {
    pub(super) fn new(connector: HttpsConnector<HttpConnector>, base: Uri, timeout: Duration) -> Self {
        Self { connector: Arc::new(connector), base, timeout }
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
        let Self { connector, base, timeout } = self.clone();
        Box::pin(async move {
            let connect = HttpsConnector::clone(&connector).call(base);
            tokio::time::timeout(timeout, connect).await.unwrap_or_else(|_| Err(DialTimeout.into()))
        })
    }
}
