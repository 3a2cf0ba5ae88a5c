//! The limits of a client, a rule and an account.

mod accounts;
mod clients;
mod rules;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tower_jverify::{DenialReason, GuardsBuilder, JVerifyLayer, Rule};

use crate::guards::{from, outcome};
use crate::support::{Application, Verifier, post_json, send};

/// A layer, and requests with another proof each time.
struct Desk {
    verifier: Verifier,
    application: Application,
    layer: JVerifyLayer<Verifier>,
    next: std::sync::atomic::AtomicUsize,
}

impl Desk {
    fn new(guards: GuardsBuilder, rules: impl IntoIterator<Item = Rule>) -> Self {
        Self::of(Verifier::passing(), guards, rules)
    }

    fn of(verifier: Verifier, guards: GuardsBuilder, rules: impl IntoIterator<Item = Rule>) -> Self {
        let layer = JVerifyLayer::builder(verifier.clone()).guards(&guards.build().unwrap()).rules(rules);
        let layer = layer.build().unwrap();
        Self { verifier, application: Application::default(), layer, next: 0.into() }
    }

    fn request(&self, path: &str, client: &str, phone: &str) -> Request<Full<Bytes>> {
        let next = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let proof = format!("proof-{next}");
        let body = json!({"token": proof, "phone": phone, "captchaContent": proof});
        from(client, post_json(path, body.to_string()))
    }

    async fn send(&self, path: &str, client: &str, phone: &str) -> Response<Bytes> {
        send(&self.layer, &self.application, self.request(path, client, phone)).await
    }

    /// Whether a login passes, and otherwise why it does not.
    async fn login(&self, client: &str, phone: &str) -> Result<(), DenialReason> {
        outcome(&self.send("/login", client, phone).await)
    }
}

fn phone(number: u32) -> String {
    format!("138{number:08}")
}

fn retry_after<B>(response: &Response<B>) -> u64 {
    response.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

const LIMITED: Result<(), DenialReason> = Err(DenialReason::RateLimited);
