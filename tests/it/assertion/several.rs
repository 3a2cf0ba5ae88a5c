//! Two services of layers, one inside of the other.

use tower::{Layer, ServiceExt};
use tower_jverify::{Class, JVerifyLayer, Mode, Rule, captcha};

use super::{HEADER, assertions, claims, login, verified};
use crate::support::{Application, Seen, Verifier, builder, post_json};

const BOTH: &str = r#"{"token":"t","phone":"13812345678","captchaContent":"c"}"#;

/// Sends a login through both.
async fn through(outer: &JVerifyLayer<Verifier>, inner: &JVerifyLayer<Verifier>) -> Seen {
    let application = Application::default();
    let service = outer.layer(inner.layer(application.clone()));
    let response = service.oneshot(post_json("/login", BOTH)).await.unwrap();
    assert_eq!(response.status(), 200);
    application.last()
}

fn layer(class: Class, rule: Rule) -> JVerifyLayer<Verifier> {
    builder(&Verifier::of_class(class)).rule(rule).build().unwrap()
}

#[tokio::test]
async fn an_inner_service_without_a_rule_keeps_the_outer_ones() {
    let outer = layer(Class::Passed, login().assertion(assertions()));
    let seen = through(&outer, &layer(Class::Passed, Rule::post("/other", captcha()))).await;
    assert!(verified(&seen).is_ok());
}

#[tokio::test]
async fn the_same_layer_twice_keeps_its_own() {
    let outer = layer(Class::Passed, login().assertion(assertions()));
    let application = Application::default();
    let service = outer.layer(outer.layer(application.clone()));
    assert_eq!(service.oneshot(post_json("/login", BOTH)).await.unwrap().status(), 200);
    assert!(verified(&application.last()).is_ok());
}

#[tokio::test]
async fn an_inner_rule_signs_what_both_have_decided() {
    let outer = layer(Class::Passed, login().assertion(assertions()));
    let inner = layer(Class::Passed, Rule::post("/login", captcha()).assertion(assertions()));
    let seen = through(&outer, &inner).await;
    assert_eq!(claims(&seen)["checks"], serde_json::json!(["number", "captcha"]));
    assert!(verified(&seen).is_ok());

    let refusing = layer(Class::Rejected, Rule::post("/login", captcha()).mode(Mode::Shadow).assertion(assertions()));
    let seen = through(&outer, &refusing).await;
    assert_eq!(claims(&seen)["decision"], "would-deny");
    assert!(verified(&seen).is_err());
}

#[tokio::test]
async fn an_inner_rule_without_the_setting_removes_what_is_only_half_of_the_decision() {
    let outer = layer(Class::Passed, login().assertion(assertions()));
    for inner in [Rule::post("/login", captcha()), Rule::post("/login", captcha()).mode(Mode::Shadow)] {
        let seen = through(&outer, &layer(Class::Passed, inner)).await;
        assert!(!seen.parts.headers.contains_key(HEADER));
    }
    let later = layer(Class::Passed, Rule::post("/login", captcha()).on_demand());
    assert!(!through(&outer, &later).await.parts.headers.contains_key(HEADER));
}
