//! An application behind the layer, the real client and the sandbox.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::Value;
use tower_jverify::{
    CheckKind, Credentials, Decision, Denial, JPush, JVerifyBuilder, JVerifyLayer, Rule, Sandbox, sandbox::Call,
};

use super::{Application, noticing, post_json, send};

pub(crate) struct Sandboxed {
    pub(crate) sandbox: Sandbox,
    pub(crate) application: Application,
    pub(crate) layer: JVerifyLayer<JPush<Sandbox>>,
}

/// The real client, talking to a sandbox.
pub(crate) fn jpush(sandbox: &Sandbox) -> JPush<Sandbox> {
    let credentials = Credentials::new("app-key", "master-secret").unwrap();
    JPush::builder(credentials).transport(sandbox.clone()).one_tap_key(&Sandbox::one_tap_key_pem()).build().unwrap()
}

impl Sandboxed {
    /// One rule, and all settings at their defaults.
    pub(crate) fn new(rule: Rule) -> Self {
        Self::set(|builder| builder.rule(rule))
    }

    /// As [`Sandboxed::new`], and the first failure is noticed as an outage.
    pub(crate) fn noticing(rule: Rule) -> Self {
        let sandbox = Sandbox::new();
        let layer = noticing(jpush(&sandbox)).rule(rule).build().unwrap();
        Self { sandbox, application: Application::default(), layer }
    }

    pub(crate) fn set(set: impl FnOnce(JVerifyBuilder<JPush<Sandbox>>) -> JVerifyBuilder<JPush<Sandbox>>) -> Self {
        let sandbox = Sandbox::new();
        let layer = set(JVerifyLayer::builder(jpush(&sandbox))).build().unwrap();
        Self { sandbox, application: Application::default(), layer }
    }

    /// `POST /login` with a JSON body.
    pub(crate) async fn login(&self, body: &Value) -> Response<Bytes> {
        self.send(post_json("/login", body.to_string())).await
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        send(&self.layer, &self.application, request).await
    }

    /// The kinds of what JPush was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<CheckKind> {
        self.sandbox.take_calls().iter().filter_map(Call::kind).collect()
    }

    /// The decision that reached the application last.
    pub(crate) fn decision(&self) -> Decision {
        self.application
            .last()
            .parts
            .extensions
            .get::<Decision>()
            .cloned()
            .expect("a guarded request carries a decision")
    }
}

/// The denial behind a response.
pub(crate) fn denial(response: &Response<Bytes>) -> Denial {
    response.extensions().get::<Denial>().cloned().expect("a denial is an extension of its response")
}
