//! `warm` and `keep_warm`: a connection before the first check.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{sleep, timeout},
};
use tower_jverify::{JPush, JPushBuilder};

use super::{
    support::{Conn, PASS, Server, assert_silent, client, credentials, http, number},
    tls::{self, Tls},
};

const LONG: Duration = Duration::from_secs(10);

/// A server that answers, and a receiver of the numbers of connections on which clients have left.
async fn answering() -> (Server, UnboundedReceiver<usize>) {
    let (sender, left) = unbounded_channel();
    let server = Server::start(move |mut conn: Conn| {
        let sender = sender.clone();
        async move {
            while conn.request().await.is_some() {
                conn.write(http(200, PASS)).await;
            }
            let _ = sender.send(conn.number);
        }
    })
    .await;
    (server, left)
}

/// Waits until a server has seen so many connections.
async fn connections(server: &Server, count: usize) {
    let reached = async {
        while server.connections() < count {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, reached).await.unwrap_or_else(|_| panic!("{} connections, not {count}", server.connections()));
}

async fn passes(jpush: &JPush) {
    assert!(jpush.ask(number()).await.unwrap().class().is_pass());
}

#[tokio::test]
async fn warm_dials_and_sends_nothing_and_the_next_check_takes_the_connection() {
    let tls = Tls::trusted();
    let acceptor = tls.acceptor.clone();
    let server = Server::start(move |conn| tls::answer(acceptor.clone(), conn, http(200, PASS))).await;
    let url = format!("https://localhost:{}", server.port());
    let jpush = client(&url).extra_root_pem(tls.root.as_bytes()).build().unwrap();
    for _ in 0..3 {
        jpush.warm().await.unwrap();
    }
    assert_eq!((server.connections(), server.requests().len()), (1, 0));
    passes(&jpush).await;
    passes(&jpush).await;
    assert_eq!((server.connections(), server.requests().len()), (1, 2));
}

#[tokio::test]
async fn over_http2_as_well_though_the_server_speaks_first() {
    async fn pass(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        Ok(Response::new(Full::new(Bytes::from_static(PASS.as_bytes()))))
    }
    let tls = Tls::trusted_with(&["h2"]);
    let acceptor = tls.acceptor.clone();
    let server = Server::start(move |conn| {
        let acceptor = acceptor.clone();
        async move {
            let stream = acceptor.accept(conn.into_inner()).await.unwrap();
            let serve = http2::Builder::new(TokioExecutor::new());
            let _ = serve.serve_connection(TokioIo::new(stream), service_fn(pass)).await;
        }
    })
    .await;
    let url = format!("https://localhost:{}", server.port());
    let jpush = client(&url).http2().extra_root_pem(tls.root.as_bytes()).build().unwrap();
    jpush.warm().await.unwrap();
    // The server's settings arrive.
    sleep(Duration::from_millis(50)).await;
    passes(&jpush).await;
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_dial_that_fails_is_the_error_of_a_failed_dial() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = client(&format!("http://{free}")).build().unwrap().warm().await.unwrap_err();
    assert!(error.is_connect() && error.nothing_sent() && !error.is_exhausted(), "{error:?}");
    assert_eq!(error.cause(), "no connection: tcp error");
    assert_silent(&error);
}

#[tokio::test]
async fn a_connection_that_the_server_ended_or_spoke_on_is_not_taken() {
    for unasked in ["", &http(200, PASS)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let jpush = client(&format!("http://{}", listener.local_addr().unwrap())).build().unwrap();
        let (warmed, accepted) = tokio::join!(jpush.warm(), listener.accept());
        warmed.unwrap();
        let (mut spare, _) = accepted.unwrap();
        spare.write_all(unasked.as_bytes()).await.unwrap();
        // Either the connection ends, or the reply stays where the next check would find it.
        let kept = (!unasked.is_empty()).then_some(spare);
        sleep(Duration::from_millis(50)).await;

        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            stream
        };
        let asked = tokio::spawn(jpush.ask(number()));
        let stream = timeout(LONG, server).await.expect("the check dials anew");
        asked.abort();
        drop((stream, kept));
    }
}

#[tokio::test]
async fn a_connection_that_no_check_takes_is_closed_after_the_idle_timeout() {
    let (server, mut left) = answering().await;
    let jpush = client(&server.url()).idle_timeout(Duration::from_millis(200)).build().unwrap();
    jpush.warm().await.unwrap();
    assert_eq!(timeout(LONG, left.recv()).await.unwrap(), Some(0));
    passes(&jpush).await;
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn one_connection_is_kept_warm_from_the_first_check_on_until_the_last_client_is_gone() {
    let (server, mut left) = answering().await;
    let jpush = client(&server.url()).keep_warm().build().unwrap();
    assert_eq!(server.connections(), 0, "a client that is built dials nothing");
    passes(&jpush).await;
    connections(&server, 2).await;
    assert_eq!(server.requests().len(), 1, "nothing is sent on the other");

    // Two checks at a time: one takes the pool's connection, the other the spare one, which is replaced.
    let (one, other) = tokio::join!(jpush.ask(number()), jpush.ask(number()));
    assert!(one.unwrap().class().is_pass() && other.unwrap().class().is_pass());
    connections(&server, 3).await;

    let clone = jpush.clone();
    drop(jpush);
    passes(&clone).await;
    drop(clone);
    let mut numbers = Vec::new();
    while numbers.len() < 3 {
        numbers.push(timeout(LONG, left.recv()).await.expect("each connection is closed").unwrap());
    }
    sleep(Duration::from_millis(50)).await;
    assert_eq!(server.connections(), 3, "and none is dialled any more");
}

#[tokio::test]
async fn a_warm_connection_that_the_server_closes_is_replaced() {
    let server = Server::start(|mut conn: Conn| async move {
        if conn.number == 0 {
            // Long enough not to look like a server that ends connections at once.
            return sleep(Duration::from_millis(1100)).await;
        }
        conn.request().await;
        conn.write(http(200, PASS)).await;
    })
    .await;
    let jpush = client(&server.url()).keep_warm().build().unwrap();
    jpush.warm().await.unwrap();
    connections(&server, 2).await;
    passes(&jpush).await;
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_client_outlives_the_runtime_that_its_warm_connection_was_kept_on() {
    let run = |future: &dyn Fn() -> std::pin::Pin<Box<dyn Future<Output = ()>>>| {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future());
    };
    let server_runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (server, _left) = server_runtime.block_on(answering());
    let jpush = client(&server.url()).keep_warm().build().unwrap();
    let server = Arc::new(server);
    for runtime in 1..=2 {
        let (jpush, server) = (jpush.clone(), Arc::clone(&server));
        run(&move || {
            let (jpush, server) = (jpush.clone(), Arc::clone(&server));
            Box::pin(async move {
                jpush.warm().await.unwrap();
                connections(&server, runtime).await;
            })
        });
    }
}

#[tokio::test]
async fn another_transport_dials_nothing() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let transport = tower::service_fn(move |_: Request<Full<Bytes>>| {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::new()))) }
    });
    JPush::builder(credentials()).transport(transport).build().unwrap().warm().await.unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    // Under other layers it is still the default transport that is warm.
    let (server, _left) = answering().await;
    let limited: JPushBuilder = client(&server.url());
    limited.build().unwrap().boxed().warm().await.unwrap();
    connections(&server, 1).await;
}
