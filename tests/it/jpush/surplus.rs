//! CASES 97, 98: a surplus reply is not read as the answer to the next check.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, mpsc},
    time::timeout,
};
use tower_jverify::{Check, Class, ExId, JPush, Phone};

use super::{
    support::{Conn, PHONE, Server, client, http},
    tls::Tls,
};

const LONG: Duration = Duration::from_secs(10);
const PASS: &str = r#"{"code":9000}"#;
const REJECTED: &str = r#"{"code":9001}"#;

fn check(round: usize) -> Check {
    let phone = Phone::parse(PHONE).unwrap();
    Check::number(format!("token-{round}"), phone).with_ex_id(ExId::parse(&format!("round-{round}")).unwrap())
}

/// The reply that belongs to a request: a rejection that repeats its `exID`.
fn rejection(request: &str) -> String {
    let ex_id = request.split("\"exID\":\"").nth(1).unwrap().split('"').next().unwrap();
    http(200, &format!(r#"{{"code":9001,"exID":"{ex_id}"}}"#))
}

#[tokio::test]
async fn bytes_on_an_idle_connection_end_it() {
    for in_one_write in [true, false] {
        let (closed, mut ended) = mpsc::unbounded_channel();
        let idle = Arc::new(Notify::new());
        let answered = Arc::clone(&idle);
        let server = Server::start(move |mut conn: Conn| {
            let (closed, idle) = (closed.clone(), Arc::clone(&idle));
            async move {
                if conn.request().await.is_none() {
                    return;
                }
                if in_one_write {
                    conn.write(format!("{}{}", http(200, REJECTED), http(200, PASS))).await;
                } else {
                    conn.write(http(200, REJECTED)).await;
                    // The client has its answer, and keeps the connection.
                    idle.notified().await;
                    conn.write(http(200, PASS)).await;
                }
                assert_eq!(conn.request().await, None, "nothing more is sent on it");
                let _ = closed.send(());
            }
        })
        .await;
        let jpush = client(&server.url()).build().unwrap();
        for round in 0..50 {
            let verdict = jpush.ask(check(round)).await.unwrap();
            assert_eq!(verdict.class(), Class::Rejected, "{round}: the surplus reply was taken for the answer");
            answered.notify_one();
            timeout(LONG, ended.recv()).await.expect("the client closes the connection");
            assert_eq!(server.connections(), round + 1);
        }
    }
}

/// Where the surplus reply is in the stream.
#[derive(Clone, Copy, Debug)]
enum Surplus {
    /// In the record of the reply.
    SameRecord,
    /// In a separate record, in the same write.
    NextRecord,
    /// When the connection is idle.
    Idle,
}

#[tokio::test]
async fn over_tls_bytes_on_an_idle_connection_end_it_too() {
    // Replies as JPush sends them, and such as fill the buffers of TLS and HTTP to the brim.
    let Tls { acceptor, root } = Tls::trusted();
    for padding in [0, 3_980, 8_080, 16_384] {
        for (surplus, reused) in [
            (Surplus::SameRecord, false),
            (Surplus::NextRecord, false),
            (Surplus::NextRecord, true),
            (Surplus::Idle, false),
            (Surplus::Idle, true),
        ] {
            let (closed, mut ended) = mpsc::unbounded_channel();
            let idle = Arc::new(Notify::new());
            let (answered, acceptor) = (Arc::clone(&idle), acceptor.clone());
            let server = Server::start(move |conn: Conn| {
                let (acceptor, closed, idle) = (acceptor.clone(), closed.clone(), Arc::clone(&idle));
                async move {
                    let Some(mut conn) = conn.wrap(|stream| acceptor.accept(stream)).await else { return };
                    let rejected = http(200, &format!(r#"{{"code":9001,"content":"{}"}}"#, "x".repeat(padding)));
                    if reused {
                        conn.request().await;
                        conn.write(&rejected).await;
                        idle.notified().await;
                    }
                    if conn.request().await.is_none() {
                        return;
                    }
                    let pass = http(200, PASS);
                    match surplus {
                        Surplus::SameRecord => drop(conn.write(format!("{rejected}{pass}")).await),
                        Surplus::NextRecord => drop(conn.write_in_records([&rejected, &pass]).await),
                        Surplus::Idle => {
                            conn.write(&rejected).await;
                            idle.notified().await;
                            conn.write(&pass).await;
                        }
                    }
                    assert_eq!(conn.request().await, None, "nothing more is sent on it");
                    let _ = closed.send(());
                }
            })
            .await;
            let url = format!("https://localhost:{}", server.port());
            let jpush = client(&url).extra_root_pem(root.as_bytes()).build().unwrap();
            let ask = async |round| {
                let verdict = jpush.ask(check(round)).await.unwrap();
                assert_eq!(verdict.class(), Class::Rejected, "{padding} {surplus:?}, reused: {reused}");
            };
            for round in 0..5 {
                if reused {
                    ask(2 * round).await;
                    answered.notify_one();
                }
                ask(2 * round + 1).await;
                if matches!(surplus, Surplus::Idle) {
                    answered.notify_one();
                }
                timeout(LONG, ended.recv()).await.expect("the client closes the connection");
                assert_eq!(server.connections(), round + 1, "{padding} {surplus:?}, reused: {reused}");
            }
        }
    }
}

/// A server that answers each connection's second request twice over: first with a late surplus pass.
async fn late(surplus: &'static str) -> Server {
    Server::start(move |mut conn: Conn| async move {
        let Some(first) = conn.request().await else { return };
        conn.write(rejection(&first)).await;
        let Some(second) = conn.request().await else { return };
        conn.write(format!("{}{}", http(200, surplus), rejection(&second))).await;
        conn.request().await;
    })
    .await
}

#[tokio::test]
async fn a_late_surplus_pass_is_not_believed_where_the_ex_id_is_required() {
    for surplus in [PASS, r#"{"code":9000,"exID":""}"#, r#"{"code":9000,"exID":null}"#, r#"{"code":9000,"exID":[]}"#] {
        let server = late(surplus).await;
        let jpush = client(&server.url()).require_ex_id().build().unwrap();
        for round in 0..50 {
            assert_eq!(jpush.ask(check(2 * round)).await.unwrap().class(), Class::Rejected);
            let error = jpush.ask(check(2 * round + 1)).await.expect_err("a pass of another check");
            assert!(!error.nothing_sent() && !error.is_connect(), "{error:?}");
        }
    }
    // Another check's exID is refused without the setting.
    let server = late(r#"{"code":9000,"exID":"another"}"#).await;
    let jpush = client(&server.url()).build().unwrap();
    assert_eq!(jpush.ask(check(0)).await.unwrap().class(), Class::Rejected);
    assert!(jpush.ask(check(1)).await.is_err());
}

#[tokio::test]
async fn a_pass_that_repeats_the_ex_id_is_believed_and_other_answers_need_no_ex_id() {
    let echo = Server::start(|mut conn: Conn| async move {
        while let Some(request) = conn.request().await {
            conn.write(rejection(&request).replace("9001", "9000")).await;
        }
    })
    .await;
    let jpush = client(&echo.url()).require_ex_id().build().unwrap();
    assert!(jpush.ask(check(0)).await.unwrap().class().is_pass());
    // A check without one gets one.
    let phone = Phone::parse(PHONE).unwrap();
    assert!(jpush.ask(Check::number("token", phone)).await.unwrap().class().is_pass());

    let mute = Server::answering(http(200, REJECTED)).await;
    let jpush: JPush = client(&mute.url()).require_ex_id().build().unwrap();
    assert_eq!(jpush.ask(check(0)).await.unwrap().class(), Class::Rejected);
}
