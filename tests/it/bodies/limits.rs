//! The limits of a body's size.

use tower_jverify::{Class, Fallback, Policy, Rule, number, sandbox::Fault};

use super::{data, head, of_frames, post_body};
use crate::support::{Guarded, LOGIN, Sandboxed, builder, exchange, post_json, serve};

const LIMIT: usize = 64 * 1024;

/// A login of exactly so many bytes.
fn login_of(bytes: usize) -> String {
    let padding = bytes - LOGIN.len() - r#","x":"""#.len();
    format!(r#"{},"x":"{}"}}"#, LOGIN.strip_suffix('}').unwrap(), "x".repeat(padding))
}

fn with_length(body: &str) -> String {
    format!("{}{body}", head("/login", &format!("content-length: {}", body.len())))
}

fn chunked(body: &str) -> String {
    let chunks = body
        .as_bytes()
        .chunks(10_000)
        .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), str::from_utf8(chunk).unwrap()))
        .collect::<Vec<_>>()
        .concat();
    format!("{}{chunks}0\r\n\r\n", head("/login", "transfer-encoding: chunked"))
}

#[tokio::test]
async fn a_body_may_have_as_many_bytes_as_the_limit_and_not_one_more() {
    let guarded = Guarded::login();
    let address = serve(guarded.service()).await;
    for (bytes, status) in [(LIMIT - 1, "200"), (LIMIT, "200"), (LIMIT + 1, "413"), (4 * LIMIT, "413")] {
        let body = login_of(bytes);
        assert_eq!(body.len(), bytes);
        for request in [with_length(&body), chunked(&body)] {
            let before = (guarded.verifier.calls(), guarded.application.runs());
            let response = exchange(address, &request).await;
            let what = format!("{bytes} bytes, {:?}", &request[..120]);
            let after = (guarded.verifier.calls(), guarded.application.runs());
            if status == "200" {
                assert!(response.starts_with("HTTP/1.1 200"), "{what}: {response}");
                assert_eq!(after, (before.0 + 1, before.1 + 1), "{what}");
                assert_eq!(guarded.application.last().body.unwrap(), body, "{what}");
            } else {
                // A client that is still writing may see a reset instead of the answer.
                assert!(response.is_empty() || response.starts_with("HTTP/1.1 413"), "{what}: {response}");
                assert_eq!(after, before, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_past_a_limit_outside_of_the_layer_is_answered_413() {
    use tower::{Layer, ServiceExt};
    use tower_http::limit::RequestBodyLimitLayer;
    use tower_jverify::{Denial, Rule, number};

    let limit = RequestBodyLimitLayer::new(16);
    let chunked =
        || {
            http_body_util::StreamBody::new(futures_util::stream::iter(LOGIN.as_bytes().chunks(8).map(|chunk| {
                Ok::<_, std::convert::Infallible>(http_body::Frame::data(bytes::Bytes::from_static(chunk)))
            })))
        };
    let login = || http::Request::post("/login").header("content-type", "application/json");
    // Around the layer, and around an axum router that has it: the error is then one of axum's.
    let guarded = crate::support::Guarded::by([Rule::post("/login", number())]);
    let bare = limit.layer(guarded.service());
    let response = bare.oneshot(login().body(chunked()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 413);
    let detail = response.extensions().get::<Denial>().unwrap().detail().unwrap().to_owned();
    assert!(detail.contains("a limit outside of this layer"), "{detail}");

    let route = axum::routing::post(|| async { "in" });
    let router = axum::Router::new().route("/login", route).layer(guarded.layer.clone()).layer(limit);
    let response = router.oneshot(login().body(axum::body::Body::new(chunked())).unwrap()).await.unwrap();
    assert_eq!(response.status(), 413);
    assert!(response.extensions().get::<Denial>().unwrap().detail().unwrap().contains("outside"));
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
}

#[tokio::test]
async fn a_limit_outside_is_found_in_each_error_that_bodies_have() {
    use std::io;

    use http_body::{Body, Frame};
    use http_body_util::{BodyExt, Full, LengthLimitError, Limited, StreamBody};
    use tower::BoxError;

    async fn fails<E: Send + 'static>(error: E, what: &str) {
        let guarded = Guarded::login();
        let frames = futures_util::stream::iter([Ok(data("{")), Err(error)]);
        let body: StreamBody<_> = StreamBody::new(frames);
        guarded.refuses(post_body("/login", body), "body_too_large", what).await;
    }
    async fn limit() -> BoxError {
        let limited: Limited<Full<bytes::Bytes>> = Limited::new(Full::from("12"), 1);
        limited.collect().await.unwrap_err()
    }
    let bare = || async { *limit().await.downcast::<LengthLimitError>().unwrap() };
    fails(bare().await, "the error itself").await;
    fails(limit().await, "boxed").await;
    fails(io::Error::other(limit().await), "io").await;
    fails(io::Error::other(io::Error::other(limit().await)), "io in io").await;
    fails(BoxError::from(io::Error::other(limit().await)), "io, boxed").await;
    fails(axum::Error::new(limit().await), "axum").await;
    fails(axum::Error::new(io::Error::other(limit().await)), "io in axum").await;
    fails(tonic::Status::from_error(limit().await), "tonic").await;

    let guarded = Guarded::login();
    let frames: [Result<Frame<bytes::Bytes>, _>; 2] = [Ok(data("{")), Err(io::Error::other("reset"))];
    let body: StreamBody<_> = StreamBody::new(futures_util::stream::iter(frames));
    assert!(!body.is_end_stream());
    guarded.refuses(post_body("/login", body), "body_malformed", "a client that broke off").await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_answered_413_however_it_comes() {
    let guarded = Guarded::login();
    let body = login_of(LIMIT + 1);
    guarded.refuses(post_json("/login", body.clone()), "body_too_large", "in one frame").await;
    let frames = body.clone().into_bytes().chunks(1000).map(|chunk| data(chunk.to_vec())).collect::<Vec<_>>();
    guarded.refuses(post_body("/login", of_frames(frames)), "body_too_large", "in many frames").await;
}

#[tokio::test]
async fn an_announced_length_over_the_limit_is_refused_before_a_byte_is_read() {
    let guarded = Guarded::login();
    let address = serve(guarded.service()).await;
    let response = exchange(address, head("/login", &format!("content-length: {}", LIMIT + 1))).await;
    assert!(response.starts_with("HTTP/1.1 413"), "{response}");
}

/// A proof behind the limit is not "no proof, so pass".
#[tokio::test]
async fn fields_after_the_limit_are_refused_too() {
    let rules =
        [Rule::post("/login", number()).when(tower_jverify::Field::body("/loginType"), "oneclick").otherwise_pass()];
    let guarded = Guarded::by(rules);
    let body = format!(r#"{{"x":"{}","loginType":"oneclick","token":"t","phone":"13812345678"}}"#, "x".repeat(LIMIT));
    guarded.refuses(post_json("/login", body), "body_too_large", "a value that chooses, after the limit").await;
}

#[tokio::test]
async fn a_body_over_the_limit_does_not_pass_even_where_outages_do() {
    let desk = Sandboxed::noticing(
        Rule::post("/login", number()).policy(Policy::default().on(Class::Unavailable, Fallback::Open)),
    );
    desk.sandbox.fault(Fault::Refuse);
    assert_eq!(desk.send(post_json("/login", login_of(LIMIT + 1))).await.status(), 413);
    assert_eq!(desk.application.runs(), 0);
    assert_eq!(desk.send(post_json("/login", login_of(LIMIT))).await.status(), 200);
    assert_eq!(desk.application.header("x-jverify-decision").as_deref(), Some("unverified"));
}

#[tokio::test]
async fn a_rule_has_a_separate_limit() {
    let guarded = Guarded::with(|verifier| {
        builder(verifier)
            .body_limit(100)
            .rule(Rule::post("/login", number()))
            .rule(Rule::post("/register", number()).body_limit(200))
            .build()
            .unwrap()
    });
    guarded.verifies(post_json("/login", login_of(100)), "the layer's").await;
    guarded.refuses(post_json("/login", login_of(101)), "body_too_large", "the layer's").await;
    guarded.verifies(post_json("/register", login_of(200)), "the rule's").await;
    guarded.refuses(post_json("/register", login_of(201)), "body_too_large", "the rule's").await;
    guarded.leaves_alone(post_json("/upload", login_of(1 << 20)), "no rule's").await;
}
