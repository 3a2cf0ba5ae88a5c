//! Requests without a body, with an odd body, or with two framings are answered at once. The application gets one framing.

use http::Method;
use tower_jverify::{Field, Rule, number};

use super::head;
use crate::support::{Guarded, LOGIN, exchange, serve};

#[tokio::test]
async fn a_request_without_a_body_is_answered_at_once() {
    let guarded = Guarded::by([Rule::any_method("/login", number())]);
    let address = serve(guarded.service()).await;
    let bodiless = |method: &str, more: &str| {
        format!(
            "{method} /login HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n{more}\r\n"
        )
    };
    for request in [
        bodiless("POST", ""),
        bodiless("POST", "content-length: 0\r\n"),
        bodiless("POST", "transfer-encoding: chunked\r\n") + "0\r\n\r\n",
        bodiless("GET", ""),
        bodiless("DELETE", ""),
        bodiless("OPTIONS", "content-length: 0\r\n"),
    ] {
        let response = exchange(address, &request).await;
        assert!(response.starts_with("HTTP/1.1 400"), "{request}: {response}");
        assert!(response.contains(r#""code":"body_malformed""#), "{request}: {response}");
    }
    let response = exchange(address, bodiless("HEAD", "")).await;
    assert!(response.starts_with("HTTP/1.1 400"), "{response}");
    assert!(response.ends_with("\r\n\r\n"), "an answer to HEAD has no body: {response}");
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
}

#[tokio::test]
async fn a_head_request_with_its_proof_in_the_head_passes() {
    let ask = number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    let guarded = Guarded::by([Rule::method(Method::GET, "/login", ask)]);
    let address = serve(guarded.service()).await;
    let request = "HEAD /login HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-token: t\r\nx-phone: 13812345678\r\n\r\n";
    let response = exchange(address, request).await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (1, 1));
}

/// Request smuggling: the application, and a backend behind it, must not see two lengths.
#[tokio::test]
async fn a_body_framed_twice_is_refused_or_passed_on_under_one_framing() {
    let guarded = Guarded::login();
    let address = serve(guarded.service()).await;
    let chunked = format!("{:x}\r\n{LOGIN}\r\n0\r\n\r\n", LOGIN.len());
    for path in ["/login", "/health"] {
        for framing in [
            format!("content-length: {}\r\ntransfer-encoding: chunked", LOGIN.len()),
            format!("transfer-encoding: chunked\r\ncontent-length: {}", LOGIN.len()),
            "content-length: 3\r\ntransfer-encoding: chunked".to_owned(),
            "transfer-encoding: chunked\r\ncontent-length: 3".to_owned(),
            "transfer-encoding: gzip\r\ncontent-length: 3".to_owned(),
            "transfer-encoding: chunked, identity\r\ncontent-length: 3".to_owned(),
            "content-length: 3\r\ncontent-length: 4".to_owned(),
        ] {
            let runs = guarded.application.runs();
            let response = exchange(address, head(path, &framing) + &chunked).await;
            if guarded.application.runs() == runs {
                assert!(response.starts_with("HTTP/1.1 4"), "{path}, {framing}: {response}");
                continue;
            }
            let seen = guarded.application.last();
            let headers = &seen.parts.headers;
            let framings = (headers.contains_key("content-length"), headers.contains_key("transfer-encoding"));
            assert!(framings != (true, true), "{path}, {framing}: {headers:?}");
            assert_eq!(seen.body.unwrap(), LOGIN, "{path}, {framing}");
        }
    }
    assert!(guarded.verifier.calls() <= guarded.application.runs());
}

#[tokio::test]
async fn what_follows_a_refused_login_is_not_taken_for_a_request() {
    let guarded = Guarded::login();
    let address = serve(guarded.service()).await;
    // The refused body holds a whole request to an unguarded path.
    let smuggled = "POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    let request = format!(
        "POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{smuggled}\
         GET /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        smuggled.len(),
    );
    let response = exchange(address, request).await;
    assert!(response.starts_with("HTTP/1.1 415"), "{response}");
    for seen in 0..guarded.application.runs() {
        assert_eq!((seen, guarded.application.last().parts.uri.path()), (0, "/last"));
    }
}
