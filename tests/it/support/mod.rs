//! The one helper module: a verifier that counts, an application that remembers, a server on a real socket.

mod application;
mod between;
mod guarded;
pub(crate) mod redis_server;
mod sandboxed;
mod server;
mod verifier;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{BoxError, Service, ServiceExt};
use tower_jverify::{Breaker, Check, Denial, Guards, JVerifyBuilder, JVerifyLayer, Rule, Verdict, number};

pub(crate) use self::{
    application::{Application, Seen},
    between::{send_through, unchanged},
    guarded::Guarded,
    sandboxed::{Sandboxed, denial, jpush},
    server::{exchange, http2, serve, serve_one},
    verifier::Verifier,
};

/// A number proof that the default ask accepts.
pub(crate) const LOGIN: &str = r#"{"token":"tok-canary-7f3a","phone":"13812345678"}"#;

/// The rule under test, unless said: `POST /login` with a number.
pub(crate) fn login_layer(verifier: &Verifier) -> JVerifyLayer<Verifier> {
    builder(verifier).rule(Rule::post("/login", number())).build().unwrap()
}

/// One proof may be sent again and again, by one client: tests of other subjects send the same ones.
pub(crate) fn builder(verifier: &Verifier) -> JVerifyBuilder<Verifier> {
    asking(verifier.clone())
}

/// For a layer that takes the place of another, whose guards it gets.
pub(crate) fn following(verifier: &Verifier) -> JVerifyBuilder<Verifier> {
    JVerifyLayer::builder(verifier.clone())
}

/// As [`builder`], around any verifier.
pub(crate) fn asking<V>(verifier: V) -> JVerifyBuilder<V>
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
{
    JVerifyLayer::builder(verifier).guards(&lenient())
}

/// As [`asking`], and the first failure is noticed as an outage: a policy that opens does so at once.
pub(crate) fn noticing<V>(verifier: V) -> JVerifyBuilder<V>
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
{
    JVerifyLayer::builder(verifier).guards(&quick_to_notice())
}

/// Guards that claim no proof and limit no client.
fn lenient() -> Guards {
    Guards::builder().without_replay_guard().without_client_limits().build().unwrap()
}

/// Guards whose breakers notice an outage with the first failure, and that claim no proof and limit no client.
pub(crate) fn quick_to_notice() -> Guards {
    Guards::builder()
        .without_replay_guard()
        .without_client_limits()
        .breaker(Breaker::new().consecutive(1))
        .build()
        .unwrap()
}

/// `POST` with a JSON body.
pub(crate) fn post_json(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(path).header("content-type", "application/json").body(Full::new(body.into())).unwrap()
}

/// Sends one request through a layer around an application, in this process.
pub(crate) async fn send<V, B>(
    layer: &JVerifyLayer<V>,
    application: &Application,
    request: Request<B>,
) -> Response<Bytes>
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
{
    let service = tower::Layer::layer(layer, application.clone());
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    // Of every refused request of every test: a 400 or 415 says what was wrong.
    if let Some(denial) = parts.extensions.get::<Denial>().filter(|it| matches!(it.status().as_u16(), 400 | 415)) {
        assert!(denial.detail().is_some_and(|detail| !detail.is_empty()), "no detail: {denial:?}");
    }
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

/// The `code` of a denial.
pub(crate) fn code(response: &Response<Bytes>) -> String {
    let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
    problem["code"].as_str().unwrap_or_default().to_owned()
}
