//! Limits under attack: full stores, settings that change, and every kind of body.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tokio::time::advance;
use tower_jverify::{
    ClientIp, DenialReason, Field, Guards, JVerifyBuilder, JVerifyLayer, Limit, Rate, Rule, StorePolicy, captcha,
    number,
};

use super::reason;
use crate::{
    support::{Application, Verifier, post_json, send},
    telemetry::Log,
};

const MINUTE: Duration = Duration::from_secs(60);

/// A layer around a verifier that passes everything.
struct Site {
    verifier: Verifier,
    application: Application,
    layer: JVerifyLayer<Verifier>,
}

impl Site {
    fn with(build: impl FnOnce(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>) -> Self {
        let verifier = Verifier::passing();
        let layer = build(JVerifyLayer::builder(verifier.clone())).build().unwrap();
        Self { verifier, application: Application::default(), layer }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        send(&self.layer, &self.application, request).await
    }

    /// A login with a proof that has this number.
    async fn login(&self, client: &str, number: u32) -> Result<(), DenialReason> {
        let body = json!({"token": format!("t{number}"), "phone": format!("138{number:08}")});
        outcome(&self.send(from(client, post_json("/login", body.to_string()))).await)
    }
}

fn from(client: &str, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
    request
}

fn outcome(response: &Response<Bytes>) -> Result<(), DenialReason> {
    if response.status() == 200 { Ok(()) } else { Err(reason(response)) }
}

fn login() -> Rule {
    Rule::post("/login", number()).client_ip(ClientIp::forwarded(1))
}

fn sms() -> Rule {
    let once = Limit::per_client_and_phone(Rate::new(1, MINUTE), Field::body("/phone"));
    Rule::post("/sms", captcha()).client_ip(ClientIp::forwarded(1)).limit(once)
}

#[tokio::test(start_paused = true)]
async fn a_flood_that_fills_the_store_lifts_no_limit_of_the_account() {
    let budget = Guards::builder().capacity(2).daily_budget(20);
    let rate = Guards::builder().capacity(2).per_account(Rate::new(20, MINUTE));
    for (guards, expected) in [(budget, DenialReason::Budget), (rate, DenialReason::AccountLimited)] {
        let site = Site::with(|layer| layer.guards(&guards.build().unwrap()).rule(login()));
        // The store is full before the account is counted for the first time.
        let mut passed = 0;
        for n in 0..30 {
            match site.login(&format!("192.0.2.{n}"), n).await {
                Ok(()) => passed += 1,
                Err(reason) => assert_eq!(reason, expected),
            }
        }
        assert_eq!((passed, site.verifier.calls()), (20, 20), "{expected:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_holds_also_if_the_store_is_full_when_the_day_begins() {
    let guards = Guards::builder().capacity(3).daily_budget(5).build().unwrap();
    let site = Site::with(|layer| layer.guards(&guards).rule(login()));
    for n in 0..3 {
        assert_eq!(site.login(&format!("192.0.2.{n}"), n).await, Ok(()), "{n}");
    }
    // Claims last 15 minutes and keep the store full; the next day begins meanwhile, or later.
    for _ in 0..3 {
        advance(Duration::from_secs(8 * 3600)).await;
        for n in 100..103 {
            site.login(&format!("192.0.2.{n}"), n).await.ok();
        }
    }
    let before = site.verifier.calls();
    for n in 200..220 {
        site.login(&format!("192.0.2.{n}"), n).await.ok();
    }
    assert!(site.verifier.calls() - before <= 5, "{}", site.verifier.calls() - before);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_a_reload_changes_begins_anew() {
    let day = Duration::from_secs(24 * 3600);
    let guards = Guards::new();
    let of = |rate: Rate| Site::with(|layer| layer.guards(&guards).rule(login().limit(Limit::per_client(rate))));
    let site = of(Rate::new(1, 30 * day));
    assert_eq!(site.login("192.0.2.1", 1).await, Ok(()));
    assert_eq!(site.login("192.0.2.1", 2).await, Err(DenialReason::RateLimited));
    site.layer.reload(of(Rate::new(100, MINUTE)).layer);
    assert_eq!(site.login("192.0.2.1", 3).await, Ok(()));
}

#[tokio::test]
async fn an_address_in_brackets_is_a_client_with_or_without_a_port() {
    let site = Site::with(|layer| {
        let guards = Guards::builder().per_client(Rate::new(2, MINUTE)).build().unwrap();
        layer.guards(&guards).rule(login())
    });
    let spellings = ["[2001:db8:1:2::1]", "[2001:db8:1:2::1]:443", "2001:db8:1:2::9"];
    for (n, address) in (0..).zip(spellings) {
        assert_eq!(site.login(address, n).await.is_ok(), n < 2, "{address}");
    }
    assert_eq!(site.login("[2001:db8:1:3::1]", 9).await, Ok(()));
    assert_eq!(site.login("nothing", 10).await, Ok(()));
    assert_eq!(site.login("[2001:db8:1:4::1", 11).await, Ok(()), "not found, as the one before");
    assert_eq!(site.login("2001:db8:1:4::1]", 12).await, Err(DenialReason::RateLimited));
}

#[test]
fn the_log_names_rules_with_a_limit_for_another_phone_than_the_proven_one() {
    let (log, _listening) = Log::listen();
    let limit = |phone: &str| Limit::per_client_and_phone(Rate::new(1, MINUTE), Field::body(phone));
    let rules = [
        login().limit(limit("/sms/phone")),
        sms(),
        login().name("same").when(Field::body("/op"), "1").limit(limit("/phone")),
    ];
    for rule in rules {
        drop(Site::with(|layer| layer.rule(rule)));
    }
    let events = log.take_events().into_iter().filter(|event| event.contains("setting=\"limit\""));
    let events: Vec<_> = events.collect();
    assert!(events.len() == 1 && events[0].contains("rules=\"POST /login\""), "{events:#?}");
}

#[tokio::test]
async fn a_store_that_is_full_and_must_count_says_so_at_warn() {
    let guards = Guards::builder().capacity(1).store_policy(StorePolicy::Refuse).build().unwrap();
    let site = Site::with(|layer| layer.guards(&guards).rule(login()));
    let (log, _listening) = Log::listen();
    assert_eq!(site.login("192.0.2.1", 1).await, Err(DenialReason::StoreDown));
    let events = log.take_events();
    assert!(
        events.iter().any(|event| event.starts_with("WARN") && event.contains("reason=\"store_down\"")),
        "{events:#?}"
    );
}

#[test]
fn a_limit_of_a_field_that_holds_a_proof_is_refused() {
    let limit = |field: Field| Limit::per_client_and_phone(Rate::new(1, MINUTE), field);
    for rule in [
        Rule::post("/sms", captcha()).limit(limit(Field::body("/captchaContent"))),
        Rule::post("/sms", number()).limit(limit(Field::body("/token"))),
    ] {
        let rule = rule.client_ip(ClientIp::forwarded(1));
        let error = JVerifyLayer::builder(Verifier::passing()).rule(rule).build().err().unwrap();
        assert_eq!(error.setting(), "rule.limit", "{error}");
    }
}
