//! An answer with a pass is for one client, whatever it says of caches.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header::CACHE_CONTROL};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_jverify::{Field, JVerifyLayer, Rule, number};

use super::{Desk, PASS, PHONE, login, passes, verifier};

/// What an application, and what is in front of it, may say of caches.
const PUBLIC: [(&str, &str); 5] = [
    ("cache-control", "public, max-age=600"),
    ("cdn-cache-control", "max-age=600"),
    ("acme-cdn-cache-control", "max-age=600"),
    ("surrogate-control", "max-age=600"),
    ("x-accel-expires", "600"),
];

fn public(status: u16) -> http::response::Builder {
    let response = Response::builder().status(status).header(CACHE_CONTROL, "max-age=1");
    PUBLIC.into_iter().fold(response, |response, (name, value)| response.header(name, value))
}

fn is_private(headers: &HeaderMap) -> bool {
    let said: Vec<_> = headers.get_all(CACHE_CONTROL).iter().collect();
    said == ["no-store"] && PUBLIC.iter().skip(1).all(|(name, _)| !headers.contains_key(*name))
}

async fn get(status: u16) -> HeaderMap {
    let ask = number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    let rule = Rule::method(Method::GET, "/login", ask).name("login");
    let layer = JVerifyLayer::builder(verifier()).passes(passes()).retry_pass([404]).rule(rule).build().unwrap();
    let inner = service_fn(move |_| async move {
        Ok::<_, std::convert::Infallible>(public(status).body(Full::<Bytes>::default()).unwrap())
    });
    let request = Request::get("/login").header("x-token", "100 t").header("x-phone", PHONE);
    layer.layer(inner).oneshot(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap().headers().clone()
}

#[tokio::test]
async fn an_applications_answer_with_a_pass_is_stored_by_no_cache() {
    let headers = get(404).await;
    assert!(headers.contains_key(PASS));
    assert!(is_private(&headers), "{headers:?}");
    // One without is the application's own.
    let headers = get(200).await;
    assert!(!headers.contains_key(PASS));
    assert_eq!(headers.get_all(CACHE_CONTROL).iter().count(), 2);
    assert!(PUBLIC.iter().all(|(name, _)| headers.contains_key(*name)), "{headers:?}");
}

#[tokio::test]
async fn a_closures_answer_with_a_pass_is_stored_by_no_cache() {
    let rule = login().respond(|_, _| Some(public(403).body(Bytes::new()).unwrap()));
    let desk = Desk::set(|builder| builder.passes(passes()).rule(rule));
    let response = desk.login(&json!({"token": "650 t", "phone": PHONE})).await;
    assert!(response.headers().contains_key(PASS));
    assert!(is_private(response.headers()), "{:?}", response.headers());
}

#[tokio::test]
async fn a_grpc_status_with_a_pass_is_stored_by_no_cache() {
    let desk = Desk::new();
    let response = desk.login(&json!({"token": "650 t", "phone": PHONE})).await;
    let denial = response.extensions().get::<tower_jverify::Denial>().cloned().unwrap();
    let headers = tonic::Status::from(denial).metadata().clone().into_headers();
    assert_eq!(
        (&headers[PASS], &headers[CACHE_CONTROL]),
        (&response.headers()[PASS], &response.headers()[CACHE_CONTROL])
    );
    assert!(headers[PASS].is_sensitive());
}
