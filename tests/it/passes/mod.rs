//! Passes: a proven number is not paid for twice, and a pass proves nothing that was not proven.

mod accepted;
mod bound;
mod caches;
mod chain;
mod counted;
mod forged;
mod headers;
mod limits;
mod private;
mod retry;
mod settings;
mod shadow;
mod slow_redis;
mod store;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};
use tower_jverify::{
    CheckKind, Class, Decision, Denial, DenialReason, JVerifyBuilder, JVerifyLayer, Passes, Question, Risk, Rule,
    Verdict, number,
};

use crate::support::{Application, Verifier, post_json};

const PHONE: &str = "13812345678";
const OTHER: &str = "13900000001";
const SECRET: &str = "canary-secret-0123456789abcdef-7d";
const CAPTCHA: &str = "solved";
const PASS: &str = "x-jverify-pass";
const MINUTE: Duration = Duration::from_secs(60);

/// A verifier that is asked for a risk by the token: `650` has that score. A captcha passes if it is `solved`.
fn verifier() -> Verifier {
    Verifier::answering(|check| {
        let verdict = Verdict::new(check.kind(), Class::Passed).with_id(117_270_465);
        Some(match check.question() {
            Question::Number { token, .. } => {
                let digits: String = token.expose().chars().take_while(char::is_ascii_digit).collect();
                verdict.with_risk(match digits.parse() {
                    Ok(score) => Risk::from_score(score, vec!["F24004".into()]),
                    Err(_) => Risk::Unknown,
                })
            }
            Question::Captcha { content, .. } if !content.expose().starts_with(CAPTCHA) => {
                Verdict::new(check.kind(), Class::Rejected)
            }
            Question::Risk { .. } => verdict.with_risk(Risk::from_score(650, Vec::new())),
            _ => verdict,
        })
    })
}

fn passes() -> Passes {
    Passes::hs256("a", SECRET).audience("accounts")
}

fn login() -> Rule {
    Rule::post("/login", number()).name("login")
}

/// A layer, its verifier, and an application that answers with a status.
struct Desk {
    verifier: Verifier,
    layer: JVerifyLayer<Verifier>,
    application: Application,
    status: Arc<AtomicU16>,
}

// === impl Desk ===

impl Desk {
    /// `POST /login` with passes.
    fn new() -> Self {
        Self::set(|builder| builder.passes(passes()).rule(login()))
    }

    fn set(set: impl FnOnce(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>) -> Self {
        Self::asking(verifier(), set)
    }

    fn asking(verifier: Verifier, set: impl FnOnce(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>) -> Self {
        let layer = set(JVerifyLayer::builder(verifier.clone())).build().unwrap();
        Self { verifier, layer, application: Application::default(), status: Arc::new(AtomicU16::new(200)) }
    }

    /// From now on the application answers so.
    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        let (application, status) = (self.application.clone(), self.status.load(Ordering::Relaxed));
        let inner = service_fn(move |request| {
            let application = application.clone();
            async move {
                let mut response = application.oneshot(request).await?;
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                Ok::<_, std::convert::Infallible>(response)
            }
        });
        let (parts, body) = tower::Layer::layer(&self.layer, inner).oneshot(request).await.unwrap().into_parts();
        Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
    }

    async fn login(&self, body: &Value) -> Response<Bytes> {
        self.send(post_json("/login", body.to_string())).await
    }

    /// A login with a pass in place of its token.
    async fn by_pass(&self, pass: &str, body: &Value) -> Response<Bytes> {
        self.send(with_pass(pass, post_json("/login", body.to_string()))).await
    }

    /// The pass of a risky number without a captcha.
    async fn earned(&self) -> String {
        issued(&self.login(&json!({"token": format!("650 {}", next()), "phone": PHONE})).await)
    }

    /// Nothing is asked, the application does not run, and the answer shows no reason.
    async fn refuses(&self, pass: &str, body: &Value, reason: DenialReason, what: &str) {
        let before = (self.verifier.calls(), self.application.runs());
        let response = self.by_pass(pass, body).await;
        let problem: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!((response.status().as_u16(), &problem["code"]), (403, &json!("proof_expired")), "{what}");
        assert_eq!(problem["next"], json!(["new_token"]), "{what}");
        assert_eq!(denial_reason(&response), Some(reason), "{what}");
        assert!(!String::from_utf8_lossy(response.body()).contains("pass"), "{what}");
        assert!(!response.headers().contains_key(PASS), "{what}");
        assert_eq!((self.verifier.calls(), self.application.runs()), before, "asked or let through: {what}");
    }

    fn decision(&self) -> Decision {
        self.application.last().parts.extensions.get::<Decision>().cloned().unwrap()
    }

    fn kinds(&self) -> Vec<CheckKind> {
        self.verifier.kinds()
    }
}

/// With a captcha that was solved for this request.
fn solved() -> Value {
    json!({"phone": PHONE, "captchaContent": captcha_content()})
}

fn captcha_content() -> String {
    format!("{CAPTCHA} {}", next())
}

/// A number that no other proof has.
fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn with_pass(pass: &str, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request.headers_mut().insert(PASS, pass.parse().unwrap());
    request
}

fn denial_reason<B>(response: &Response<B>) -> Option<DenialReason> {
    response.extensions().get::<Denial>().map(Denial::reason)
}

/// The pass of a denial, which the document and the header have.
fn issued(response: &Response<Bytes>) -> String {
    let problem: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!((response.status().as_u16(), &problem["code"]), (403, &json!("captcha_required")));
    assert_eq!(problem["pass"], response.headers()[PASS].to_str().unwrap());
    assert_eq!(response.headers()["cache-control"], "no-store");
    problem["pass"].as_str().unwrap().to_owned()
}

/// The claims of a pass, which its client can read.
fn claims(pass: &str) -> Value {
    let claims = pass.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}
