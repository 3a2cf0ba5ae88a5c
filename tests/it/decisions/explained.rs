//! `Decision::explain`: which settings and verdicts led to a decision, and nothing of the request.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use tower_jverify::{
    Action, Class, Decision, Fallback, Field, Level, Mode, Policy, Rule, Verified, captcha, number, one_tap,
    sandbox::Fault,
};

use super::PHONE;
use crate::support::{Guarded, LOGIN, Sandboxed, Verifier, builder, jpush, noticing, post_json};

fn policy() -> Policy {
    let policy = Policy::default().tag("F24004", Action::Deny).tag("F24005", Action::StepUp);
    policy.on(Class::Throttled, Fallback::Captcha).on(Class::Unavailable, Fallback::Open).unknown_risk(Action::Flag)
}

/// What the record of the request explains, and the decision where it passed.
async fn explained(rule: Rule, body: &Value) -> (String, Option<String>) {
    let record = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&record);
    let desk = Sandboxed::set(|builder| {
        builder.rule(rule).on_decision(move |decided| told.lock().unwrap().push(decided.explain().to_string()))
    });
    desk.login(body).await;
    let decision = (desk.application.runs() == 1).then(|| desk.decision().explain().to_string());
    let record = record.lock().unwrap().clone();
    assert_eq!(record.len(), 1, "{record:?}");
    (record[0].clone(), decision)
}

#[tokio::test]
async fn the_band_the_tag_the_unknown_risk_and_the_fallback_are_named() {
    let rule = || Rule::post("/login", number()).policy(policy());
    let body = |token: &str, captcha: Option<&str>| json!({"token": token, "phone": PHONE, "captchaContent": captcha});
    let solved = Some("sandbox-pass");
    for (body, expected) in [
        (body("sandbox-9000-risk-0", None), "allow, verified: number passed, band(0): low, allow"),
        (body("sandbox-9000-risk-450", None), "flag, risk: number passed, band(300): medium, flag"),
        (body("sandbox-9000-risk-unknown", None), "flag, risk_unknown: number passed, unknown_risk: flag"),
        (
            body("sandbox-9000-risk-700", solved),
            "flag, stepped_up: number passed, band(600): elevated, step_up; captcha passed",
        ),
        (body("sandbox-9000-risk-700", None), "deny, captcha_required: number passed, band(600): elevated, step_up"),
        (
            body("sandbox-9000-risk-10-tags-canary-F24004-F24005", None),
            "deny, risk_too_high: number passed, band(0): low, allow, tag(\"F24004\"): deny",
        ),
        (body("sandbox-9000-risk-10-tags-canary", None), "allow, verified: number passed, band(0): low, allow"),
        (
            body("sandbox-9005", solved),
            "flag, fallback_captcha: number throttled, on(throttled): captcha; captcha passed",
        ),
        (body("sandbox-9005", None), "deny, captcha_required: number throttled, on(throttled): captcha"),
        (body("sandbox-9001", solved), "deny, rejected: number rejected, on(rejected): deny"),
        (body("sandbox-reset-9000", solved), "deny, unavailable: number unavailable, on(unavailable): open"),
        (json!({"phone": PHONE}), "deny, proof_missing"),
    ] {
        let (record, decision) = explained(rule(), &body).await;
        // A number that was not verified has no risk, or an unknown one.
        let record = record.replace(", unknown_risk: flag; captcha", "; captcha");
        let record = if record.starts_with("deny") { record.replace(", unknown_risk: flag", "") } else { record };
        assert_eq!(record, expected, "{body}");
        if let Some(decision) = decision {
            assert_eq!(decision.replace(", unknown_risk: flag; captcha", "; captcha"), expected, "{body}");
        }
    }
}

#[test]
fn without_verdicts_only_the_decision_is_named() {
    assert_eq!(Decision::for_test(Vec::new(), &policy()).explain().to_string(), "allow, verified");
}

#[tokio::test]
async fn a_risk_query_that_failed_is_explained_by_the_unknown_risk() {
    let rule = Rule::post("/login", one_tap().with_risk()).policy(policy());
    let (record, _) = explained(rule, &json!({"loginToken": "sandbox-8000-13800000999"})).await;
    assert_eq!(record, "flag, risk_unknown: one-tap passed; risk unavailable, unknown_risk: flag");
}

#[tokio::test]
async fn what_was_opened_and_what_would_be_denied_are_explained() {
    let desk = Sandboxed::noticing(Rule::post("/login", number()).policy(policy()));
    desk.sandbox.fault(Fault::Refuse);
    assert_eq!(desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await.status(), 200);
    let expected = "unverified, unavailable: number unavailable, on(unavailable): open";
    assert!(desk.decision().explain().to_string().starts_with(expected), "{}", desk.decision().explain());

    let rule = Rule::post("/login", number()).policy(policy()).mode(Mode::Shadow);
    let (record, decision) = explained(rule, &json!({"token": "sandbox-9001", "phone": PHONE})).await;
    let expected = "would-deny, rejected: number rejected, on(rejected): deny";
    assert!(record.starts_with(expected) && decision.unwrap().starts_with(expected), "{record}");
}

#[tokio::test]
async fn the_decisions_of_two_layers_are_explained_by_their_policies() {
    let sandbox = tower_jverify::Sandbox::new();
    let application = crate::support::Application::default();
    let outer = noticing(jpush(&sandbox)).rule(Rule::post("/login", captcha())).build().unwrap();
    let strict = Policy::empty().band(0, Level::Low, Action::Flag);
    let inner = noticing(jpush(&sandbox)).rule(Rule::post("/login", number()).policy(strict)).build().unwrap();
    let body = json!({"token": "sandbox-9000-risk-450", "phone": PHONE, "captchaContent": "sandbox-pass"}).to_string();
    let service = outer.layer(inner.layer(application.clone()));
    assert_eq!(service.oneshot(post_json("/login", body)).await.unwrap().status(), 200);
    let decision = application.last().parts.extensions.get::<Decision>().cloned().unwrap();
    let expected = "allow, verified: captcha passed; within it: flag, risk: number passed, band(0): low, flag";
    assert_eq!(decision.explain().to_string(), expected);
}

#[tokio::test]
async fn what_has_no_policy_is_a_word_and_a_reason() {
    let guarded = Guarded::by([Rule::post("/login", number())]);
    guarded.send(post_json("/login", LOGIN)).await;
    let headers = guarded.application.last().parts.headers;
    let found = Decision::from_trusted_headers(&headers, "x-jverify").unwrap();
    assert_eq!(found.explain().to_string(), "allow, verified");
    let made = Verified::for_test(tower_jverify::Phone::parse(PHONE).unwrap());
    assert_eq!(made.explain().to_string(), "allow, verified");

    let on_demand = Guarded::by([Rule::post("/login", number()).on_demand()]);
    on_demand.send(post_json("/login", LOGIN)).await;
    let waiting = on_demand.application.last().parts.extensions.get::<Decision>().cloned().unwrap();
    assert_eq!(waiting.explain().to_string(), "not-asked, not_asked");
}

#[tokio::test]
async fn the_event_has_the_explanation_where_debug_is_on() {
    let (log, _listening) = crate::telemetry::Log::listen();
    let rule = Rule::post("/login", number().token(Field::body("/token"))).policy(policy());
    let layer = builder(&Verifier::of_class(Class::Rejected)).rule(rule).build().unwrap();
    log.take_events();
    crate::support::send(&layer, &crate::support::Application::default(), post_json("/login", LOGIN)).await;
    let events = log.take_events();
    assert_eq!(events.len(), 1, "{events:#?}");
    assert!(events[0].contains("explanation=deny, rejected: number rejected, on(rejected): deny"), "{events:#?}");
    assert!(!events[0].contains("13812345678") && !events[0].contains("tok-canary"), "{events:#?}");
}
