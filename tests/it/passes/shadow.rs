//! Passes where a rule is not enforced for all requests, or guards not all of them.

use CheckKind::{Captcha, Number};
use serde_json::json;
use tower_jverify::{CheckKind, DecisionReason, DenialReason, Field, JVerifyLayer, Mode, Rule, captcha, number};

use super::{Desk, PASS, PHONE, denial_reason, login, passes, solved, verifier, with_pass};
use crate::support::post_json;

fn in_shadow() -> Rule {
    login().mode(Mode::Shadow)
}

#[tokio::test]
async fn a_rule_in_shadow_gives_no_pass() {
    let desk = Desk::set(|builder| builder.passes(passes()).retry_pass([401]).rule(in_shadow()));
    let response = desk.login(&json!({"token": "650 t", "phone": PHONE})).await;
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key(PASS));
    assert_eq!(desk.decision().would_deny(), Some(DenialReason::CaptchaRequired));
    desk.answers(401);
    for token in ["100 t", "650 u"] {
        let response = desk.login(&json!({"token": token, "phone": PHONE})).await;
        assert_eq!((response.status().as_u16(), response.headers().contains_key(PASS)), (401, false), "{token}");
    }
}

#[tokio::test]
async fn a_pass_counts_in_shadow_as_it_counts_elsewhere() {
    let desk = Desk::new();
    let pass = desk.earned().await;
    let new = JVerifyLayer::builder(desk.verifier.clone()).passes(passes()).rule(in_shadow());
    desk.layer.reload(new.build().unwrap());
    assert_eq!(desk.by_pass("nonsense", &solved()).await.status(), 200);
    assert_eq!(desk.decision().would_deny(), Some(DenialReason::PassInvalid));
    assert!(!desk.decision().is_verified() && desk.decision().phone().is_none());
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
    assert_eq!((desk.decision().reason(), desk.decision().is_verified()), (DecisionReason::SteppedUp, true));
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
    assert_eq!(desk.decision().would_deny(), Some(DenialReason::PassUsed));
    assert_eq!(desk.kinds(), [Number, Captcha]);
    assert_eq!(desk.application.header(PASS), None);
}

#[tokio::test]
async fn a_value_of_when_that_no_rule_names_uses_no_pass() {
    let by = |kind: &str| Rule::post("/login", number()).when(Field::body("/kind"), kind).otherwise_pass();
    let other = Rule::post("/login", captcha()).when(Field::body("/kind"), "captcha");
    let rules = || [by("number").name("login"), other.clone()];
    let desk = Desk::set(|builder| builder.passes(passes()).rules(rules()));
    let at = |body: serde_json::Value| post_json("/login", body.to_string());
    let response = desk.send(at(json!({"kind": "number", "token": "650 t", "phone": PHONE}))).await;
    let pass = super::issued(&response);
    let response = desk.send(with_pass(&pass, at(json!({"kind": "ping"})))).await;
    assert_eq!(response.status(), 200);
    assert_eq!(desk.application.header("x-jverify-decision").as_deref(), Some("not-guarded"));
    assert_eq!(desk.application.header(PASS), None);
    // For the rule of a captcha it is nothing.
    let response = desk.send(with_pass(&pass, at(json!({"kind": "captcha", "phone": PHONE})))).await;
    assert_eq!(denial_reason(&response), Some(DenialReason::ProofMissing));
    let body = json!({"kind": "number", "phone": PHONE, "captchaContent": "solved"});
    assert_eq!(desk.send(with_pass(&pass, at(body))).await.status(), 200);
    assert_eq!(desk.kinds(), [Number, Captcha]);
}

#[tokio::test]
async fn a_request_that_guard_unless_lets_through_uses_no_pass() {
    let rule = login().guard_unless(|head| head.headers.contains_key("x-internal"));
    let desk = Desk::set(|builder| builder.passes(passes()).rule(rule));
    let pass = desk.earned().await;
    let mut request = with_pass(&pass, post_json("/login", "{}"));
    request.headers_mut().insert("x-internal", "1".parse().unwrap());
    assert_eq!(desk.send(request).await.status(), 200);
    assert_eq!(desk.application.header(PASS), None);
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
}

#[tokio::test]
async fn a_sandboxs_pass_stays_a_sandboxs() {
    let sandboxed = crate::support::Verifier::answering(|check| {
        let verdict = tower_jverify::Verdict::new(check.kind(), tower_jverify::Class::Passed).with_sandbox_once_mark();
        let is_number = check.kind() == Number;
        Some(if is_number { verdict.with_risk(tower_jverify::Risk::from_score(650, Vec::new())) } else { verdict })
    });
    let desk = Desk::asking(sandboxed, |builder| builder.passes(passes()).rule(login()));
    let pass = desk.earned().await;
    // The captcha is asked of a real one.
    desk.layer.reload(JVerifyLayer::builder(verifier()).passes(passes()).rule(login()).build().unwrap());
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
    assert!(desk.decision().is_sandbox());
    assert_eq!(desk.application.header("x-jverify-sandbox").as_deref(), Some("1"));
}
