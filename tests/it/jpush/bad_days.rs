//! JPush cannot be reached, does not answer, or answers too much.

use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use super::support::{PASS, Server, assert_silent, client, number};

#[tokio::test]
async fn a_refused_port_is_a_connect_error_of_which_nothing_was_sent() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = client(&format!("http://{free}")).build().unwrap().ask(number()).await.unwrap_err();
    assert!(error.is_connect() && error.nothing_sent() && !error.is_timeout(), "{error:?}");
    assert_silent(&error);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_connect_error() {
    let error = client("https://jpush.invalid").build().unwrap().ask(number()).await.unwrap_err();
    // A resolver that does not answer at all makes it a timeout of connecting; both are `is_connect`.
    assert!(error.is_connect() && error.nothing_sent(), "{error:?}");
    assert_silent(&error);
}

#[tokio::test]
async fn a_tls_handshake_without_an_answer_is_a_connect_timeout() {
    let server = Server::start(|conn| async move {
        let _kept = conn;
        std::future::pending::<()>().await;
    })
    .await;
    let url = format!("https://127.0.0.1:{}", server.port());
    let began = Instant::now();
    let error =
        client(&url).connect_timeout(Duration::from_millis(150)).build().unwrap().ask(number()).await.unwrap_err();
    assert!(error.is_connect() && error.is_timeout() && error.nothing_sent(), "{error:?}");
    assert_eq!(server.connections(), 2, "one more try, and no third");
    assert!(began.elapsed() < Duration::from_millis(1200));
    assert_silent(&error);
}

#[tokio::test]
async fn silence_ends_in_a_timeout_that_does_not_claim_that_nothing_was_sent() {
    for beginning in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"code\":9000"] {
        let server = Server::start(move |mut conn| async move {
            conn.request().await;
            conn.write(beginning).await;
            std::future::pending::<()>().await;
        })
        .await;
        let jpush = client(&server.url()).call_timeout(Duration::from_millis(200)).build().unwrap();
        let error = jpush.ask(number()).await.unwrap_err();
        assert!(error.is_timeout() && !error.nothing_sent() && !error.is_connect(), "{error:?}");
        assert_eq!(server.requests().len(), 1);
        assert_silent(&error);
    }
}

#[tokio::test]
async fn a_reply_that_drips_ends_at_the_deadline() {
    let server = Server::start(|mut conn| async move {
        conn.request().await;
        conn.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", PASS.len())).await;
        for byte in PASS.bytes() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if !conn.write([byte]).await {
                return;
            }
        }
    })
    .await;
    let jpush = client(&server.url()).call_timeout(Duration::from_millis(300)).build().unwrap();
    let began = Instant::now();
    assert!(jpush.ask(number()).await.unwrap_err().is_timeout());
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_reply_of_a_gigabyte_is_given_up_at_once_when_it_says_so_and_at_the_cap_when_not() {
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n{";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let until_close = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let endless_head = "HTTP/1.1 200 OK\r\nx-vendor: ";
    for head in [announced, chunked, until_close, endless_head] {
        let server = Server::start(move |mut conn| async move {
            conn.request().await;
            conn.write(head).await;
            let chunk = format!("1000\r\n{}\r\n", " ".repeat(4096));
            while head != announced && conn.write(&chunk).await {}
            // The client must not wait for what it will not read.
            std::future::pending::<()>().await;
        })
        .await;
        let error = client(&server.url()).build().unwrap().ask(number()).await.unwrap_err();
        assert!(!error.is_timeout() && !error.nothing_sent(), "{head:?} {error:?}");
        assert_eq!(server.requests().len(), 1);
        assert_silent(&error);
    }
}

#[tokio::test]
async fn a_reply_of_exactly_the_cap_is_read_and_one_byte_more_is_not() {
    for (length, read) in [(64 * 1024, true), (64 * 1024 + 1, false)] {
        let body = format!("{}{PASS}", " ".repeat(length - PASS.len()));
        let announced = super::support::http(200, &body);
        let until_close = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
        for response in [announced, until_close] {
            let server = Server::start(move |mut conn| {
                let response = response.clone();
                async move {
                    conn.request().await;
                    conn.write(response).await;
                }
            })
            .await;
            let told = client(&server.url()).build().unwrap().ask(number()).await;
            assert_eq!(told.is_ok(), read, "{length}");
        }
    }
}

#[tokio::test]
async fn a_reply_whose_head_has_less_than_4_kib_is_read_and_one_with_more_is_not() {
    for (padding, read) in [(3_900, true), (4_200, false)] {
        let head = format!("HTTP/1.1 200 OK\r\nx-padding: {}\r\n", "x".repeat(padding));
        let reply = format!("{head}content-length: {}\r\n\r\n{PASS}", PASS.len());
        let server = Server::answering(reply).await;
        let answer = client(&server.url()).build().unwrap().ask(number()).await;
        match answer {
            Ok(verdict) => assert!(read && verdict.class().is_pass(), "{padding}"),
            Err(error) => {
                assert!(!read && !error.nothing_sent() && !error.is_connect(), "{padding}: {error:?}");
                assert_silent(&error);
            }
        }
    }
}

#[tokio::test]
async fn a_body_shorter_than_announced_never_passes_even_if_what_came_reads_as_a_pass() {
    let server = Server::start(|mut conn| async move {
        conn.request().await;
        conn.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{PASS}", PASS.len() + 10)).await;
    })
    .await;
    let error = client(&server.url()).build().unwrap().ask(number()).await.unwrap_err();
    assert!(!error.nothing_sent());
    assert_silent(&error);
}

#[tokio::test]
async fn what_is_not_http_is_an_error_without_its_words() {
    for bytes in
        ["SSH-2.0-vendor's words\r\n", "vendor's words\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n", "\u{0}\u{1}\r\n\r\n"]
    {
        let server = Server::answering(bytes).await;
        let error = client(&server.url()).build().unwrap().ask(number()).await.unwrap_err();
        assert!(!error.nothing_sent() && !error.is_connect(), "{error:?}");
        // Of the class of answers that cannot be read, which never open a door.
        assert_eq!(error.cause(), "not HTTP", "{bytes:?}");
        assert_eq!(server.requests().len(), 1);
        assert_silent(&error);
    }
}
