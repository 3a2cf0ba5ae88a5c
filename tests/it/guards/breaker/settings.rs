//! The settings of breakers, guards without breakers, and snapshots.

use std::time::Duration;

use serde_json::json;
use tower_jverify::{Breaker, Class, Fallback, Guards, JVerifyLayer, Policy, Rule, Sandbox, number, sandbox::Fault};

use crate::guards::PHONE;
use crate::support::{Application, Verifier, jpush, post_json, send};

#[tokio::test]
async fn without_breakers_each_check_is_asked_and_a_policy_that_opens_is_refused() {
    let guards = Guards::builder().without_breaker().build().unwrap();
    let sandbox = Sandbox::new();
    sandbox.fault(Fault::Reset);
    let layer = JVerifyLayer::builder(jpush(&sandbox)).guards(&guards).rule(Rule::post("/login", number()));
    let (layer, application) = (layer.build().unwrap(), Application::default());
    for n in 0..30 {
        let body = json!({"token": format!("sandbox-9000#{n}"), "phone": PHONE}).to_string();
        send(&layer, &application, post_json("/login", body)).await;
    }
    assert_eq!(sandbox.calls().len(), 30);
    let opening = Rule::post("/login", number()).policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    let error = JVerifyLayer::builder(jpush(&sandbox)).guards(&guards).rule(opening).build().unwrap_err();
    assert_eq!((error.setting(), error.rule()), ("policy.on", Some("POST /login")));
}

#[tokio::test]
async fn a_setting_out_of_its_range_is_refused_by_its_name() {
    for (breaker, setting) in [
        (Breaker::new().window(Duration::from_millis(999)), "breaker.window"),
        (Breaker::new().window(Duration::from_secs(61)), "breaker.window"),
        (Breaker::new().minimum_calls(0), "breaker.minimum_calls"),
        (Breaker::new().ratio(0.0), "breaker.ratio"),
        (Breaker::new().ratio(1.1), "breaker.ratio"),
        (Breaker::new().ratio(f64::NAN), "breaker.ratio"),
        (Breaker::new().consecutive(0), "breaker.consecutive"),
        (Breaker::new().open_for(Duration::ZERO), "breaker.open_for"),
        (Breaker::new().open_for(Duration::from_secs(3600)), "breaker.open_for"),
    ] {
        assert_eq!(Guards::builder().breaker(breaker).build().unwrap_err().setting(), setting);
    }
}

#[tokio::test]
async fn a_reload_of_rules_that_open_under_guards_without_breakers_opens_nothing() {
    let guards = Guards::builder().without_breaker().build().unwrap();
    let sandbox = Sandbox::new();
    sandbox.fault(Fault::Refuse);
    let login = Rule::post("/login", number());
    let layer = JVerifyLayer::builder(jpush(&sandbox)).guards(&guards).rule(login.clone()).build().unwrap();
    let opening = login.policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    layer.reload(JVerifyLayer::builder(jpush(&sandbox)).rule(opening).build().unwrap());
    let body = json!({"token": "sandbox-9000", "phone": PHONE}).to_string();
    assert_eq!(send(&layer, &Application::default(), post_json("/login", body)).await.status(), 503);
}

#[test]
fn a_snapshot_lists_breakers_by_account_and_endpoint() {
    let guards = Guards::builder().build().unwrap();
    let layer = |account: &str| {
        let builder = JVerifyLayer::builder(Verifier::passing()).account(account).guards(&guards);
        builder.rule(Rule::post("/login", number())).build().unwrap()
    };
    let layers = ["c", "a", "d", "b"].map(layer);
    let listed = guards.snapshot();
    let listed: Vec<_> = listed.breakers().map(|breaker| (breaker.account(), breaker.endpoint())).collect();
    let endpoints = ["number_app", "number_web", "captcha", "one_tap", "risk"];
    let expected: Vec<_> =
        ["a", "b", "c", "d"].iter().flat_map(|it| endpoints.map(|endpoint| (*it, endpoint))).collect();
    assert_eq!(listed, expected);
    drop(layers);
}
