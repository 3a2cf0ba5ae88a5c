//! Connects to JPush: directly, or through a tunnel of an HTTP proxy (`CONNECT`).

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

use http::Uri;
use hyper_util::{
    client::legacy::connect::{HttpConnector, proxy::Tunnel},
    rt::TokioIo,
};
use tokio::net::TcpStream;
use tower_service::Service;

use super::{
    BoxError,
    errors::{DnsError, ProxyError},
    proxy::Proxy,
    resolve::Resolver,
};
use crate::failure::chain;

type Tcp = HttpConnector<Resolver>;

/// A type whose name hyper-util does not export.
type TunnelError = <Tunnel<Tcp> as Service<Uri>>::Error;

/// Connects to a host, before TLS.
#[derive(Clone, Debug)]
pub(super) struct Route(Way);

#[derive(Clone, Debug)]
enum Way {
    Direct(Tcp),
    Proxied(Tunnel<Tcp>),
}

// === impl Route ===

impl Route {
    pub(super) fn new(tcp: Tcp, proxy: Option<&Proxy>) -> Self {
        let Some(proxy) = proxy else { return Self(Way::Direct(tcp)) };
        let tunnel = Tunnel::new(proxy.uri().clone(), tcp);
        Self(Way::Proxied(match proxy.authorization() {
            Some(authorization) => tunnel.with_auth(authorization.clone()),
            None => tunnel,
        }))
    }
}

impl Service<Uri> for Route {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    /// Always ready, as the resolver is.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        match &mut self.0 {
            Way::Direct(tcp) => {
                let connect = tcp.call(destination);
                Box::pin(async move { connect.await.map_err(Into::into) })
            }
            Way::Proxied(tunnel) => {
                let connect = tunnel.call(destination);
                Box::pin(async move { connect.await.map_err(|error| untunnelled(error).into()) })
            }
        }
    }
}

/// Why the proxy opened no tunnel. The proxy has seen the destination and its password, and nothing of a check.
fn untunnelled(error: TunnelError) -> ProxyError {
    let step = match &error {
        TunnelError::ConnectFailed(error) if chain(&**error).any(<dyn Error>::is::<DnsError>) => "proxy dns error",
        TunnelError::ConnectFailed(_) => "proxy tcp error",
        TunnelError::ProxyAuthRequired => "proxy asks for another user or password",
        // A status other than 200, or not HTTP.
        TunnelError::TunnelUnsuccessful | TunnelError::ProxyHeadersTooLong | TunnelError::MissingHost => {
            "proxy opens no tunnel"
        }
        TunnelError::TunnelUnexpectedEof | TunnelError::Io(_) => "proxy closed the connection",
    };
    ProxyError { step, source: Some(error.into()) }
}
