//! What a denial and a decision show to the operator, and how an application's tests create them.

use std::panic::catch_unwind;

use serde_json::json;
use tower_jverify::{
    Action, CheckKind, Class, Decision, Denial, DenialReason, Fallback, Phone, Policy, Risk, Rule, Verdict, captcha,
    number,
};

use crate::support::{Sandboxed, denial};

fn passed(kind: CheckKind, score: i64) -> Verdict {
    Verdict::new(kind, Class::Passed).with_risk(Risk::from_score(score, Vec::new()))
}

#[tokio::test]
async fn a_denial_says_which_rule_refused_whom_and_after_which_answers() {
    let desk = Sandboxed::new(Rule::post("/login", captcha().then(number())));
    let body = json!({"captchaContent": "sandbox-pass", "token": "sandbox-9001", "phone": "13812345678"});
    let response = desk.login(&body).await;
    let denial = denial(&response);
    assert_eq!((denial.rule(), denial.phone()), (Some("POST /login"), Phone::parse("13812345678")));
    let kinds: Vec<CheckKind> = denial.verdicts().iter().map(Verdict::kind).collect();
    assert_eq!(kinds, [CheckKind::Captcha, CheckKind::Number]);
    assert_eq!(denial.ids().count(), 2);
    let sent: Vec<String> = desk.sandbox.calls().iter().map(|call| call.ex_id().unwrap().to_owned()).collect();
    let shown: Vec<String> = denial.ex_ids().map(ToString::to_string).collect();
    assert_eq!(shown, sent);

    let debug = format!("{denial:?}");
    assert!(debug.contains("138****5678") && debug.contains("POST /login"), "{debug}");
    assert!(debug.contains(&*sent[1]), "{debug}");
    assert!(!debug.contains("13812345678") && !debug.contains("sandbox-9001"), "{debug}");
}

#[tokio::test]
async fn a_denial_before_any_check_names_the_rule_alone() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    let denial = denial(&desk.login(&json!({"phone": "13812345678"})).await);
    assert_eq!((denial.rule(), denial.reason()), (Some("POST /login"), DenialReason::ProofMissing));
    assert!(denial.verdicts().is_empty() && denial.ids().next().is_none() && denial.ex_ids().next().is_none());
}

#[tokio::test]
async fn a_decision_shows_the_ids_of_its_checks() {
    let desk = Sandboxed::new(Rule::post("/login", captcha().then(number())));
    let body = json!({"captchaContent": "sandbox-pass", "token": "sandbox-9000", "phone": "13812345678"});
    assert_eq!(desk.login(&body).await.status(), 200);
    let shown: Vec<String> = desk.decision().ex_ids().map(ToString::to_string).collect();
    let sent: Vec<String> = desk.sandbox.calls().iter().map(|call| call.ex_id().unwrap().to_owned()).collect();
    assert_eq!((shown.len(), shown), (2, sent.clone()));

    let debug = format!("{:?}", desk.decision());
    assert!(debug.contains("138****5678") && debug.contains("Verified") && debug.contains(&*sent[1]), "{debug}");
    assert!(!debug.contains("13812345678") && !debug.contains("sandbox-9000"), "{debug}");
}

#[tokio::test]
async fn a_decision_for_a_test_is_what_the_layer_makes_of_the_same_verdicts() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    for token in ["sandbox-9000", "sandbox-9000-risk-450", "sandbox-9000-risk-unknown", "sandbox-9000-risk-700"] {
        let body = json!({"captchaContent": "sandbox-pass", "token": token, "phone": "13812345678"});
        assert_eq!(desk.login(&body).await.status(), 200, "{token}");
        let decision = desk.decision();
        let made = Decision::for_test(decision.verdicts(), &Policy::default());
        assert_eq!(made.action(), decision.action(), "{token}");
        assert_eq!(made.reason(), decision.reason(), "{token}");
        assert_eq!(made.level(), decision.level(), "{token}");
        // A number's verdict has no phone: the client claims it.
        assert_eq!((made.phone(), decision.phone()), (None, Phone::parse("13812345678")), "{token}");
    }
}

#[test]
fn a_decision_for_a_test_has_the_phone_that_its_verdict_proves() {
    let phone = Phone::parse("13812345678").unwrap();
    let made = Decision::for_test([passed(CheckKind::OneTap, 0).with_phone(phone)], &Policy::default());
    assert_eq!((made.phone(), made.action(), made.is_verified()), (Some(phone), Action::Allow, true));
    let opened = Verdict::new(CheckKind::Number, Class::Unavailable).with_phone(phone);
    let made = Decision::for_test([opened], &Policy::default().on(Class::Unavailable, Fallback::Open));
    assert_eq!((made.phone(), made.action(), made.is_verified()), (None, Action::Flag, false));
}

#[test]
fn a_refused_request_has_no_decision_in_tests_either() {
    let policy = Policy::default;
    for verdict in [
        Verdict::new(CheckKind::Number, Class::Rejected),
        Verdict::new(CheckKind::Number, Class::Unavailable),
        passed(CheckKind::Number, 700),
        passed(CheckKind::Number, 900),
    ] {
        let shown = format!("{verdict:?}");
        assert!(catch_unwind(|| Decision::for_test([verdict], &policy())).is_err(), "{shown}");
    }
}

#[test]
fn a_denial_for_a_test_is_answered_like_one_of_the_layer() {
    let denial = Denial::for_test(DenialReason::Overloaded);
    assert_eq!(
        (denial.status().as_u16(), denial.code(), denial.retry_after()),
        (503, "verification_unavailable", Some(1))
    );
    assert_eq!(denial.response().headers()["retry-after"], "1");
    assert_eq!((denial.rule(), denial.phone(), denial.is_grpc()), (None, None, false));
}
