//! A service that takes only `Request<Incoming>`, behind the layer: over a connection in memory.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Uri, Version, header::HOST};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{
    body::Incoming,
    client::conn::http2,
    service::{Service, service_fn},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tower::{BoxError, Layer};
use tower_jverify::{Decision, RequestBody, Rule, TrustedHeadersError, number};

use super::ask;
use crate::support::{LOGIN, Verifier, builder, code, exchange, http2 as client, login_layer, serve};

// begin: as in docs/integrations.md
/// Serves a `hyper` service that takes `Request<Incoming>` over one HTTP/2 connection in memory, and returns its client.
async fn over_memory<S, RB>(service: S) -> hyper::Result<http2::SendRequest<RequestBody<Incoming>>>
where
    S: Service<Request<Incoming>, Response = Response<RB>, Future: Send> + Send + 'static,
    S::Error: Into<BoxError>,
    RB: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let (client, server) = tokio::io::duplex(64 * 1024);
    let mut http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    // Both ends are ours. With these limits a client that cancels many requests would end the connection for all.
    http2.max_pending_accept_reset_streams(usize::MAX).max_local_error_reset_streams(None).max_concurrent_streams(None);
    let server = http2.serve_connection(TokioIo::new(server), service);
    tokio::spawn(server);
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(client)).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// HTTP/2 needs a scheme and an authority; the path stays as it came.
fn absolute(mut request: Request<RequestBody<Incoming>>) -> Request<RequestBody<Incoming>> {
    let mut parts = request.uri().clone().into_parts();
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()?.parse().ok());
    parts.authority = parts.authority.or(host).or_else(|| "localhost".parse().ok());
    parts.scheme = Some(http::uri::Scheme::HTTP);
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    *request.version_mut() = Version::HTTP_2;
    request
}
// end

/// Says what reached it: the decision, the body's length and the trailers.
async fn application(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, BoxError> {
    let decision = match Decision::from_trusted_headers(request.headers(), "x-jverify") {
        Ok(decision) => format!("{} {:?}", decision.is_verified(), decision.phone()),
        Err(TrustedHeadersError::NotDecided) => "not decided".to_owned(),
        Err(error) => return Err(error.into()),
    };
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?;
    let trailers: Vec<_> = body.trailers().into_iter().flat_map(HeaderMap::keys).map(ToString::to_string).collect();
    Ok(Response::new(Full::from(format!("{path} {decision} {} {trailers:?}", body.to_bytes().len()))))
}

#[tokio::test]
async fn a_service_of_incoming_is_guarded_over_a_connection_in_memory() {
    let verifier = Verifier::passing();
    let rule = Rule::post("/login", number()).forward_phone(true);
    let layer = builder(&verifier).rule(rule).build().unwrap();
    let inner = over_memory(service_fn(application)).await.unwrap();
    let inner = tower::service_fn(move |request| {
        let mut inner = inner.clone();
        async move { inner.send_request(absolute(request)).await }
    });
    let server = serve(layer.layer(inner)).await;
    let length = LOGIN.len();
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let response = ask(server, version, "/login", LOGIN).await;
        let expected = format!("/login true Some(138****5678) {length} []");
        assert_eq!((response.status().as_u16(), response.body()), (200, &expected.into()), "{version:?}");
        let response = ask(server, version, "/Login/", "{}").await;
        assert_eq!((response.status().as_u16(), code(&response).as_str()), (400, "proof_missing"), "{version:?}");
        let large = "x".repeat(1 << 20);
        let response = ask(server, version, "/health%20x", &large).await;
        assert_eq!(response.body(), &format!("/health%20x not decided {} []", 1 << 20), "{version:?}");
    }
    // Trailers go with it, but for those that forge ours.
    let mut trailers = HeaderMap::new();
    trailers.insert("x-jverify-decision", HeaderValue::from_static("allow"));
    trailers.insert("x-sum", HeaderValue::from_static("1"));
    let frames = [Frame::data(Bytes::from_static(b"abc")), Frame::trailers(trailers)];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, std::convert::Infallible>)));
    let request = Request::post(format!("http://{server}/health")).body(body).unwrap();
    let answer =
        client(server).await.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(answer, "/health not decided 3 [\"x-sum\"]");
    // A host that is not a valid authority.
    let request = "GET /health HTTP/1.0\r\nconnection: close\r\n\r\n";
    assert!(exchange(server, request).await.ends_with("/health not decided 0 []"));
    assert_eq!(verifier.calls(), 2);
}

/// A connection carries 200 requests at a time, unless its server says otherwise.
#[tokio::test]
async fn more_requests_than_a_connection_usually_carries_are_in_flight_together() {
    const REQUESTS: usize = 250;
    let all = Arc::new(tokio::sync::Barrier::new(REQUESTS));
    let waiting = service_fn(move |request: Request<Incoming>| {
        let all = Arc::clone(&all);
        async move {
            all.wait().await;
            application(request).await
        }
    });
    let inner = over_memory(waiting).await.unwrap();
    let inner = tower::service_fn(move |request| {
        let mut inner = inner.clone();
        async move { inner.send_request(absolute(request)).await }
    });
    let server = serve(login_layer(&Verifier::passing()).layer(inner)).await;
    let asked = (0..REQUESTS).map(|_| ask(server, Version::HTTP_11, "/health", "x"));
    let answers = tokio::time::timeout(Duration::from_secs(30), futures_util::future::join_all(asked)).await;
    assert!(answers.expect("all are in flight").iter().all(|response| response.status() == 200));
}

#[test]
fn the_document_has_this_program() {
    let (here, document) = (include_str!("incoming.rs"), include_str!("../../../docs/integrations.md"));
    let program =
        here.split("// begin: as in docs/integrations.md\n").nth(1).unwrap().split("// end\n").next().unwrap();
    assert!(document.contains(program), "docs/integrations.md has another program");
}
