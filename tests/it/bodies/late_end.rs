//! A body that has not ended when its head arrives may be empty: over HTTP/2 some clients, httpx and Node's among them, end a
//! request without a body with an empty DATA frame. It is then a request without a body wherever that matters.

use std::time::Duration;

use http::{HeaderMap, Request, Version, request::Builder};
use http_body::Frame;
use tower_jverify::{Ask, Coding, Field, ForeignBackend, HandOn, JVerifyBuilder, Media, Rule, number};

use super::{channel, data, of_frames};
use crate::support::{Guarded, LOGIN, builder, code};

const PROOF: &str = "token=t&phone=13812345678";

fn in_query() -> Ask {
    number().token(Field::query("token")).phone(Field::query("phone")).into()
}

fn http2(method: &str, uri: &str) -> Builder {
    Request::builder().method(method).uri(uri).version(Version::HTTP_2)
}

fn both(rules: impl Fn() -> Vec<Rule>) -> [Guarded; 2] {
    let foreign = |guarded: bool| {
        Guarded::with(|verifier| {
            let layer = rules().into_iter().fold(builder(verifier), JVerifyBuilder::rule);
            if guarded { layer.foreign_backend(ForeignBackend::any()) } else { layer }.build().unwrap()
        })
    };
    [foreign(false), foreign(true)]
}

fn trailers() -> Frame<bytes::Bytes> {
    Frame::trailers(HeaderMap::from_iter([("phone".parse().unwrap(), "13900000000".parse().unwrap())]))
}

#[tokio::test]
async fn a_proof_in_the_query_is_verified_if_the_body_ends_without_data() {
    for guarded in both(|| vec![Rule::post("/login", in_query()), Rule::method(http::Method::GET, "/get", in_query())])
    {
        for (method, path) in [("POST", "/login"), ("GET", "/get")] {
            let uri = format!("{path}?{PROOF}");
            for frames in 0..3 {
                let empty = || of_frames((0..frames).map(|_| data("")));
                let request = http2(method, &uri).header("content-length", "0");
                let seen = guarded.verifies(request.body(empty()).unwrap(), path).await;
                assert_eq!((seen.body.unwrap(), seen.size_hint.exact()), (bytes::Bytes::new(), Some(0)));
                guarded.verifies(http2(method, &uri).body(empty()).unwrap(), path).await;
                let chunked = Request::builder().method(method).uri(&uri).header("transfer-encoding", "chunked");
                guarded.verifies(chunked.body(empty()).unwrap(), path).await;
            }
            for frames in [vec![data("a")], vec![data(""), data("phone=13900000000")], vec![trailers()]] {
                let request = http2(method, &uri).header("content-type", "application/x-www-form-urlencoded");
                guarded.refuses(request.body(of_frames(frames)).unwrap(), "proof_malformed", path).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_head_is_refused_before_the_wait_and_the_wait_has_an_end() {
    let guarded = Guarded::by([Rule::post("/login", in_query()).body_deadline(Duration::from_secs(3))]);
    let (_frames, never) = channel();
    guarded.refuses(http2("POST", "/login?token=t").body(never).unwrap(), "proof_missing", "without a phone").await;
    let (_frames, never) = channel();
    let began = tokio::time::Instant::now();
    guarded.refuses(http2("POST", &format!("/login?{PROOF}")).body(never).unwrap(), "body_timeout", "no end").await;
    assert_eq!(began.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn the_body_of_a_call_that_may_be_another_one_has_one_deadline() {
    let rule = Rule::post("/rpc", number()).when(Field::query("type"), "sms").otherwise_pass();
    let guarded = Guarded::by([rule.body_deadline(Duration::from_secs(3))]);
    let (frames, body) = channel();
    let request = http2("POST", "/rpc?type=x").header("content-type", "application/json").body(body).unwrap();
    let began = tokio::time::Instant::now();
    let first = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        frames.send(Ok(data("{"))).unwrap();
        std::future::pending::<()>().await;
    };
    let response = tokio::select! { response = guarded.send(request) => response, () = first => unreachable!() };
    assert_eq!((code(&response), began.elapsed()), ("body_timeout".to_owned(), Duration::from_secs(3)));
}

#[tokio::test]
async fn another_call_without_a_body_passes() {
    let rules = || {
        vec![
            Rule::any_method("/body", number()).when(Field::body("/type"), "sms").otherwise_pass(),
            Rule::any_method("/query", number()).when(Field::query("type"), "sms").otherwise_pass(),
        ]
    };
    for guarded in both(rules) {
        for (method, uri) in
            [("GET", "/body"), ("DELETE", "/body"), ("POST", "/query?type=x"), ("GET", "/query?type=x")]
        {
            for frames in [vec![], vec![data("")]] {
                let seen = guarded.passes_not_guarded(http2(method, uri).body(of_frames(frames)).unwrap(), uri).await;
                assert_eq!((seen.body.unwrap(), seen.size_hint.exact()), (bytes::Bytes::new(), Some(0)));
            }
        }
        // What follows later is read as if it had come at once.
        let call = |method, uri, text: &'static str| {
            let request = http2(method, uri).header("content-type", "application/json");
            let (first, rest) = text.split_at(9);
            request.body(of_frames([data(""), data(first), data(rest)])).unwrap()
        };
        let seen = guarded.passes_not_guarded(call("GET", "/body", r#"{"type":"x","a":1}"#), "another call").await;
        assert_eq!(seen.body.unwrap(), r#"{"type":"x","a":1}"#);
        let seen =
            guarded.passes_not_guarded(call("POST", "/query?type=x", r#"{"other":"x","a":1}"#), "another call").await;
        assert_eq!(seen.body.unwrap(), r#"{"other":"x","a":1}"#);
        let login = r#"{"type":"sms","token":"t","phone":"13812345678"}"#;
        assert_eq!(guarded.verifies(call("GET", "/body", login), "a login").await.body.unwrap(), login);
        guarded.verifies(call("POST", "/query?type=sms", LOGIN), "a login").await;
        guarded.refuses(call("GET", "/query?type=x", r#"{"type":"sms"}"#), "proof_malformed", "two types").await;
        let without = http2("GET", "/body").body(of_frames([data("{}")])).unwrap();
        guarded.refuses(without, "unsupported_media_type", "data without a type").await;
    }
}

#[tokio::test]
async fn a_body_whose_first_data_has_arrived_is_decoded_and_bounded_as_others() {
    let guarded = Guarded::with(|verifier| {
        let rule = Rule::any_method("/rpc", number()).when(Field::query("type"), "sms").otherwise_pass();
        let layer = builder(verifier).rule(rule).accept([Media::Json]).body_limit(16);
        layer.decode([Coding::Gzip], HandOn::Decoded).foreign_backend(ForeignBackend::any()).build().unwrap()
    });
    let request = |frames| {
        let request = http2("POST", "/rpc?type=x").header("content-type", "application/json");
        request.body(of_frames::<Vec<_>>(frames)).unwrap()
    };
    let seen = guarded.passes_not_guarded(request(vec![data(r#"{"a":1234"#), data("56789}")]), "16 bytes").await;
    assert_eq!(seen.body.unwrap(), r#"{"a":123456789}"#);
    guarded.refuses(request(vec![data(r#"{"a":1234"#), data("56789012}")]), "body_too_large", "too long").await;
    guarded.refuses(request(vec![data("{\"a\":\"1234567890\"}")]), "body_too_large", "too long at once").await;
}
