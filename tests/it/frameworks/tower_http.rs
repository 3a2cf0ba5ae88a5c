//! tower-http's usual stack around an axum application, with a rate limiter outside of the layer, over real sockets.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, error_handling::HandleErrorLayer, routing::post};
use http::{HeaderMap, Method, StatusCode};
use tower::{BoxError, ServiceBuilder, load_shed::error::Overloaded};
use tower_http::{
    compression::CompressionLayer,
    cors::{Any, CorsLayer},
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    timeout::TimeoutLayer,
    trace::TraceLayer,
};
use tower_jverify::{Class, JVerifyLayer, Rule, Verified, number};

use crate::support::{LOGIN, Verifier, builder, login_layer, serve};

/// Long enough that compression is worth it.
async fn login(verified: Verified, headers: HeaderMap) -> String {
    let id = headers["x-request-id"].to_str().unwrap();
    format!("welcome {:?} {id} {}", verified.phone(), "-".repeat(2000))
}

async fn slow(_: Verified) -> &'static str {
    std::future::pending().await
}

/// A request that the limiter sheds is answered at once.
async fn throttled(error: BoxError) -> (StatusCode, &'static str) {
    if error.is::<Overloaded>() {
        (StatusCode::TOO_MANY_REQUESTS, "too many requests")
    } else {
        (StatusCode::INTERNAL_SERVER_ERROR, "a layer failed")
    }
}

async fn application(verifier: &Verifier, limit: u64) -> SocketAddr {
    application_behind(login_layer(verifier), limit).await
}

/// The application, of which `limit` requests in an hour reach the layer.
async fn application_behind(layer: JVerifyLayer<Verifier>, limit: u64) -> SocketAddr {
    let router =
        Router::new().route("/login", post(login)).route("/slow", post(slow)).route("/health", post(|| async {}));
    let inside = ServiceBuilder::new()
        .layer(CompressionLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_millis(200)));
    let outside = ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(TraceLayer::new_for_http())
        .layer(CorsLayer::new().allow_origin(Any).allow_methods([Method::POST]))
        .layer(HandleErrorLayer::new(throttled))
        // One limiter for all connections: `buffer` shares it, and `load_shed` refuses in place of waiting.
        .buffer(64)
        .load_shed()
        .rate_limit(limit, Duration::from_secs(3600))
        .layer(layer);
    serve(outside.service(inside.service(router))).await
}

async fn ask(server: SocketAddr, path: &str, body: &'static str) -> reqwest::Response {
    let request = reqwest::Client::new().post(format!("http://{server}{path}"));
    let request = request.header("content-type", "application/json").header("origin", "https://app.example");
    request.header("x-jverify-decision", "allow").header("accept-encoding", "gzip").body(body).send().await.unwrap()
}

fn header<'a>(answer: &'a reqwest::Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_login_passes_the_whole_stack_and_is_compressed() {
    let verifier = Verifier::passing();
    let server = application(&verifier, 10).await;
    let answer = ask(server, "/login", LOGIN).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "content-encoding")), (200, "gzip"));
    assert_eq!(header(&answer, "access-control-allow-origin"), "*");
    let id = header(&answer, "x-request-id").to_owned();
    let mut text = String::new();
    let bytes = answer.bytes().await.unwrap();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).unwrap();
    assert!(id.len() == 36 && text.starts_with(&format!("welcome Some(138****5678) {id} --")), "{id}: {text}");
    assert_eq!(verifier.calls(), 1);
}

#[tokio::test]
async fn a_refusal_has_the_headers_of_the_layers_outside() {
    let verifier = Verifier::of_class(Class::Rejected);
    let server = application(&verifier, 10).await;
    let answer = ask(server, "/login", LOGIN).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (403, "application/problem+json"));
    assert_eq!((header(&answer, "access-control-allow-origin"), header(&answer, "x-request-id").len()), ("*", 36));
    assert!(answer.text().await.unwrap().contains("verification_failed"));
    assert_eq!(verifier.calls(), 1);
}

#[tokio::test]
async fn a_throttled_request_costs_no_call() {
    let verifier = Verifier::passing();
    let server = application(&verifier, 2).await;
    for (status, calls) in [(200, 1), (200, 2), (429, 2), (429, 2)] {
        let answer = ask(server, "/login", LOGIN).await;
        assert_eq!((answer.status().as_u16(), verifier.calls()), (status, calls));
        assert_eq!((header(&answer, "access-control-allow-origin"), header(&answer, "x-request-id").len()), ("*", 36));
    }
}

#[tokio::test]
async fn a_preflight_costs_no_call_and_no_place_at_the_limiter() {
    let verifier = Verifier::passing();
    let server = application(&verifier, 1).await;
    for _ in 0..3 {
        let preflight = reqwest::Client::new().request(reqwest::Method::OPTIONS, format!("http://{server}/login"));
        let preflight =
            preflight.header("origin", "https://app.example").header("access-control-request-method", "POST");
        let answer = preflight.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), header(&answer, "access-control-allow-methods")), (200, "POST"));
    }
    assert_eq!((ask(server, "/login", LOGIN).await.status().as_u16(), verifier.calls()), (200, 1));
}

#[tokio::test]
async fn the_timeout_inside_is_of_the_application_alone() {
    let verifier = Verifier::answering(|_| None);
    let layer = builder(&verifier)
        .rules([Rule::post("/login", number()).deadline(Duration::from_millis(1_100)), Rule::post("/slow", number())])
        .build()
        .unwrap();
    let server = application_behind(layer, 10).await;
    let answer = ask(server, "/login", LOGIN).await;
    assert_eq!(answer.status(), 503, "the layer's deadline, which is later than the application's timeout");
    let passing = Verifier::passing();
    let layer = builder(&passing).rule(Rule::post("/slow", number())).build().unwrap();
    let server = application_behind(layer, 10).await;
    assert_eq!(ask(server, "/slow", LOGIN).await.status(), 504, "the application is too slow");
    assert_eq!(ask(server, "/health", "").await.status(), 200);
    assert_eq!((verifier.calls(), passing.calls()), (1, 1));
}
