//! Clients that leave, over real sockets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, response::IntoResponse, routing::post};
use bytes::Bytes;
use http_body_util::Full;
use tokio::{io::AsyncWriteExt, net::TcpListener, net::TcpStream, task::JoinSet, time::timeout};
use tower_jverify::{JVerifyLayer, Prove, Rule, captcha, number};

use super::rule;
use crate::{
    load::Slow,
    support::{LOGIN, http2, post_json, serve},
};

const BOTH: &str = r#"{"captchaContent":"c","token":"t","phone":"13812345678"}"#;

/// Serves `POST /login`, whose handler counts how often it began, and asks.
async fn application(layer: &JVerifyLayer<Slow>) -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let started = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&started);
    let login = move |prove: Prove| async move {
        counted.fetch_add(1, Ordering::SeqCst);
        prove.now().await.map(|_| "verified").map_err(IntoResponse::into_response)
    };
    let router = Router::new().route("/login", post(login));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = layer.around(router);
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, started)
}

async fn until(what: impl Fn() -> bool) {
    let long = Duration::from_secs(30);
    let waits = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(long, waits).await.expect("it happens at last");
}

#[tokio::test]
async fn a_client_that_closes_its_connection_leaves_a_check_that_is_finished() {
    let slow = Slow::taking(300);
    let rule = Rule::post("/login", captcha().then(number())).on_demand();
    let layer = crate::support::asking(slow.clone()).rule(rule).build().unwrap();
    let (address, _) = application(&layer).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length:";
    stream.write_all(format!("{head} {}\r\n\r\n{BOTH}", BOTH.len()).as_bytes()).await.unwrap();
    until(|| slow.started() == 1).await;
    drop(stream);
    until(|| slow.answered() == 1).await;
    layer.drained().await;
    assert_eq!((slow.started(), slow.answered()), (1, 1), "the captcha is finished, and the number is not started");
}

#[tokio::test]
async fn one_connection_that_resets_its_streams_holds_no_more_than_its_places() {
    const IN_FLIGHT: usize = 4;
    let slow = Slow::taking(300);
    let layer = crate::support::asking(slow.clone()).rule(rule()).in_flight(IN_FLIGHT).build().unwrap();
    let (address, runs) = application(&layer).await;
    // `axum::serve` speaks HTTP/2 with prior knowledge under axum's feature `http2`.
    let client = http2::<Full<Bytes>>(address).await;
    for _ in 0..4 {
        let mut streams = JoinSet::new();
        for _ in 0..2 * IN_FLIGHT {
            let mut client = client.clone();
            let mut request = post_json("/login", LOGIN);
            *request.uri_mut() = format!("http://{address}/login").parse().unwrap();
            // Dropped, the response's future resets its stream.
            streams
                .spawn(async move { timeout(Duration::from_millis(20), client.send_request(request)).await.is_ok() });
        }
        streams.join_all().await;
    }
    layer.drained().await;
    assert!(slow.started() >= IN_FLIGHT && runs.load(Ordering::SeqCst) > IN_FLIGHT);
    assert_eq!(slow.most(), IN_FLIGHT);
    assert_eq!(slow.answered(), slow.started());
}

#[tokio::test]
async fn a_backend_in_another_process_reads_that_nothing_was_asked() {
    use crate::support::{Application, Verifier, builder, exchange};
    use tower::Layer;
    let verifier = Verifier::passing();
    let backend = Application::default();
    let layer = builder(&verifier).rule(rule()).build().unwrap();
    // The backend is behind a socket, and the inner service forwards to it.
    let address = serve(backend.clone()).await;
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    let forward =
        tower::service_fn(move |request: http::Request<tower_jverify::RequestBody<hyper::body::Incoming>>| {
            let client = client.clone();
            async move {
                let (mut parts, body) = request.into_parts();
                parts.uri = format!("http://{address}{}", parts.uri.path()).parse()?;
                parts.extensions.clear();
                Ok::<_, tower::BoxError>(client.request(http::Request::from_parts(parts, Box::pin(body))).await?)
            }
        });
    let gateway = serve(layer.layer(forward)).await;
    let request = format!(
        "POST /login HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-jverify-decision: allow\r\nX_JVERIFY_DECISION: allow\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{LOGIN}",
        LOGIN.len()
    );
    assert!(exchange(gateway, request).await.starts_with("HTTP/1.1 200"));
    let head = backend.last().parts.headers;
    let ours: Vec<_> = head.iter().filter(|(name, _)| name.as_str().contains("jverify")).collect();
    let ours: Vec<_> = ours.into_iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(ours, [("x-jverify-decision", "not-asked")]);
    assert_eq!(verifier.calls(), 0);
}
