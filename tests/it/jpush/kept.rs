//! Kept connections: which check gets one, when they end, and what is sent again over another one.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::{
        Notify,
        mpsc::{UnboundedReceiver, unbounded_channel},
    },
    time::{sleep, timeout},
};
use tower::Layer as _;
use tower_jverify::{CallError, JPush, JVerifyLayer, Rule, Verdict};

use super::{
    support::{Conn, PASS, PHONE, Server, client, http, number},
    tls::Tls,
};
use crate::support::{Application, post_json};

const LONG: Duration = Duration::from_secs(10);
/// Long enough for what happens at once.
const SHORT: Duration = Duration::from_millis(50);

/// A server that answers, and a receiver of the numbers of connections that ended.
async fn answering(delay: Duration) -> (Server, UnboundedReceiver<usize>) {
    let (sender, ended) = unbounded_channel();
    let server = Server::start(move |mut conn: Conn| {
        let sender = sender.clone();
        async move {
            while conn.request().await.is_some() {
                sleep(delay).await;
                conn.write(http(200, PASS)).await;
            }
            let _ = sender.send(conn.number);
        }
    })
    .await;
    (server, ended)
}

async fn passes(jpush: &JPush) {
    assert!(jpush.ask(number()).await.unwrap().class().is_pass());
}

/// So many checks at the same time, each in its task.
async fn burst(jpush: &JPush, checks: usize) -> Vec<Result<Verdict, CallError>> {
    let tasks = (0..checks).map(|_| tokio::spawn(jpush.ask(number())));
    join_all(tasks).await.into_iter().map(|told| told.expect("no check panics")).collect()
}

/// A runtime that does nothing outside of `block_on`.
fn still() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime for servers.
fn busy() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[tokio::test]
async fn an_unused_connection_is_closed_after_the_idle_timeout_though_nothing_is_asked() {
    let (server, mut ended) = answering(SHORT).await;
    let jpush = client(&server.url()).idle_timeout(Duration::from_millis(300)).build().unwrap();
    burst(&jpush, 3).await;
    let first = server.connections();
    for _ in 0..first {
        timeout(LONG, ended.recv()).await.expect("each is closed").unwrap();
    }
    // And again: the task that closes idle connections starts again.
    passes(&jpush).await;
    timeout(LONG, ended.recv()).await.expect("so is the next").unwrap();
    assert_eq!(server.connections(), first + 1);
}

#[test]
fn a_connection_whose_time_is_over_is_not_taken_though_nothing_has_closed_it_yet() {
    let servers = busy();
    let (server, _ended) = servers.block_on(answering(Duration::ZERO));
    let jpush = client(&server.url()).idle_timeout(Duration::from_millis(100)).build().unwrap();
    let runtime = still();
    runtime.block_on(passes(&jpush));
    std::thread::sleep(Duration::from_millis(150));
    runtime.block_on(passes(&jpush));
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn as_many_unused_connections_stay_as_are_set_and_the_last_client_ends_them() {
    let (server, mut ended) = answering(SHORT).await;
    let jpush = client(&server.url()).max_idle(2).build().unwrap();
    burst(&jpush, 6).await;
    assert_eq!(server.connections(), 6);
    for _ in 0..4 {
        timeout(LONG, ended.recv()).await.expect("four are closed").unwrap();
    }
    burst(&jpush, 2).await;
    assert_eq!(server.connections(), 6, "the two that stayed");
    drop(jpush);
    for _ in 0..2 {
        timeout(LONG, ended.recv()).await.expect("with the client").unwrap();
    }
}

#[tokio::test]
async fn a_server_that_closes_idle_connections_costs_no_check() {
    let server = Server::start(|mut conn: Conn| async move {
        while let Ok(Some(_)) = timeout(SHORT / 2, conn.request()).await {
            conn.write(http(200, PASS)).await;
        }
    })
    .await;
    let jpush = client(&server.url()).build().unwrap();
    for round in 1..=5 {
        passes(&jpush).await;
        passes(&jpush).await;
        assert_eq!((server.connections(), server.requests().len()), (round, 2 * round));
        sleep(SHORT).await;
    }
}

#[tokio::test]
async fn a_server_that_closes_after_each_answer_costs_no_check() {
    let reply = http(200, PASS).replacen("\r\n", "\r\nconnection: close\r\n", 1);
    for waits in [true, false] {
        let reply = reply.clone();
        let server = Server::start(move |mut conn: Conn| {
            let reply = reply.clone();
            async move {
                conn.request().await;
                conn.write(reply).await;
                if waits {
                    conn.request().await;
                }
            }
        })
        .await;
        let jpush = client(&server.url()).build().unwrap();
        for round in 1..=20 {
            passes(&jpush).await;
            assert_eq!((server.connections(), server.requests().len()), (round, round), "waits: {waits}");
        }
    }
}

#[tokio::test]
async fn a_server_that_closes_in_the_middle_of_an_answer_gets_that_check_once_and_the_next_on_another_connection() {
    let whole = http(200, PASS);
    for length in [0, 10, 40, whole.len() - 1] {
        let reply = whole.clone();
        let server = Server::start(move |mut conn: Conn| {
            let reply = reply.clone();
            async move {
                let mut answered = 0;
                while conn.request().await.is_some() {
                    // The first connection breaks off when it was kept once.
                    let is_broken = conn.number == 0 && answered == 1;
                    conn.write(if is_broken { &reply[..length] } else { &reply }).await;
                    if is_broken {
                        return;
                    }
                    answered += 1;
                }
            }
        })
        .await;
        let jpush = client(&server.url()).build().unwrap();
        passes(&jpush).await;
        let error = jpush.ask(number()).await.unwrap_err();
        assert!(!error.nothing_sent() && !error.is_connect(), "{length}: {error:?}");
        assert_eq!((server.connections(), server.requests().len()), (1, 2), "{length}");
        for _ in 0..3 {
            passes(&jpush).await;
        }
        assert_eq!((server.connections(), server.requests().len()), (2, 5), "{length}");
    }
}

#[test]
fn a_check_that_a_closed_connection_never_wrote_goes_out_over_a_new_one() {
    let servers = busy();
    let server = servers.block_on(Server::start(|mut conn: Conn| async move {
        conn.request().await;
        conn.write(http(200, PASS)).await;
        sleep(SHORT / 2).await;
    }));
    let jpush = client(&server.url()).build().unwrap();
    still().block_on(async {
        for round in 1..=5 {
            passes(&jpush).await;
            assert_eq!((server.connections(), server.requests().len()), (round, round));
            // The server closes, and nothing here looks at its sockets.
            std::thread::sleep(2 * SHORT);
            // Now the runtime does, and goes on here before the connection's task.
            tokio::task::yield_now().await;
        }
    });
}

#[tokio::test]
async fn a_connection_is_kept_when_its_reply_is_read_to_the_end_and_not_before() {
    let goes_on = Arc::new(Notify::new());
    let gate = Arc::clone(&goes_on);
    let (started, mut has_begun) = unbounded_channel();
    let server = Server::start(move |mut conn: Conn| {
        let (gate, started) = (Arc::clone(&gate), started.clone());
        async move {
            let mut is_first = conn.number == 0;
            while conn.request().await.is_some() {
                let reply = http(200, PASS);
                let (beginning, rest) = reply.split_at(reply.len() - 20);
                conn.write(beginning).await;
                if std::mem::take(&mut is_first) {
                    let _ = started.send(());
                    gate.notified().await;
                }
                conn.write(rest).await;
            }
        }
    })
    .await;
    let jpush = client(&server.url()).build().unwrap();
    let first = tokio::spawn(jpush.ask(number()));
    has_begun.recv().await.unwrap();
    sleep(SHORT).await;
    passes(&jpush).await;
    assert_eq!(server.connections(), 2, "the first is in use");
    goes_on.notify_one();
    assert!(first.await.unwrap().unwrap().class().is_pass());
    sleep(SHORT).await;
    for told in burst(&jpush, 2).await {
        assert!(told.unwrap().class().is_pass());
    }
    assert_eq!(server.connections(), 2, "both are kept");
}

#[tokio::test]
async fn a_check_that_is_given_up_takes_its_connection_along() {
    let (server, mut ended) = answering(SHORT).await;
    let jpush = client(&server.url()).build().unwrap();
    passes(&jpush).await;
    assert!(timeout(SHORT / 2, jpush.ask(number())).await.is_err());
    assert_eq!(timeout(LONG, ended.recv()).await.unwrap(), Some(0), "its reply would be the next check's");
    passes(&jpush).await;
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_check_takes_a_connection_that_comes_back_while_it_dials_and_the_dial_is_not_wasted() {
    let tls = Tls::trusted();
    let acceptor = tls.acceptor.clone();
    let goes_on = Arc::new(Notify::new());
    let gate = Arc::clone(&goes_on);
    let server = Server::start(move |conn: Conn| {
        let (acceptor, gate) = (acceptor.clone(), Arc::clone(&gate));
        async move {
            if conn.number == 1 {
                gate.notified().await;
            }
            let Some(mut conn) = conn.wrap(|stream| acceptor.accept(stream)).await else { return };
            while conn.request().await.is_some() {
                sleep(SHORT).await;
                conn.write(http(200, PASS)).await;
            }
        }
    })
    .await;
    let url = format!("https://localhost:{}", server.port());
    let jpush = client(&url).extra_root_pem(tls.root.as_bytes()).connect_timeout(LONG).build().unwrap();
    passes(&jpush).await;
    let both = burst(&jpush, 2);
    for told in timeout(Duration::from_secs(1), both).await.expect("nothing waits for the second handshake") {
        assert!(told.unwrap().class().is_pass());
    }
    assert_eq!((server.connections(), server.requests().len()), (2, 3));
    goes_on.notify_one();
    sleep(2 * SHORT).await;
    burst(&jpush, 2).await;
    assert_eq!((server.connections(), server.requests().len()), (2, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_burst_opens_no_more_connections_than_there_are_checks_and_the_next_one_none() {
    let (server, _ended) = answering(Duration::ZERO).await;
    let jpush = client(&server.url()).call_timeout(LONG).connect_timeout(LONG).build().unwrap();
    for _ in 0..3 {
        for told in burst(&jpush, 128).await {
            assert!(told.unwrap().class().is_pass());
        }
        sleep(SHORT).await;
        assert!(server.connections() <= 128, "{} connections", server.connections());
    }
    assert_eq!(server.requests().len(), 3 * 128);
}

#[tokio::test]
async fn a_cold_burst_under_the_layer_opens_no_more_connections_than_checks_may_be_in_flight() {
    let server = Server::answering(http(200, r#"{"code":9000}"#)).await;
    let jpush = client(&server.url()).connect_timeout(LONG).build().unwrap();
    let rule = Rule::post("/login", tower_jverify::number());
    let layer = JVerifyLayer::builder(jpush).rule(rule).in_flight(32).deadline(LONG).build().unwrap();
    let service = layer.layer(Application::default());
    for round in 0..4 {
        let logins = (0..32).map(|login| {
            let body = format!(r#"{{"token":"token-{round}-{login}","phone":"{PHONE}"}}"#);
            tower::ServiceExt::oneshot(service.clone(), post_json("/login", body))
        });
        for answer in join_all(logins).await {
            assert_eq!(answer.unwrap().status(), 200);
        }
    }
    assert!(server.connections() <= 32, "{} connections", server.connections());
    assert_eq!(server.requests().len(), 4 * 32);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_a_burst_is_reached_again_when_it_is_back() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let jpush = client(&format!("http://{address}")).call_timeout(LONG).build().unwrap();
    for _ in 0..3 {
        for told in burst(&jpush, 128).await {
            let error = told.unwrap_err();
            assert!(error.is_connect() && error.nothing_sent(), "{error:?}");
        }
    }
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                while tcp.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {
                    tcp.write_all(http(200, PASS).as_bytes()).await.unwrap();
                }
            });
        }
    });
    for told in burst(&jpush, 128).await {
        assert!(told.unwrap().class().is_pass());
    }
}

#[test]
fn a_connection_of_a_runtime_that_has_ended_is_not_taken_on_another() {
    let servers = busy();
    let (server, _ended) = servers.block_on(answering(Duration::ZERO));
    let jpush = client(&server.url()).idle_timeout(Duration::from_millis(200)).build().unwrap();
    for runtime in 1..=3 {
        still().block_on(async {
            passes(&jpush).await;
            passes(&jpush).await;
        });
        assert_eq!((server.connections(), server.requests().len()), (runtime, 2 * runtime));
    }
    // What closes connections runs on the runtime that is there.
    let (server, mut ended) = servers.block_on(answering(Duration::ZERO));
    let jpush = client(&server.url()).idle_timeout(Duration::from_millis(200)).build().unwrap();
    still().block_on(passes(&jpush));
    servers.block_on(ended.recv()).unwrap();
    still().block_on(async {
        passes(&jpush).await;
        timeout(LONG, ended.recv()).await.expect("closed after the idle timeout").unwrap();
    });
}
