//! axum: around a router, on a router, on its routes, on a method; the extractor; the peer.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    extract::{ConnectInfo, Request},
    middleware::{Next, map_request},
    routing::{get, post},
};
use http::{StatusCode, Version};
use serde_json::Value;
use tokio::net::TcpListener;
use tower_jverify::{
    Class, ClientIp, Decision, Fallback, Phone, Policy, Rule, Sandbox, Verified, number, sandbox::Fault,
};

use super::{ask, ips};
use crate::support::{LOGIN, Verifier, builder, code, jpush, login_layer, noticing};

/// Says who was verified, and reads the body after the layer has.
async fn login(verified: Verified, Json(body): Json<Value>) -> String {
    assert_eq!(body["phone"], verified.phone().unwrap().as_str());
    format!("welcome {}", verified.phone().unwrap().masked())
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn serve(router: Router) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A login that passes, a login that is refused, and a route next to it that no rule guards.
async fn guards_its_login(server: SocketAddr, verifier: &Verifier) {
    let before = verifier.calls();
    let response = ask(server, Version::HTTP_11, "/login", LOGIN).await;
    assert_eq!((response.status().as_u16(), response.body()), (200, &"welcome 138****5678".into()));
    assert_eq!(verifier.calls(), before + 1, "asked once, however often the layer was wrapped");

    let response = ask(server, Version::HTTP_11, "/login", "{}").await;
    assert_eq!((response.status().as_u16(), code(&response).as_str()), (400, "proof_missing"));
    assert_eq!(verifier.calls(), before + 1);

    let response = ask(server, Version::HTTP_11, "/health", "{}").await;
    assert_eq!((response.status().as_u16(), response.body()), (200, &"forged: false".into()));
}

async fn health(headers: http::HeaderMap) -> String {
    format!("forged: {}", headers.contains_key("x-jverify-decision"))
}

fn routes() -> Router {
    Router::new().route("/login", post(login)).route("/health", post(health))
}

#[tokio::test]
async fn around_a_router_which_is_served_as_a_router_is() {
    let verifier = Verifier::passing();
    let app = login_layer(&verifier).around(routes());
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    guards_its_login(address, &verifier).await;

    // As `into_make_service` of a router, and without axum's `ServiceExt` in scope.
    let app = login_layer(&verifier).around(routes());
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, app.into_make_service()).await });
    guards_its_login(address, &verifier).await;
}

#[tokio::test]
async fn a_handler_that_also_serves_others_takes_an_option() {
    async fn home(verified: Option<Verified>) -> String {
        format!("{:?}", verified.map(|verified| verified.phone().unwrap().masked().to_string()))
    }
    let verified = Verifier::passing();
    let routes = || Router::new().route("/login", post(home)).route("/home", post(home));
    let (listener, address) = listen().await;
    let app = login_layer(&verified).around(routes());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let response = ask(address, Version::HTTP_11, "/login", LOGIN).await;
    assert_eq!((response.status().as_u16(), response.body()), (200, &r#"Some("138****5678")"#.into()));
    let response = ask(address, Version::HTTP_11, "/home", LOGIN).await;
    assert_eq!((response.status().as_u16(), response.body()), (200, &"None".into()), "no decision");

    // Let through unverified.
    let sandbox = Sandbox::new();
    sandbox.fault(Fault::Refuse);
    let policy = Policy::default().on(Class::Unavailable, Fallback::Open);
    let layer = noticing(jpush(&sandbox)).rule(Rule::post("/login", number())).policy(policy);
    let app = layer.build().unwrap().around(routes());
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    let response = ask(address, Version::HTTP_11, "/login", LOGIN).await;
    assert_eq!((response.status().as_u16(), response.body()), (200, &"None".into()), "unverified");
}

#[tokio::test]
async fn on_a_router() {
    let verifier = Verifier::passing();
    let router = routes().layer(login_layer(&verifier));
    guards_its_login(serve(router).await, &verifier).await;
}

#[tokio::test]
async fn on_the_routes_of_a_router_by_a_rule_for_every_request() {
    let verifier = Verifier::passing();
    let layer = builder(&verifier).rule(Rule::any_request(number())).build().unwrap();
    let guarded = Router::new().route("/login", post(login)).route_layer(layer);
    // `/health` is not a route of the guarded router: the layer never sees it and removes no headers.
    let router = guarded.route("/health", post(|| async { "forged: false" }));
    guards_its_login(serve(router).await, &verifier).await;
}

#[tokio::test]
async fn on_one_method_of_one_route() {
    let verifier = Verifier::passing();
    let layer = builder(&verifier).rule(Rule::any_request(number())).build().unwrap();
    let router = Router::new()
        .route("/login", post(login).layer(layer).merge(get(|| async { "the form" })))
        .route("/health", post(|| async { "forged: false" }));
    guards_its_login(serve(router).await, &verifier).await;
}

#[tokio::test]
async fn under_a_nested_router_by_the_original_path_or_the_current_one() {
    for rule in [Rule::post("/api/login", number()), Rule::post("/login", number())] {
        let verifier = Verifier::passing();
        let shown = format!("{rule:?}");
        let layer = builder(&verifier).rule(rule).build().unwrap();
        let server = serve(Router::new().nest("/api", routes().layer(layer))).await;
        assert_eq!(ask(server, Version::HTTP_11, "/api/login", LOGIN).await.status(), 200, "{shown}");
        assert_eq!(ask(server, Version::HTTP_11, "/api/login", "{}").await.status(), 400, "{shown}");
        assert_eq!(verifier.calls(), 1, "{shown}");
    }
}

#[tokio::test]
async fn a_handler_that_takes_verified_says_what_is_missing() {
    let verifier = Verifier::passing();
    // The layer guards another path.
    let layer = builder(&verifier).rule(Rule::post("/elsewhere", number())).build().unwrap();
    let server = serve(routes().layer(layer)).await;
    let response = ask(server, Version::HTTP_11, "/login", LOGIN).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let said = String::from_utf8_lossy(response.body());
    assert!(said.contains("JVerifyLayer") && said.contains("rule"), "{said}");

    // No layer at all.
    let response = ask(serve(routes()).await, Version::HTTP_11, "/login", LOGIN).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);

    // What was opened for an outage.
    let unreachable = Sandbox::new();
    unreachable.fault(Fault::Refuse);
    let rule = Rule::post("/login", number()).policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    let layer = noticing(jpush(&unreachable)).rule(rule).build().unwrap();
    let server = serve(routes().layer(layer)).await;
    let response = ask(server, Version::HTTP_11, "/login", LOGIN).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let said = String::from_utf8_lossy(response.body());
    assert!(said.contains("unverified"), "{said}");
}

#[tokio::test]
async fn a_handlers_own_test_makes_its_own_verified() {
    let verified = Verified::for_test(Phone::parse("13812345678").unwrap());
    let body = serde_json::from_str(LOGIN).unwrap();
    assert_eq!(login(verified, Json(body)).await, "welcome 138****5678");
}

/// The peer of a test is the loopback, which is never sent; so a middleware in front plays a client from outside.
#[tokio::test]
async fn the_peer_is_axums_connect_info() {
    let verifier = Verifier::passing();
    let rule = Rule::post("/login", number()).client_ip(ClientIp::peer()).send_client_ip(true);
    let layer = builder(&verifier).rule(rule).build().unwrap();
    let from_outside = map_request(|mut request: Request| async move {
        let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied().expect("axum tells it");
        assert!(peer.ip().is_loopback());
        if request.headers().contains_key("x-outside") {
            request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([8, 8, 8, 8], peer.port()))));
        }
        request
    });
    let router = routes().layer(layer).layer(from_outside);
    let (listener, address) = listen().await;
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });

    assert_eq!(ask(address, Version::HTTP_11, "/login", LOGIN).await.status(), 200);
    let outside = reqwest::Client::new().post(format!("http://{address}/login"));
    let outside = outside.header("x-outside", "1").header("content-type", "application/json").body(LOGIN);
    assert_eq!(outside.send().await.unwrap().status(), 200);
    assert_eq!(ips(&verifier), [None, Some([8, 8, 8, 8].into())]);
}

#[tokio::test]
async fn a_wrapped_router_learns_its_peer_too() {
    let verifier = Verifier::passing();
    let told = ClientIp::from_fn(|parts| {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
        assert!(peer.0.ip().is_loopback());
        Some([8, 8, 8, 8].into())
    });
    let layer =
        builder(&verifier).rule(Rule::post("/login", number()).client_ip(told).send_client_ip(true)).build().unwrap();
    let (listener, address) = listen().await;
    let service = layer.around(routes()).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    assert_eq!(ask(address, Version::HTTP_11, "/login", LOGIN).await.status(), 200);
    assert_eq!(ips(&verifier), [Some([8, 8, 8, 8].into())]);
}

#[tokio::test]
async fn a_middleware_further_in_sees_the_decision() {
    let verifier = Verifier::passing();
    let inner = axum::middleware::from_fn(|request: Request, next: Next| async move {
        assert!(request.extensions().get::<Decision>().unwrap().is_verified());
        next.run(request).await
    });
    let router = Router::new().route("/login", post(login)).layer(inner).layer(login_layer(&verifier));
    assert_eq!(ask(serve(router).await, Version::HTTP_11, "/login", LOGIN).await.status(), 200);
}
