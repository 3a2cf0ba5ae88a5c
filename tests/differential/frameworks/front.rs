//! A reverse proxy in this process, with or without the layer. It forwards every header except those of one connection, so that
//! only the layer protects the backend.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
};

use bytes::Bytes;
use http::{
    Request, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::{TcpListener, TcpStream};
use tower::{BoxError, Service, ServiceBuilder, service_fn};
use tower_jverify::{
    Check, Class, Coding, ForeignBackend, Guards, HandOn, JVerifyLayer, Media, Question, Rule, Verdict,
};

use super::MINE;

/// How the layer is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    Foreign,
    /// Both, as in `examples/hyper_proxy.rs`.
    ForeignCanonical,
    Canonical,
}

impl Guard {
    pub(crate) const ALL: [Self; 3] = [Self::Foreign, Self::ForeignCanonical, Self::Canonical];
}

type JPush = tower::util::ServiceFn<fn(Check) -> Ready<Result<Verdict, Infallible>>>;

/// Confirms the attacker's own phone and no other.
#[allow(clippy::needless_pass_by_value)]
fn jpush(check: Check) -> Ready<Result<Verdict, Infallible>> {
    let mine = matches!(check.question(), Question::Number { phone, .. } if phone.as_str() == MINE);
    ready(Ok(Verdict::new(check.kind(), if mine { Class::Passed } else { Class::Rejected })))
}

fn layer(guard: Guard, rule: Rule) -> JVerifyLayer<JPush> {
    let mut builder = JVerifyLayer::builder(service_fn(jpush as fn(Check) -> _)).guards(&one_token_again()).rule(rule);
    builder = match guard {
        Guard::Foreign => builder.accept([Media::Json, Media::Form, Media::Multipart]),
        Guard::ForeignCanonical | Guard::Canonical => builder,
    };
    builder = match guard {
        Guard::Foreign | Guard::ForeignCanonical => builder.foreign_backend(ForeignBackend::any()),
        Guard::Canonical => builder,
    };
    builder = match guard {
        Guard::ForeignCanonical | Guard::Canonical => builder.canonical_body(true),
        Guard::Foreign => builder,
    };
    builder.decode([Coding::Gzip], HandOn::Decoded).build().unwrap()
}

/// Serves a proxy to this backend until the test ends.
pub(crate) async fn front(backend: SocketAddr, guard: Option<(Guard, Rule)>) -> SocketAddr {
    match guard {
        None => serve(service_fn(move |request: Request<Incoming>| forward(backend, request))).await,
        Some((guard, rule)) => {
            let layer = layer(guard, rule);
            serve(ServiceBuilder::new().layer(layer).service_fn(move |request| forward(backend, request))).await
        }
    }
}

async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

async fn forward<B>(backend: SocketAddr, request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    Ok(exchange(backend, request).await.unwrap_or_else(|_| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    }))
}

async fn exchange<B>(backend: SocketAddr, request: Request<B>) -> Result<Response<Full<Bytes>>, BoxError>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map_err(Into::into)?.to_bytes();
    parts.uri = parts.uri.path_and_query().map_or("/", |target| target.as_str()).parse()?;
    parts.version = Version::HTTP_11;
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        parts.headers.remove(name);
    }
    let stream = TokioIo::new(TcpStream::connect(backend).await?);
    let (mut client, connection) = conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    client.ready().await?;
    let response = client.send_request(Request::from_parts(parts, Full::new(body))).await?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = parts.status;
    Ok(response)
}

/// The tests send one token again and again.
fn one_token_again() -> Guards {
    Guards::builder().without_replay_guard().without_client_limits().build().unwrap()
}
