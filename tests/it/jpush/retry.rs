//! JPush receives a check at most once.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use http::{Request, Response};
use http_body_util::Full;
use tower::limit::ConcurrencyLimit;
use tower_jverify::{Check, JPush, Phone};

use super::support::{PASS, PHONE, Server, assert_silent, client, credentials, http, number};

fn check(token: String) -> Check {
    Check::number(token, Phone::parse(PHONE).unwrap())
}

const ANONYMOUS_PASS: &str = "{\"code\":9000}";

#[tokio::test]
async fn a_connection_that_ends_before_the_reply_is_not_tried_again() {
    for beginning in ["", "HTTP/1.1 200 OK\r\ncontent-le"] {
        let server = Server::start(move |mut conn| async move {
            conn.request().await;
            conn.write(beginning).await;
        })
        .await;
        let error = client(&server.url()).build().unwrap().ask(number()).await.unwrap_err();
        assert!(!error.nothing_sent() && !error.is_connect() && !error.is_timeout(), "{error:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!((server.connections(), server.requests().len()), (1, 1));
        assert_silent(&error);
    }
}

#[tokio::test]
async fn a_reset_after_the_request_is_not_tried_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let server = tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            // Bytes that were not read make the close a reset.
            let _ = tokio::io::AsyncReadExt::read(&mut tcp, &mut [0; 16]).await;
            tcp.set_zero_linger().unwrap();
        }
    });
    let error = client(&url).build().unwrap().ask(number()).await.unwrap_err();
    assert!(!error.nothing_sent(), "{error:?}");
    assert_silent(&error);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    server.abort();
}

#[tokio::test]
async fn a_dial_that_fails_is_tried_once_more_and_the_request_goes_out_once() {
    // The first connection ends inside the TLS handshake, the second becomes one.
    let tls = super::tls::Tls::trusted();
    let acceptor = tls.acceptor.clone();
    let server = Server::start(move |conn| {
        let acceptor = acceptor.clone();
        async move {
            if conn.number == 0 {
                return;
            }
            super::tls::answer(acceptor, conn, http(200, PASS)).await;
        }
    })
    .await;
    let jpush =
        client(&format!("https://localhost:{}", server.port())).extra_root_pem(tls.root.as_bytes()).build().unwrap();
    assert!(jpush.ask(number()).await.unwrap().class().is_pass());
    assert_eq!((server.connections(), server.requests().len()), (2, 1));
}

#[tokio::test]
async fn a_kept_connection_that_closes_as_we_write_never_brings_a_request_twice() {
    // Answers once and closes after a moment that is different each time: before, while and after the next request.
    let server = Server::start(|mut conn| async move {
        if conn.request().await.is_none() || !conn.write(http(200, ANONYMOUS_PASS)).await {
            return;
        }
        for _ in 0..conn.number % 13 {
            tokio::task::yield_now().await;
        }
        if conn.number % 3 == 0 {
            // The next one is read, whole, and never answered.
            conn.request().await;
        }
    })
    .await;
    let jpush = client(&server.url()).build().unwrap();
    let mut failed = 0;
    for round in 0..300 {
        let told = jpush.ask(check(format!("token-{round}-"))).await;
        failed += usize::from(told.is_err_and(|error| !error.nothing_sent()));
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut times = HashMap::<String, usize>::new();
    for request in server.requests() {
        let token = request.split("\"token\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        *times.entry(token).or_default() += 1;
    }
    assert!(times.values().all(|&times| times == 1), "{times:?}");
    assert!(failed > 0, "the race was run");
    assert!(times.len() >= 200, "and most got through");
}

#[tokio::test]
async fn a_foreign_transports_error_is_never_tried_again() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let transport = tower::service_fn(move |_: Request<Full<bytes::Bytes>>| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Err::<Response<String>, _>(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)) }
    });
    let jpush = JPush::builder(credentials()).transport(transport).build().unwrap();
    let error = jpush.ask(number()).await.unwrap_err();
    assert!(!error.nothing_sent());
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_transport_that_was_ready_is_the_one_that_is_called() {
    // Tower's limit panics when it is called without having been ready.
    let server = Server::answering(http(200, ANONYMOUS_PASS)).await;
    let jpush = client(&server.url()).build().unwrap().map_transport(|transport| ConcurrencyLimit::new(transport, 1));
    let told = join_all((0..20).map(|n| jpush.ask(check(n.to_string())))).await;
    assert!(told.into_iter().all(|told| told.unwrap().class().is_pass()));
    assert_eq!(server.connections(), 1, "the limit held");
}

#[tokio::test]
async fn a_limit_around_a_dial_that_fails_does_not_lock_the_second_try_out() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let jpush = client(&format!("http://{free}"))
        .build()
        .unwrap()
        .map_transport(|transport| ConcurrencyLimit::new(transport, 1));
    for _ in 0..3 {
        let error = jpush.ask(number()).await.unwrap_err();
        assert!(error.is_connect() && !error.is_timeout(), "{error:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_the_client_as_it_was() {
    let server = Server::answering(http(200, PASS)).await;
    let jpush = client(&server.url()).build().unwrap().map_transport(|transport| ConcurrencyLimit::new(transport, 1));
    for polls in 0..6 {
        let mut call = Box::pin(jpush.ask(number()));
        for _ in 0..polls {
            tokio::select! {
                biased;
                _ = &mut call => break,
                () = tokio::task::yield_now() => {}
            }
        }
        drop(call);
        assert!(jpush.ask(number()).await.unwrap().class().is_pass());
    }
}
