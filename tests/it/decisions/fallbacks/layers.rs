//! Decisions with such a captcha in several layers, on demand, and in another process.

use serde_json::json;
use tower_jverify::{
    CheckKind, Class, Decision, DecisionReason, DenialReason, Field, Phone, Prove, Rule, Verdict, captcha, number,
};

use super::{assert_by_captcha, body, by_captcha, decision, guarded, login, verifier};
use crate::decisions::PHONE;
use crate::support::{Guarded, builder, post_json};

#[tokio::test]
async fn a_captcha_of_an_outer_layer_takes_no_place() {
    let outer = Guarded::asking(verifier(Class::Inconclusive), |verifier| {
        builder(verifier).rule(Rule::post("/login", captcha().content(Field::body("/outer")))).build().unwrap()
    });
    let inner = guarded(Class::Inconclusive, login(by_captcha()));
    for (captcha, status) in [(None, 403), (Some("solved"), 200)] {
        let body = json!({"outer": "solved", "token": "t", "phone": PHONE, "captchaContent": captcha});
        let request = post_json("/login", body.to_string());
        let sent = crate::support::send_through(&outer.layer, crate::support::unchanged, inner.service(), request);
        assert_eq!(sent.await, status, "{captcha:?}");
    }
    assert_by_captcha(&inner.application, "a captcha of its own").await;
}

#[tokio::test]
async fn a_request_is_unverified_if_one_of_two_layers_accepted_a_captcha() {
    let fell_back = || guarded(Class::Inconclusive, login(by_captcha()));
    let verified = || guarded(Class::Passed, Rule::post("/login", number()));
    for (outer, inner) in [(fell_back(), verified()), (verified(), fell_back())] {
        let request = post_json("/login", body(Some("solved")));
        let sent = crate::support::send_through(&outer.layer, crate::support::unchanged, inner.service(), request);
        assert_eq!(sent.await, 200);
        let decision = decision(&inner.application);
        assert_eq!((decision.reason(), decision.is_verified()), (DecisionReason::FallbackCaptcha, false));
        assert_eq!(inner.application.header("x-jverify-decision").as_deref(), Some("flag"));
    }
}

#[tokio::test]
async fn a_captcha_that_one_of_two_layers_accepted_leaves_no_phone_and_reads_back() {
    let fell_back = || guarded(Class::Inconclusive, login(by_captcha()).forward_phone(true));
    let verified = || guarded(Class::Passed, Rule::post("/login", number()).forward_phone(true));
    for (outer, inner) in [(fell_back(), verified()), (verified(), fell_back())] {
        let request = post_json("/login", body(Some("solved")));
        let sent = crate::support::send_through(&outer.layer, crate::support::unchanged, inner.service(), request);
        assert_eq!(sent.await, 200);
        assert_eq!(decision(&inner.application).phone(), None);
        let headers = inner.application.last().parts.headers;
        let found = Decision::from_trusted_headers(&headers, "x-jverify").unwrap();
        assert_eq!((found.reason(), found.phone()), (DecisionReason::FallbackCaptcha, None));
    }
}

#[tokio::test]
async fn a_decision_that_is_taken_over_stays_unverified_and_is_not_asked_again() {
    let guarded = guarded(Class::Inconclusive, login(by_captcha()));
    let request = post_json("/login", body(Some("solved")));
    let sent = crate::support::send_through(&guarded.layer, crate::support::unchanged, guarded.service(), request);
    assert_eq!(sent.await, 200);
    assert_eq!(guarded.verifier.kinds(), [CheckKind::Number, CheckKind::Captcha]);
    assert_by_captcha(&guarded.application, "taken over").await;
}

// === on demand ===

#[tokio::test]
async fn on_demand_a_captcha_instead_of_a_check_is_not_verified() {
    let guarded = guarded(Class::Inconclusive, login(by_captcha()).on_demand());
    assert_eq!(guarded.send(post_json("/login", body(Some("solved")))).await.status(), 200);
    let prove = guarded.application.last().parts.extensions.get::<Prove>().cloned().unwrap();
    let decision = prove.decision().await.unwrap();
    assert_eq!((decision.reason(), decision.is_verified()), (DecisionReason::FallbackCaptcha, false));
    let refused = prove.now().await.unwrap_err();
    assert_eq!(refused.reason(), DenialReason::Verdict(Class::Inconclusive));
    assert_eq!(guarded.verifier.kinds(), [CheckKind::Number, CheckKind::Captcha]);
}

#[tokio::test]
async fn in_another_process_it_reads_back_as_unverified() {
    let guarded = guarded(Class::Throttled, login(by_captcha()).forward_phone(true));
    assert_eq!(guarded.send(post_json("/login", body(Some("solved")))).await.status(), 200);
    let headers = guarded.application.last().parts.headers;
    let found = Decision::from_trusted_headers(&headers, "x-jverify").unwrap();
    assert_eq!((found.reason(), found.is_verified()), (DecisionReason::FallbackCaptcha, false));
    assert!(found.phone().is_none() && !found.passed(CheckKind::Number));
    // What a gateway has lost makes it no verified one.
    for lost in [&["x-jverify-reason"][..], &["x-jverify-reason", "x-jverify-checks", "x-jverify-id"]] {
        let mut headers = headers.clone();
        for name in lost {
            headers.remove(*name);
        }
        let found = Decision::from_trusted_headers(&headers, "x-jverify").unwrap();
        assert!(!found.is_verified() && found.phone().is_none(), "{lost:?}");
    }
    // A gateway that says more than the layer did is refused.
    for (name, value) in [("x-jverify-decision", "allow"), ("x-jverify-phone", PHONE)] {
        let mut forged = headers.clone();
        forged.insert(name, value.parse().unwrap());
        assert!(Decision::from_trusted_headers(&forged, "x-jverify").is_err(), "{name}");
    }
}

#[test]
fn a_decision_for_a_test_needs_the_captcha_too() {
    let number = || Verdict::new(CheckKind::Number, Class::Throttled).with_phone(Phone::parse(PHONE).unwrap());
    let solved = Verdict::new(CheckKind::Captcha, Class::Passed);
    let made = Decision::for_test([number(), solved], &by_captcha());
    assert_eq!((made.reason(), made.phone()), (DecisionReason::FallbackCaptcha, None));
    assert!(std::panic::catch_unwind(|| Decision::for_test([number()], &by_captcha())).is_err());
    let failed = Verdict::new(CheckKind::Captcha, Class::Throttled);
    assert!(std::panic::catch_unwind(|| Decision::for_test([failed], &by_captcha())).is_err());
}
