//! A guarded login, twice: under the layer, and under the middleware that a user would write by hand today.
//!
//! Both are around the same axum router, ask the same vendor over loopback, judge its answer, and inform the handler
//! by a header. The one by hand is honest: one shared client with its pool, a bound on the body, a timeout, every error
//! answered. It does less: no exID, no duplicate names refused, no aliases stripped, one risk header instead of six.

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
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt};
use tower_jverify::{Assertions, ClientIp, Credentials, Guards, JPush, JVerify, JVerifyLayer, Mode, Rule, number};

use super::{
    guards_off, guards_on,
    jpush::{FAR, Place},
};

const KEY: &str = "5d1ca1a8f6e3c8d2b7a90f11";
const SECRET: &str = "9f86d081884c7d659a2feaa0";
/// Another in each login whose token differs.
pub(crate) const NUMBER: &str = "0000001542695429579";
pub(crate) const BODY: &str = r#"{"token":"STsid0000001542695429579Ob28vB7b0cYTI9w0GGZrv8ujUu05qZvw","phone":"15813554612","deviceId":"8f14e45f-ceea-467f-a0e6-b1d5f3c2a7e9","remember":true}"#;
/// As long, with a token that JPush refuses.
const REFUSED_BODY: &str = r#"{"token":"STsid0000001542695429579mismatch0cYTI9w0GGZrv8ujUu05qZvw","phone":"15813554612","deviceId":"8f14e45f-ceea-467f-a0e6-b1d5f3c2a7e9","remember":true}"#;

/// A guarded application, and the login that it is asked.
pub(crate) struct Guarded {
    application: Application,
    login: http::Request<()>,
    body: &'static str,
    expected: StatusCode,
    /// Counts logins with different tokens; `None`: all have the same one.
    next: Option<AtomicU64>,
}

enum Application {
    Ours(JVerifyLayer<JPush>, JVerify<Router, JPush>),
    /// Guarded by the middleware by hand, or not at all.
    ByHand(Router),
}

/// Longer than anything takes.
const LONG: Duration = Duration::from_secs(120);

/// How many checks a rule of this bench allows in flight.
const IN_FLIGHT: usize = 4096;

impl Guarded {
    /// `ours`, `by-hand`, or `unguarded`: what neither has a part in. `guards-on` and `guards-off` are ours with another token each
    /// time; `clients-on` and `clients-off` also with another client each time, where it is known who the clients are. `tls` is `ours`
    /// with TLS to JPush. `refused` and `shadow` are `guards-on` with a token of another phone, and with a rule in shadow. `far-ours` and
    /// `far-by-hand` are `ours` and `by-hand` with a JPush that is 100 ms away. `assertion` is `ours` with an assertion, for the feature `pass`.
    pub(crate) fn new(which: &str, jpush: &Place) -> Self {
        let plain = format!("http://{}", jpush.plain);
        let ours = |layer: JVerifyLayer<JPush>| {
            let service = layer.layer(application());
            Application::Ours(layer, service)
        };
        let application = match which {
            "ours" | "guards-off" => ours(layer(&plain, None, &guards_off(), rule())),
            "guards-on" | "refused" => ours(layer(&plain, None, &guards_on(), rule())),
            "shadow" => ours(layer(&plain, None, &guards_on(), rule().mode(Mode::Shadow))),
            "assertion" => ours(layer(&plain, None, &guards_off(), asserting(rule()))),
            "clients-off" => ours(layer(&plain, None, &guards_off(), rule_of_clients())),
            "clients-on" => ours(layer(&plain, None, &guards_on(), rule_of_clients())),
            "tls" => {
                let url = format!("https://localhost:{}", jpush.tls.port());
                ours(layer(&url, Some(&jpush.root), &guards_off(), rule()))
            }
            "far-ours" => ours(layer(&format!("{plain}{FAR}"), None, &guards_off(), rule().in_flight(IN_FLIGHT))),
            "far-by-hand" => Application::ByHand(by_hand(&format!("{plain}{FAR}"), application())),
            "by-hand" => Application::ByHand(by_hand(&plain, application())),
            "unguarded" => Application::ByHand(application()),
            _ => unreachable!("{which}"),
        };
        let others = ["guards-off", "guards-on", "clients-off", "clients-on", "refused", "shadow"];
        let next = others.contains(&which).then(AtomicU64::default);
        let (body, expected) =
            if which == "refused" { (REFUSED_BODY, StatusCode::FORBIDDEN) } else { (BODY, StatusCode::OK) };
        Self { application, login: login(), body, expected, next }
    }

    /// One login, which must be answered as expected.
    pub(crate) async fn ask(&self) {
        let login = self.login();
        let status = match &self.application {
            Application::Ours(_, service) => status(service.clone(), login).await,
            Application::ByHand(router) => status(router.clone(), login).await,
        };
        assert_eq!(status, self.expected);
    }

    /// As [`Guarded::ask`], with the call in a box: it takes no more memory than its side needs.
    pub(crate) async fn ask_boxed(&self) {
        let login = self.login();
        let status = match &self.application {
            Application::Ours(_, service) => Box::pin(status(service.clone(), login)).await,
            Application::ByHand(router) => Box::pin(status(router.clone(), login)).await,
        };
        assert_eq!(status, self.expected);
    }

    /// One login whose client leaves while its check is asked. Returns when the check is finished.
    pub(crate) async fn abandon(&self) {
        let Application::Ours(layer, service) = &self.application else { unreachable!("only ours finishes a check") };
        assert!(status(service.clone(), self.login()).now_or_never().is_none(), "the check is asked over the network");
        layer.drained().await;
    }

    fn login(&self) -> Request {
        let mut login = self.login.clone();
        let body = match &self.next {
            None => Body::from(self.body),
            Some(next) => {
                let next = next.fetch_add(1, Ordering::Relaxed);
                let client = Ipv4Addr::from_bits(u32::try_from(next).unwrap_or_default());
                login.extensions_mut().insert(SocketAddr::from((client, 443)));
                // As many digits as it replaces.
                Body::from(self.body.replacen(NUMBER, &format!("{next:019}"), 1))
            }
        };
        login.map(|()| body)
    }
}

/// The application of the bench `sockets`: a whole server, as the README starts one.
#[cfg(feature = "axum")]
pub(crate) async fn serve(which: &str, jpush: &Place, listener: tokio::net::TcpListener) {
    let plain = format!("http://{}", jpush.plain);
    let served = match which {
        "ours" => {
            let layer = layer(&plain, None, &guards_on(), rule());
            axum::serve(listener, layer.around(application())).await
        }
        "by-hand" => axum::serve(listener, by_hand(&plain, application())).await,
        "unguarded" => axum::serve(listener, application()).await,
        _ => unreachable!("{which}"),
    };
    served.expect("the listener lives");
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
    Rule::post("/login", number()).deadline(LONG)
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

fn layer(url: &str, root: Option<&str>, guards: &Guards, rule: Rule) -> JVerifyLayer<JPush> {
    let credentials = Credentials::new(KEY, SECRET).expect("credentials are well-formed");
    // Under valgrind the first handshake takes long.
    let mut jpush = JPush::builder(credentials).base_url(url).connect_timeout(LONG);
    if let Some(root) = root {
        jpush = jpush.extra_root_pem(root.as_bytes());
    }
    let jpush = jpush.build().expect("settings are valid");
    JVerifyLayer::builder(jpush).guards(guards).rule(rule).build().expect("rules are valid")
}

struct Vendor {
    client: reqwest::Client,
    url: String,
}

fn by_hand(url: &str, application: Router) -> Router {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build();
    let client = client.expect("the client builds");
    let vendor = Arc::new(Vendor { client, url: format!("{url}/v2/web/verify") });
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
