//! HTTP/2, if it is configured.

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tower_jverify::Class;

use super::{
    support::{PASS, Server, assert_silent, client, number},
    tls::Tls,
};

async fn pass(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    assert_eq!(request.version(), Version::HTTP_2);
    assert_eq!(request.uri().path(), "/v2/web/verify");
    Ok(Response::new(Full::new(Bytes::from_static(PASS.as_bytes()))))
}

#[tokio::test]
async fn over_tls_many_checks_share_one_connection() {
    let tls = Tls::trusted_with(&["h2"]);
    let acceptor = tls.acceptor.clone();
    let server = Server::start(move |conn| {
        let acceptor = acceptor.clone();
        async move {
            let stream = acceptor.accept(conn.into_inner()).await.unwrap();
            let _ = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service_fn(pass))
                .await;
        }
    })
    .await;
    let url = format!("https://localhost:{}", server.port());
    let jpush = client(&url).http2().extra_root_pem(tls.root.as_bytes()).build().unwrap();
    let told = join_all((0..20).map(|_| jpush.ask(number()))).await;
    assert!(told.into_iter().all(|told| told.unwrap().class() == Class::Passed));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn on_loopback_it_needs_no_negotiation() {
    let server = Server::start(|conn| async move {
        let io = TokioIo::new(conn.into_inner());
        let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(io, service_fn(pass)).await;
    })
    .await;
    assert!(client(&server.url()).http2().build().unwrap().ask(number()).await.unwrap().class().is_pass());
}

#[tokio::test]
async fn a_server_that_has_only_http1_gets_no_request() {
    let tls = Tls::trusted();
    let acceptor = tls.acceptor.clone();
    let server = Server::start(move |conn| super::tls::answer(acceptor.clone(), conn, String::new())).await;
    let url = format!("https://localhost:{}", server.port());
    let jpush = client(&url).http2().extra_root_pem(tls.root.as_bytes()).build().unwrap();
    let error = jpush.ask(number()).await.unwrap_err();
    assert!(error.is_connect() && error.nothing_sent(), "{error:?}");
    assert!(server.requests().is_empty());
    assert_silent(&error);
}
