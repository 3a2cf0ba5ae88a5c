//! The example `hyper_proxy`: what it hands on, and what it removes.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header::TRAILER};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{Example, raw};
use crate::support::{Application, exchange, serve};

#[tokio::test]
async fn the_proxy_speaks_prior_knowledge_http2_and_passes_bodies_and_trailers() {
    let example = Example::sandboxed("hyper_proxy");
    let client: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let login = Request::post(format!("http://{}/login", example.address))
        .header("content-type", "application/json")
        .body(Full::from(r#"{"token":"sandbox-9000","phone":"13800000000"}"#))
        .unwrap();
    let response = client.request(login).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, http::Version::HTTP_2));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.starts_with(br#"{"phone":"138****0000""#), "{body:?}");

    // Past the echo and back, in one frame after the other, with a trailer; over HTTP/2 to the proxy, HTTP/1.1 behind it.
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("42"))]);
    let frames = [Frame::data(Bytes::from("a".repeat(100_000))), Frame::data("b".into()), Frame::trailers(trailers)];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, std::convert::Infallible>)));
    let echo =
        Request::post(format!("http://{}/echo", example.address)).header(TRAILER, "x-sum").header("te", "trailers");
    let echoed = client.request(echo.body(body).unwrap()).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(echoed.trailers().map(|trailers| &trailers["x-sum"]), Some(&HeaderValue::from_static("42")));
    assert_eq!(echoed.to_bytes(), "a".repeat(100_000) + "b");
}

#[tokio::test]
async fn the_proxy_passes_a_body_on_while_it_comes() {
    let example = Example::sandboxed("hyper_proxy");
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let (more, rest) = tokio::sync::mpsc::unbounded_channel();
    let frames =
        futures_util::stream::unfold(rest, |mut rest| async move { rest.recv().await.map(|frame| (frame, rest)) });
    let body = StreamBody::new(futures_util::StreamExt::map(frames, |data: &'static str| {
        Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from(data)))
    }));
    more.send("first").unwrap();
    let echo = Request::post(format!("http://{}/echo", example.address)).body(Box::pin(body)).unwrap();
    let mut echoed = client.request(echo).await.unwrap().into_body();
    // The second is only sent once the first has come back.
    for (came, next) in [("first", Some("second")), ("second", None)] {
        // A proxy that keeps the first back would wait for the second without end.
        let frame = tokio::time::timeout(Duration::from_secs(30), echoed.frame()).await.expect("the first comes back");
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), came);
        let _ = next.map(|next| more.send(next).unwrap());
    }
    drop(more);
    assert!(echoed.frame().await.is_none_or(|end| end.unwrap().into_data().is_ok_and(|data| data.is_empty())));
}

#[tokio::test]
async fn cookies_that_came_in_pieces_over_http2_are_one_line_for_the_backend() {
    let backend = Application::default();
    let example = Example::proxy_to(serve(backend.clone()).await);
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Empty<Bytes>>();
    let request = Request::get(format!("http://{}/", example.address)).header("cookie", "a=1").header("cookie", "b=2");
    client.request(request.body(Empty::new()).unwrap()).await.unwrap();
    let cookies: Vec<_> = backend.last().parts.headers.get_all("cookie").into_iter().cloned().collect();
    assert_eq!(cookies, ["a=1; b=2"]);
}

#[tokio::test]
async fn the_proxy_hands_on_the_trailers_of_a_guarded_request() {
    let backend = Application::default();
    let example = Example::proxy_to(serve(backend.clone()).await);
    let login = r#"{"token":"sandbox-9000","phone":"13800000000"}"#;
    let headers = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n";
    let body = format!("{:x}\r\n{login}\r\n0\r\nX-Sum: 42\r\n\r\n", login.len());
    let response = exchange(example.address, raw("POST", "/login", headers, &body)).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    let seen = backend.last();
    assert_eq!(seen.body.unwrap(), login);
    assert_eq!(seen.trailers.unwrap()["x-sum"], "42");
    assert_eq!(seen.parts.headers["x-jverify-phone"], "13800000000");
}

#[tokio::test]
async fn the_proxy_hands_on_nothing_by_which_a_backend_takes_another_path_or_protocol() {
    let backend = Application::default();
    let example = Example::proxy_to(serve(backend.clone()).await);
    let headers = "X-Original-URL: /admin\r\nX_Rewrite_URL: /admin\r\nX-Rewrite-URL: /admin\r\nX-Jverify-Decision: allow\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nConnection: upgrade, http2-settings, x-mine\r\n\
         Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip, trailers;q=0.5\r\nX-Mine: 1\r\n\
         X-Stays: b\r\nX-Stays: a\r\nProxy-Authorization: Basic eDp5\r\n";
    let response = exchange(example.address, raw("GET", "/health?a=%2F", headers, "")).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    let parts = backend.last().parts;
    assert_eq!(parts.uri, "/health?a=%2F");
    let names: Vec<&str> = parts.headers.keys().map(HeaderName::as_str).filter(|name| *name != "host").collect();
    assert_eq!(names, ["x-stays", "x-forwarded-for"]);
    assert_eq!(parts.headers.get_all("x-stays").iter().collect::<Vec<_>>(), ["b", "a"]);

    exchange(example.address, raw("GET", "/", "TE: deflate, trailers\r\n", "")).await;
    let headers = backend.last().parts.headers;
    assert_eq!((&headers["te"], &headers["connection"]), (&"trailers".parse().unwrap(), &"te".parse().unwrap()));

    let runs = backend.runs();
    let response = exchange(example.address, raw("CONNECT", "db.example:5432", "", "")).await;
    assert!(response.starts_with("HTTP/1.1 400 ") && response.contains("upgrade_refused"), "{response}");
    let response = exchange(example.address, raw("OPTIONS", "*", "", "")).await;
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    assert_eq!(backend.runs(), runs);
}

#[tokio::test]
async fn the_proxy_refuses_what_a_backend_of_another_language_may_read_as_a_guarded_path() {
    let proxy = Example::sandboxed("hyper_proxy");
    for target in ["/login.json", "/login.php/x", "/index.php/login"] {
        let answer = exchange(proxy.address, raw("POST", target, "content-type: application/json\r\n", "{}")).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("path_ambiguous"), "{target}: {answer}");
    }
}

#[tokio::test]
async fn every_request_has_one_framing_towards_the_backend() {
    const LOGIN: &str = r#"{"token":"sandbox-9000","phone":"13800000000"}"#;
    let chunked = |body: &str| format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let json = "Content-Type: application/json\r\n";
    let length = format!("Content-Length: {}\r\n", LOGIN.len());
    let both = format!("{length}Transfer-Encoding: chunked\r\n");
    for (method, path, headers, body, framing) in [
        ("POST", "/login", format!("{json}{both}"), chunked(LOGIN), "content-length: 46"),
        ("POST", "/login", format!("{json}{length}"), LOGIN.into(), "content-length: 46"),
        ("POST", "/other", both.clone(), chunked(LOGIN), "transfer-encoding: chunked"),
        (
            "POST",
            "/other",
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n".into(),
            chunked(LOGIN),
            "transfer-encoding: chunked",
        ),
        ("POST", "/other", length.clone(), LOGIN.into(), "content-length: 46"),
        ("POST", "/other", format!("{length}Connection: content-length\r\n"), LOGIN.into(), "content-length: 46"),
        ("GET", "/other", "Transfer-Encoding: chunked\r\n".into(), chunked(LOGIN), "transfer-encoding: chunked"),
        ("POST", "/other", "Content-Length: 0\r\n".into(), String::new(), "content-length: 0"),
        ("POST", "/other", "Transfer-Encoding: chunked\r\n".into(), "0\r\n\r\n".into(), "transfer-encoding: chunked"),
        ("POST", "/other", String::new(), String::new(), ""),
        ("GET", "/other", String::new(), String::new(), ""),
    ] {
        let (received, response) = through_the_proxy(raw(method, path, &headers, &body)).await;
        let case = format!("{method} {path}\n{headers}");
        let (head, sent) = received.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{case}: {response}"));
        let head = head.to_ascii_lowercase();
        let told: Vec<&str> = head
            .lines()
            .filter(|line| line.starts_with("content-length") || line.starts_with("transfer-encoding"))
            .collect();
        assert_eq!(told.join("\n"), framing, "{case}");
        assert_eq!(sent.contains(LOGIN), body.contains(LOGIN), "{case}: {sent}");
    }
}

/// What a backend receives of these bytes, up to where it answers, and the answer.
async fn through_the_proxy(request: String) -> (String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let example = Example::proxy_to(listener.local_addr().unwrap());
    let backend = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = String::new();
        let mut buffer = [0; 4096];
        // Complete: the last chunk, as many bytes as `content-length` says, or a head without a body.
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            received.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            let Some((head, body)) = received.split_once("\r\n\r\n") else { continue };
            let head = head.to_ascii_lowercase();
            let length = head.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
            let whole =
                if head.contains("chunked") { body.ends_with("0\r\n\r\n") } else { body.len() >= length.unwrap_or(0) };
            if whole || read == 0 {
                break;
            }
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await.unwrap();
        received
    });
    let response = exchange(example.address, request).await;
    let received = if response.starts_with("HTTP/1.1 204 ") { backend.await.unwrap() } else { String::new() };
    (received, response)
}

#[tokio::test]
async fn a_backend_that_fails_is_a_502() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let response = exchange(Example::proxy_to(nobody).address, raw("GET", "/", "", "")).await;
    assert!(response.starts_with("HTTP/1.1 502 "), "{response}");

    for answer in
        ["", "nonsense\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let example = Example::proxy_to(listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let response = exchange(example.address, raw("GET", "/", "", "")).await;
        assert!(response.starts_with("HTTP/1.1 502 "), "{answer:?}: {response}");
    }
}

#[tokio::test]
async fn the_proxy_takes_from_an_answer_what_was_for_one_connection() {
    let backend = tower::service_fn(|_: Request<hyper::body::Incoming>| async {
        let response =
            Response::builder().header("connection", "x-mine").header("x-mine", "1").header("keep-alive", "timeout=5");
        response.header("x-stays", "1").body(Empty::<Bytes>::new())
    });
    let example = Example::proxy_to(serve(backend).await);
    let response = exchange(example.address, raw("GET", "/", "", "")).await.to_ascii_lowercase();
    assert!(response.contains("\r\nx-stays: 1\r\n"), "{response}");
    assert!(!response.contains("x-mine") && !response.contains("keep-alive"), "{response}");
}
