//! Several instances: what they share in Redis, and what each does while Redis does not answer.

mod down;
mod dropped;
mod encrypted;
mod failover;
mod private;
mod races;
mod settings;
mod shared;
mod waits;

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use serde_json::json;
use tower_jverify::{
    ClientIp, Denial, DenialReason, Guards, GuardsBuilder, JVerifyLayer, Redis, RedisBuilder, Rule, Secret, number,
};

use crate::support::{
    Application, Verifier, post_json,
    redis_server::{KEY, Server},
    send,
};

const PHONE: &str = "13812345678";

/// Longer than the default: the machine may be busy.
const DEADLINE: Duration = Duration::from_millis(500);

/// One instance of an application, with separate memory.
struct Instance {
    verifier: Verifier,
    application: Application,
    layer: JVerifyLayer<Verifier>,
}

// === impl Instance ===

impl Instance {
    fn new(server: &Server) -> Self {
        Self::with(server, |guards| guards)
    }

    fn with(server: &Server, set: impl FnOnce(GuardsBuilder) -> GuardsBuilder) -> Self {
        Self::of(Verifier::passing(), builder(&server.url()), set)
    }

    fn of(verifier: Verifier, redis: RedisBuilder, set: impl FnOnce(GuardsBuilder) -> GuardsBuilder) -> Self {
        let redis = redis.build().unwrap();
        let guards = set(Guards::builder().redis(redis)).build().unwrap();
        let layer = JVerifyLayer::builder(verifier.clone())
            .guards(&guards)
            .rule(Rule::post("/login", number()).client_ip(ClientIp::forwarded(1)))
            .build()
            .unwrap();
        Self { verifier, application: Application::default(), layer }
    }

    async fn send(&self, client: &str, token: &str, phone: &str) -> Response<Bytes> {
        let mut request = post_json("/login", json!({"token": token, "phone": phone}).to_string());
        request.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
        send(&self.layer, &self.application, request).await
    }

    /// Whether a login passes, and otherwise why it does not.
    async fn login_from(&self, client: &str, token: &str, phone: &str) -> Result<(), DenialReason> {
        let response = self.send(client, token, phone).await;
        match response.extensions().get::<Denial>() {
            None => Ok(()),
            Some(denial) => Err(denial.reason()),
        }
    }

    /// A login whose client and phone are both made from the number.
    async fn login(&self, token: &str, number: u32) -> Result<(), DenialReason> {
        let [_, b, c, d] = number.to_be_bytes();
        self.login_from(&format!("10.{b}.{c}.{d}"), token, &format!("138{number:08}")).await
    }
}

fn builder(url: &str) -> RedisBuilder {
    Redis::builder(url).deployment_key(Secret::from(KEY)).deadline(DEADLINE)
}
