//! `open_when_unavailable`: an outage, and nothing else, can be opened, and never unmarked.

use std::time::Duration;

use axum::extract::FromRequestParts;
use serde_json::json;
use tower_jverify::{
    Action, CheckKind, Class, Credentials, Decision, DecisionReason, DenialReason, JPush, JVerifyLayer, Policy, Rule,
    axum::{NotVerified, Verified},
    captcha, number,
    sandbox::Fault,
};

use super::PHONE;
use crate::support::{Application, Sandboxed, Verifier, builder, code, denial, post_json, send};

fn open() -> Policy {
    Policy::default().open_when_unavailable()
}

async fn verified(application: &Application) -> Result<Verified, NotVerified> {
    Verified::from_request_parts(&mut application.last().parts, &()).await
}

#[tokio::test]
async fn an_outage_is_a_503_unless_a_policy_opens_for_it() {
    for fault in [Fault::Refuse, Fault::Reset] {
        let desk = Sandboxed::new(Rule::post("/login", number()));
        desk.sandbox.fault(fault.clone());
        let response = desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await;
        assert_eq!((response.status().as_u16(), desk.application.runs()), (503, 0), "{fault:?}");
        assert_eq!(code(&response), "verification_unavailable", "{fault:?}");
        assert_eq!(denial(&response).reason(), DenialReason::Verdict(Class::Unavailable), "{fault:?}");
    }
}

#[tokio::test]
async fn a_real_client_that_nobody_answers_is_a_503() {
    let nobody = JPush::builder(Credentials::new("key", "secret").unwrap()).base_url("http://127.0.0.1:1");
    let layer = JVerifyLayer::builder(nobody.build().unwrap()).rule(Rule::post("/login", number())).build().unwrap();
    let application = Application::default();
    let login = json!({"token": "t", "phone": PHONE}).to_string();
    let response = send(&layer, &application, post_json("/login", login)).await;
    assert_eq!((response.status().as_u16(), application.runs()), (503, 0));
}

#[tokio::test]
async fn a_reply_that_cannot_be_read_opens_nothing() {
    // A firewall in front of JPush may answer so to what a client put into its token.
    for fault in [Fault::Html, Fault::Redirect, Fault::Truncated, Fault::Status(http::StatusCode::BAD_GATEWAY)] {
        let desk = Sandboxed::new(Rule::post("/login", number()).policy(open()));
        desk.sandbox.fault(fault.clone());
        let response = desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await;
        assert_eq!((response.status().as_u16(), desk.application.runs()), (503, 0), "{fault:?}");
    }
}

#[tokio::test]
async fn what_is_opened_is_marked_and_no_verified_handler_takes_it() {
    for fault in [Fault::Refuse, Fault::Reset] {
        let desk = Sandboxed::new(Rule::post("/login", number()).policy(open()).forward_phone());
        desk.sandbox.fault(fault.clone());
        let response = desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await;
        assert_eq!(response.status(), 200, "{fault:?}");
        let header = |name: &str| desk.application.header(name);
        assert_eq!(header("x-jverify-decision").as_deref(), Some("unverified"), "{fault:?}");
        assert_eq!(header("x-jverify-reason").as_deref(), Some("unavailable"), "{fault:?}");
        assert_eq!(header("x-jverify-phone"), None, "{fault:?}: nobody proved it");
        let decision = desk.decision();
        assert!(!decision.is_verified() && decision.phone().is_none(), "{fault:?}");
        assert_eq!((decision.action(), decision.reason()), (Action::Flag, DecisionReason::Unavailable), "{fault:?}");
        assert_eq!(verified(&desk.application).await.unwrap_err(), NotVerified::Unverified, "{fault:?}");
    }
}

#[tokio::test]
async fn the_vendors_own_outage_is_opened_too() {
    let desk = Sandboxed::new(Rule::post("/login", number()).policy(open()));
    assert_eq!(desk.login(&json!({"token": "sandbox-9099", "phone": PHONE})).await.status(), 200);
    assert!(!desk.decision().is_verified());
}

#[tokio::test(start_paused = true)]
async fn a_jpush_that_hangs_is_opened_at_the_deadline() {
    let desk = Sandboxed::new(Rule::post("/login", number()).policy(open()).deadline(Duration::from_secs(3)));
    let began = tokio::time::Instant::now();
    assert_eq!(desk.login(&json!({"token": "sandbox-hang-9000", "phone": PHONE})).await.status(), 200);
    assert_eq!(began.elapsed().as_secs(), 3);
    assert!(!desk.decision().is_verified());
}

#[tokio::test]
async fn nothing_but_an_outage_is_opened() {
    let desk = Sandboxed::new(Rule::post("/login", number()).policy(open()));
    for (code, class) in [
        (9001, Class::Rejected),
        (9002, Class::Inconclusive),
        (9003, Class::Stale),
        (9005, Class::Throttled),
        (9006, Class::Throttled),
        (9007, Class::Quota),
        (1804, Class::Quota),
        (9018, Class::Account),
        (9031, Class::Account),
        (9011, Class::Misconfigured),
        (9012, Class::Invalid),
        (4711, Class::Unknown),
        (6000, Class::Unknown),
    ] {
        let response = desk.login(&json!({"token": format!("sandbox-{code}"), "phone": PHONE})).await;
        assert_eq!(denial(&response).reason(), DenialReason::Verdict(class), "{code}");
    }
    for (content, reason) in [("sandbox-fail", Class::Rejected), ("sandbox-6005", Class::Quota)] {
        let desk = Sandboxed::new(Rule::post("/login", captcha()).policy(open()));
        let response = desk.login(&json!({"captchaContent": content})).await;
        assert_eq!(denial(&response).reason(), DenialReason::Verdict(reason), "{content}");
    }
    assert_eq!(desk.application.runs(), 0);
}

#[tokio::test]
async fn a_full_bulkhead_is_not_opened() {
    let (verifier, application) = (Verifier::silent(), Application::default());
    let layer = builder(&verifier).rule(Rule::post("/login", number())).policy(open()).in_flight(1).build().unwrap();
    let hanging = {
        let (layer, application) = (layer.clone(), application.clone());
        tokio::spawn(async move { send(&layer, &application, post_json("/login", crate::support::LOGIN)).await })
    };
    while verifier.calls() == 0 {
        tokio::task::yield_now().await;
    }
    let response = send(&layer, &application, post_json("/login", crate::support::LOGIN)).await;
    assert_eq!((response.status().as_u16(), denial(&response).reason()), (503, DenialReason::Overloaded));
    assert_eq!((verifier.calls(), application.runs()), (1, 0));
    hanging.abort();
}

#[tokio::test]
async fn a_malformed_or_missing_proof_and_a_large_body_are_not_opened() {
    let desk = Sandboxed::new(Rule::post("/login", number()).policy(open()).body_limit(1_000));
    desk.sandbox.fault(Fault::Refuse);
    let padded = |length: usize| {
        let empty = json!({"token": "sandbox-9000", "phone": PHONE, "pad": ""}).to_string().len();
        json!({"token": "sandbox-9000", "phone": PHONE, "pad": "x".repeat(length - empty)}).to_string()
    };
    for (body, status, code_) in [
        (padded(1_001), 413, "body_too_large"),
        (json!({"phone": PHONE}).to_string(), 400, "proof_missing"),
        (json!({"token": "t", "phone": "1"}).to_string(), 400, "proof_malformed"),
        ("{".to_owned(), 400, "body_malformed"),
        (padded(1_000), 200, ""),
    ] {
        let response = desk.send(post_json("/login", body.clone())).await;
        assert_eq!((response.status().as_u16(), code(&response).as_str()), (status, code_), "{body}");
    }
    assert_eq!(desk.application.runs(), 1);
}

#[tokio::test]
async fn one_outage_among_the_checks_makes_the_whole_unverified_and_spares_no_other_check() {
    let desk = Sandboxed::new(Rule::post("/login", captcha().then(number())).policy(open()));
    let body = |captcha: &str, token: &str| json!({"captchaContent": captcha, "token": token, "phone": PHONE});
    for (body, status) in [
        (body("sandbox-reset-pass", "sandbox-9000"), 200),
        (body("sandbox-pass", "sandbox-reset-9000"), 200),
        (body("sandbox-reset-pass", "sandbox-9001"), 403),
        (body("sandbox-fail", "sandbox-reset-9000"), 403),
    ] {
        let before = desk.application.runs();
        assert_eq!(desk.login(&body).await.status(), status, "{body}");
        assert_eq!(desk.application.runs() - before, usize::from(status == 200), "{body}");
        if status == 200 {
            assert!(!desk.decision().is_verified(), "{body}");
            assert!(verified(&desk.application).await.is_err(), "{body}");
        }
    }
}

#[tokio::test]
async fn an_outage_opens_no_risk_that_is_too_high() {
    let desk = Sandboxed::new(Rule::post("/login", captcha().then(number())).policy(open()));
    let body = json!({"captchaContent": "sandbox-reset-pass", "token": "sandbox-9000-risk-900", "phone": PHONE});
    assert_eq!(denial(&desk.login(&body).await).reason(), DenialReason::RiskTooHigh);
    assert_eq!(desk.application.runs(), 0);
}

#[tokio::test]
async fn a_verified_request_stays_verified_under_an_opening_policy() {
    let desk = Sandboxed::new(Rule::post("/login", number()).policy(open()));
    assert_eq!(desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await.status(), 200);
    let decision: Decision = verified(&desk.application).await.unwrap().into_decision();
    assert!(decision.is_verified() && decision.passed(CheckKind::Number));
}
