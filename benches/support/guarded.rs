//! A guarded login, twice: under the layer, and under the middleware that a user would write by hand today.
//!
//! Both wrap the same axum router, ask the same vendor over loopback, judge its answer, and report it to the handler in a header.
//! The hand-written one is honest: one shared client with its pool, a bound on the body, a timeout, and an answer for every error.
//! It does less: it sends no exID, refuses no duplicate names, strips no aliases, and sets one risk header instead of six.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt};
use tower_jverify::{Assertions, ClientIp, Credentials, Guards, JPush, JVerify, JVerifyLayer, Rule, number};

use super::{guards_off, guards_on};

const KEY: &str = "5d1ca1a8f6e3c8d2b7a90f11";
const SECRET: &str = "9f86d081884c7d659a2feaa0";
const BODY: &str = r#"{"token":"STsid0000001542695429579Ob28vB7b0cYTI9w0GGZrv8ujUu05qZvw","phone":"15813554612","deviceId":"8f14e45f-ceea-467f-a0e6-b1d5f3c2a7e9","remember":true}"#;

/// A guarded application, and the login that it is asked.
pub(crate) struct Guarded {
    application: Application,
    login: http::Request<()>,
    /// Counts logins whose tokens differ; `None`: all are the same.
    next: Option<AtomicU64>,
}

enum Application {
    Ours(JVerify<Router, JPush>),
    /// No middleware.
    ByHand(Router),
}

impl Guarded {
    /// `ours`, `by-hand`, or `unguarded`: what neither has a part in. `guards-on` and `guards-off` are ours with another token each time,
    /// `clients-on` and `clients-off` also with another client each time, where it is known who the clients are. `assertion` is `ours` with an
    /// assertion, for the feature `pass`.
    pub(crate) fn new(which: &str, jpush: SocketAddr) -> Self {
        let application = match which {
            "ours" | "guards-off" => Application::Ours(ours(jpush, &guards_off(), rule()).layer(application())),
            "guards-on" => Application::Ours(ours(jpush, &guards_on(), rule()).layer(application())),
            "clients-off" => Application::Ours(ours(jpush, &guards_off(), rule_of_clients()).layer(application())),
            "clients-on" => Application::Ours(ours(jpush, &guards_on(), rule_of_clients()).layer(application())),
            "assertion" => Application::Ours(ours(jpush, &guards_off(), asserting(rule())).layer(application())),
            "by-hand" => Application::ByHand(by_hand(jpush, application())),
            _ => Application::ByHand(application()),
        };
        let next = (which.starts_with("guards") || which.starts_with("clients")).then(AtomicU64::default);
        Self { application, login: login(), next }
    }

    /// One login, which must come through.
    pub(crate) async fn ask(&self) {
        let mut login = self.login.clone();
        let body = match &self.next {
            None => Body::from(BODY),
            // As many digits as it takes the place of.
            Some(next) => {
                let next = next.fetch_add(1, Ordering::Relaxed);
                let client = Ipv4Addr::from_bits(u32::try_from(next).unwrap_or_default());
                login.extensions_mut().insert(SocketAddr::from((client, 443)));
                Body::from(BODY.replacen("0000001542695429579", &format!("{next:019}"), 1))
            }
        };
        let login = login.map(|()| body);
        let status = match &self.application {
            Application::Ours(service) => status(service.clone(), login).await,
            Application::ByHand(router) => status(router.clone(), login).await,
        };
        assert_eq!(status, StatusCode::OK);
    }
}

async fn status<S, B>(service: S, request: Request) -> StatusCode
where
    S: Service<Request, Response = http::Response<B>>,
    S::Error: std::fmt::Debug,
{
    service.oneshot(request).await.expect("a router does not fail").status()
}

/// The head of a login. Its clones share what it is made of, as headers read by a server share the buffer.
fn login() -> http::Request<()> {
    let mut login = http::Request::new(());
    *login.method_mut() = Method::POST;
    *login.uri_mut() = Uri::from_static("/login");
    for (name, value) in [
        (header::HOST, HeaderValue::from_static("app.example.com")),
        (header::USER_AGENT, HeaderValue::from_static("okhttp/4.12.0")),
        (header::ACCEPT, HeaderValue::from_static("application/json")),
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CONTENT_LENGTH, HeaderValue::from(BODY.len())),
    ] {
        login.headers_mut().insert(name, value);
    }
    login
}

/// Does as little as it can: it reads the body.
fn application() -> Router {
    async fn handler(request: Request) -> StatusCode {
        let body = to_bytes(request.into_body(), usize::MAX).await.unwrap_or_default();
        if body.len() == BODY.len() { StatusCode::OK } else { StatusCode::BAD_REQUEST }
    }
    Router::new().route("/login", post(handler))
}

fn rule() -> Rule {
    Rule::post("/login", number())
}

fn rule_of_clients() -> Rule {
    rule().client_ip(ClientIp::peer())
}

/// A rule with an assertion, signed with the private key of RFC 8410, section 10.3.
pub(super) fn asserting(rule: Rule) -> Rule {
    const PKCS8: [u8; 48] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20, 0xd4, 0xee,
        0x72, 0xdb, 0xf9, 0x13, 0x58, 0x4a, 0xd5, 0xb6, 0xd8, 0xf1, 0xf7, 0x69, 0xf8, 0xad, 0x3a, 0xfe, 0x7c, 0x28,
        0xcb, 0xf1, 0xd4, 0xfb, 0xe0, 0x97, 0xa8, 0x8f, 0x44, 0x75, 0x58, 0x42,
    ];
    rule.assertion(Assertions::ed25519("bench", PKCS8).audience("accounts"))
}

fn ours(jpush: SocketAddr, guards: &Guards, rule: Rule) -> JVerifyLayer<JPush> {
    let credentials = Credentials::new(KEY, SECRET).expect("credentials are well-formed");
    let jpush = JPush::builder(credentials).base_url(&format!("http://{jpush}")).build().expect("settings stand");
    JVerifyLayer::builder(jpush).guards(guards).rule(rule).build().expect("rules stand")
}

struct Vendor {
    client: reqwest::Client,
    url: String,
}

fn by_hand(jpush: SocketAddr, application: Router) -> Router {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build();
    let client = client.expect("the client builds");
    let vendor = Arc::new(Vendor { client, url: format!("http://{jpush}/v2/web/verify") });
    application.layer(from_fn_with_state(vendor, verify))
}

async fn verify(State(vendor): State<Arc<Vendor>>, request: Request, next: Next) -> Response {
    if request.uri().path() != "/login" {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let json =
        parts.headers.get(header::CONTENT_TYPE).is_some_and(|media| media.as_bytes().starts_with(b"application/json"));
    if !json {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let Ok(bytes) = to_bytes(body, 64 * 1024).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let Ok(login) = serde_json::from_slice::<Value>(&bytes) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let proof = (login.get("token").and_then(Value::as_str), login.get("phone").and_then(Value::as_str));
    let (Some(token), Some(phone)) = proof else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Ok(reply) = vendor.ask(token, phone).await else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    if reply.get("code").and_then(Value::as_i64) != Some(9000) {
        return (StatusCode::FORBIDDEN, Json(json!({"code": "verification_failed"}))).into_response();
    }
    parts.headers.insert("x-jverify-decision", HeaderValue::from_static("allow"));
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

impl Vendor {
    async fn ask(&self, token: &str, phone: &str) -> reqwest::Result<Value> {
        let request = self.client.post(&self.url).basic_auth(KEY, Some(SECRET));
        let response = request.json(&json!({"token": token, "phone": phone})).send().await?;
        response.error_for_status()?.json().await
    }
}
