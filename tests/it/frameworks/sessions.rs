//! An application with sessions, as in axum-login, whose login is verified only without a session; and the bodies of axum.

use std::collections::HashMap;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::post,
};
use http::{HeaderMap, HeaderName, HeaderValue, Version, header::COOKIE};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_jverify::{Decision, Phone, Rule, Verified, number};

use crate::support::{LOGIN, Verifier, builder, exchange, http2, login_layer};

/// Who a session belongs to, once the store has been asked.
#[derive(Clone)]
struct User(&'static str);

type Store = HashMap<&'static str, User>;

/// The session layer: looks the cookie up, and inserts what the store knows.
async fn session(State(store): State<std::sync::Arc<Store>>, mut request: Request, next: Next) -> Response {
    let id = request.headers().get(COOKIE).and_then(|cookie| cookie.to_str().ok()?.strip_prefix("id="));
    if let Some(user) = id.and_then(|id| store.get(id)).cloned() {
        request.extensions_mut().insert(user);
    }
    next.run(request).await
}

/// Changes the phone of an account: the owner of a session by a password, a stranger by a proof.
async fn change(verified: Option<Verified>, request: Request) -> String {
    let user = request.extensions().get::<User>().map_or("nobody", |user| user.0);
    let phone = verified.and_then(|verified| verified.phone()).map(|phone| phone.masked().to_string());
    let said = request.headers()["x-jverify-decision"].to_str().unwrap().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1000).await.unwrap();
    format!("{user} {phone:?} {said} {}", body.len())
}

#[tokio::test]
async fn who_has_a_session_needs_no_proof_and_a_cookie_alone_is_no_session() {
    let verifier = Verifier::passing();
    let rule = Rule::post("/change", number()).guard_unless(|head| head.extensions.get::<User>().is_some());
    let layer = builder(&verifier).rule(rule).build().unwrap();
    let store = std::sync::Arc::new(Store::from([("s1", User("alice"))]));
    let layers = ServiceBuilder::new().layer(from_fn_with_state(store, session)).layer(layer);
    let router = Router::new().route("/change", post(change)).layer(layers);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let ask = |headers: &str, body: &str| {
        let length = body.len();
        let head = "POST /change HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json";
        exchange(address, format!("{head}\r\n{headers}content-length: {length}\r\n\r\n{body}"))
    };
    let answer = ask("cookie: id=s1\r\n", "a form").await;
    assert!(answer.ends_with("alice None not-guarded 6"), "{answer}");
    let answer = ask("", LOGIN).await;
    assert!(answer.ends_with(&format!("nobody Some(\"138****5678\") allow {}", LOGIN.len())), "{answer}");
    for headers in ["", "cookie: id=s2\r\n", "x-jverify-decision: not-guarded\r\n", "x-user: alice\r\n"] {
        let answer = ask(headers, "{}").await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{headers}: {answer}");
    }
    assert_eq!(verifier.calls(), 1);
}

/// A backend in another process, on axum: a middleware reads the proxy's headers, and `Verified` works as in the layer's process.
#[tokio::test]
async fn a_backend_in_another_process_takes_verified_too() {
    async fn trusting(mut request: Request, next: Next) -> Response {
        if let Ok(decision) = Decision::from_trusted_headers(request.headers(), "x-jverify") {
            request.extensions_mut().insert(decision);
        }
        next.run(request).await
    }
    let login =
        |verified: Verified| async move { verified.phone().as_ref().map(Phone::as_str).unwrap_or_default().to_owned() };
    let router = Router::new().route("/login", post(login)).layer(axum::middleware::from_fn(trusting));
    for (lines, status, body) in [
        (&[("x-jverify-decision", "allow"), ("x-jverify-phone", "13800000000")][..], 200, "13800000000"),
        (&[("x-jverify-decision", "unverified")], 500, ""),
        (&[("x-jverify-decision", "allow"), ("x_jverify_decision", "allow")], 500, ""),
        (&[], 500, ""),
    ] {
        let mut request = Request::post("/login").body(Body::empty()).unwrap();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_static(value));
        }
        let response = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
        assert_eq!(response.status(), status, "{lines:?}");
        let answer = response.into_body().collect().await.unwrap().to_bytes();
        assert!(status != 200 || answer == body, "{answer:?}");
    }
}

/// The application behind `around` gets the bodies as they came, without forged `x-jverify-*` trailers.
#[tokio::test]
async fn bodies_that_are_handed_on_without_a_box_keep_their_trailers_filtered() {
    async fn trailers(request: Request) -> String {
        let body = request.into_body().collect().await.unwrap();
        let names =
            body.trailers().into_iter().flat_map(|trailers| trailers.keys().map(|name| name.as_str().to_owned()));
        format!("{:?} {}", names.collect::<Vec<_>>(), body.to_bytes().len())
    }
    let router = Router::new().route("/login", post(trailers)).route("/health", post(trailers));
    let app = login_layer(&Verifier::passing()).around(router);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let length = LOGIN.len();
    for path in ["/login", "/health"] {
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n");
        let forged = "x-jverify-decision: allow\r\nx_jverify_phone: 13800000000\r\nx-sum: 1\r\n";
        let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{length:x}\r\n{LOGIN}\r\n0\r\n{forged}\r\n");
        let answer = exchange(address, chunked).await;
        assert!(answer.ends_with(&format!("[\"x-sum\"] {length}")), "{answer}");
        let answer = exchange(address, format!("{head}content-length: {length}\r\n\r\n{LOGIN}")).await;
        assert!(answer.ends_with(&format!("[] {length}")), "{answer}");

        let mut forged = HeaderMap::new();
        forged.insert("x-jverify-decision", HeaderValue::from_static("allow"));
        forged.insert("x-sum", HeaderValue::from_static("1"));
        let frames = [Frame::data(bytes::Bytes::from_static(LOGIN.as_bytes())), Frame::trailers(forged)];
        let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, std::convert::Infallible>)));
        let mut client = http2(address).await;
        // With a length that is known, too.
        let request = Request::post(format!("http://{address}{path}")).header("content-type", "application/json");
        let request = request.version(Version::HTTP_2).header("content-length", length).body(body).unwrap();
        let answer = client.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        assert_eq!(answer, format!("[\"x-sum\"] {length}"), "{path}");
    }
}
