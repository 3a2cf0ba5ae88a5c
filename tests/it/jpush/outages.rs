//! CASES 90, over real sockets: no policy opens for a failure after the check was sent.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::timeout,
};
use tower_jverify::{Class, DenialReason, Fallback, JPushBuilder, Policy, Rule, number};

use super::{
    support::{self, Conn, PASS, Server, client, http},
    tls::Tls,
};
use crate::support::{Application, LOGIN, denial, noticing, post_json, send};

/// The status of a login, and whether it reached the application.
async fn login(jpush: JPushBuilder) -> (u16, bool) {
    let rule = Rule::post("/login", number()).policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    let rule = rule.deadline(Duration::from_millis(1_300));
    let layer = noticing(jpush.build().unwrap()).rule(rule).build().unwrap();
    let application = Application::default();
    let response = send(&layer, &application, post_json("/login", LOGIN)).await;
    let passes = application.runs() == 1;
    if !passes {
        let reason = denial(&response).reason();
        let without_an_answer = [Class::Unavailable, Class::Unreadable].map(DenialReason::Verdict);
        assert!(without_an_answer.contains(&reason), "{reason:?}");
    }
    (response.status().as_u16(), passes)
}

/// What a gateway, a firewall or JPush may answer to a request, or how it ends.
const ANSWERS: [&str; 16] = [
    "",
    "\0",
    "HTTP/1.1 ",
    "HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n{\"code\":9000",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nc\r\n{\"code\":9000\r\n",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 500 X\r\ncontent-length: 13\r\n\r\n{\"code\":9000}",
    "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 6\r\n\r\n<html>",
    "HTTP/1.1 503 X\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 504 X\r\ncontent-length: 13\r\n\r\n{\"code\":9099}",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

#[tokio::test]
async fn an_answer_that_is_not_jpushs_opens_nothing() {
    for answer in ANSWERS {
        for at_once in [true, false] {
            let server = Server::start(move |mut conn: Conn| async move {
                if at_once || conn.request().await.is_some() {
                    conn.write(answer).await;
                }
            })
            .await;
            let (status, passes) = login(client(&server.url())).await;
            assert!(!passes && status == 503, "{answer:?}, at once: {at_once}");
            assert_eq!(server.connections(), 1, "{answer:?}, at once: {at_once}: tried again");
        }
    }
}

#[tokio::test]
async fn a_reset_or_silence_after_the_request_opens_nothing() {
    let cases = [(1, true), (1, false), (64 * 1024, true), (64 * 1024, false)].map(async |(read, resets)| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let jpush = tokio::spawn(async move {
            let mut connections = 0;
            let mut kept = Vec::new();
            while let Ok(Ok((mut tcp, _))) = timeout(Duration::from_secs(2), listener.accept()).await {
                connections += 1;
                let _ = tcp.read(&mut vec![0; read]).await;
                if resets {
                    tcp.set_zero_linger().unwrap();
                } else {
                    kept.push(tcp);
                }
            }
            connections
        });
        assert_eq!(login(client(&url)).await, (503, false), "{read} bytes read, resets: {resets}");
        assert_eq!(jpush.await.unwrap(), 1, "{read} bytes read, resets: {resets}");
    });
    join_all(cases).await;
}

/// How a server inside of TLS ends a connection on which a request has come.
#[derive(Clone, Copy, Debug)]
enum End {
    /// `close_notify`.
    Notified,
    /// A fatal alert in the clear, where a record is due, as a firewall may put it in.
    Alert,
    /// The transport is cut.
    Cut,
}

#[tokio::test]
async fn what_ends_tls_after_the_request_opens_nothing() {
    let broken = "the connection broke off";
    for (end, cause) in [(End::Notified, broken), (End::Alert, "not TLS"), (End::Cut, broken)] {
        let tls = Tls::trusted();
        let acceptor = tls.acceptor;
        let server = Server::start(move |conn: Conn| {
            let acceptor = acceptor.clone();
            async move {
                let Some(mut conn) = conn.wrap(|stream| acceptor.accept(stream)).await else { return };
                assert!(conn.request().await.is_some());
                let mut stream = conn.into_inner();
                match end {
                    End::Notified => drop(stream.shutdown().await),
                    // Alert, TLS 1.2, two bytes: fatal, access_denied.
                    End::Alert => drop(stream.get_mut().0.write_all(&[21, 3, 3, 0, 2, 2, 49]).await),
                    End::Cut => {}
                }
            }
        })
        .await;
        let jpush = || client(&format!("https://localhost:{}", server.port())).extra_root_pem(tls.root.as_bytes());
        assert_eq!(login(jpush()).await, (503, false), "{end:?}");
        assert_eq!(server.requests().len(), 1, "{end:?}");
        let error = jpush().build().unwrap().ask(support::number()).await.unwrap_err();
        assert_eq!((error.cause(), error.nothing_sent()), (cause, false), "{end:?}");
    }
}

#[tokio::test]
async fn what_fails_before_it_is_opened() {
    // Refused; ended in the handshake; answered in it by something that speaks no TLS; a proxy that opens no tunnel, or one to
    // something else; a certificate of a stranger.
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(login(client(&format!("http://{refused}"))).await, (200, true));
    for answer in ["", "\u{15}\u{3}\u{3}\0\u{2}\u{2}(", "HTTP/1.1 400 Bad Request\r\n\r\n"] {
        let server = Server::start(move |mut conn: Conn| async move {
            conn.write(answer).await;
        })
        .await;
        assert_eq!(login(client(&format!("https://localhost:{}", server.port()))).await, (200, true), "{answer:?}");
    }
    for answer in ["", "HTTP/1.1 407 X\r\n\r\n", "HTTP/1.1 502 X\r\n\r\n", "HTTP/1.1 200 X\r\n\r\n", "\0"] {
        let proxy = Server::start(move |mut conn: Conn| async move {
            conn.request().await;
            conn.write(answer).await;
        })
        .await;
        let jpush = client("https://localhost:1").proxy(format!("http://127.0.0.1:{}", proxy.port()));
        assert_eq!(login(jpush).await, (200, true), "a proxy's {answer:?}");
    }
    let stranger = Tls::trusted();
    let server = Server::start(move |conn| super::tls::answer(stranger.acceptor.clone(), conn, http(200, PASS))).await;
    assert_eq!(login(client(&format!("https://localhost:{}", server.port()))).await, (200, true));
    assert!(server.requests().is_empty());
}
