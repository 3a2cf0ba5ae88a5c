//! Refusals for which no captcha is accepted.

use serde_json::json;
use tower_jverify::{
    Action, Ask, CheckKind, Class, DecisionReason, DenialReason, Phone, Risk, Rule, Verdict, captcha, number, one_tap,
};

use super::{body, by_captcha, decision, login};
use crate::decisions::PHONE;
use crate::support::{Application, Guarded, Verifier, builder, denial, post_json, send};

#[tokio::test]
async fn a_captcha_passes_no_risk_that_is_too_high() {
    for (risk, status, reason) in [
        (Risk::from_score(900, Vec::new()), 403, "risk_too_high"),
        (Risk::from_score(700, Vec::new()), 200, "fallback_captcha"),
        (Risk::from_score(0, vec!["F24004".into()]), 403, "risk_too_high"),
        (Risk::Unknown, 200, "fallback_captcha"),
    ] {
        let what = format!("{risk:?}");
        let answers = Verifier::answering(move |check| {
            Some(match check.kind() {
                CheckKind::Number => Verdict::new(CheckKind::Number, Class::Inconclusive).with_risk(risk.clone()),
                kind => Verdict::new(kind, Class::Passed),
            })
        });
        let rule = login(by_captcha().tag("F24004", Action::Deny));
        let guarded = Guarded::asking(answers, |verifier| builder(verifier).rule(rule).build().unwrap());
        let response = guarded.send(post_json("/login", body(Some("solved")))).await;
        assert_eq!(response.status(), status, "{what}");
        let found = match guarded.application.runs() {
            0 => denial(&response).reason().as_str(),
            _ => decision(&guarded.application).reason().as_str(),
        };
        assert_eq!(found, reason, "{what}");
    }
}

#[tokio::test]
async fn a_mismatch_has_no_fallback() {
    let other = Verifier::answering(|check| {
        Some(Verdict::new(check.kind(), Class::Passed).with_phone(Phone::parse("13900000000")?))
    });
    let rule = Rule::post("/login", one_tap()).policy(by_captcha());
    let guarded = Guarded::asking(other, |verifier| builder(verifier).rule(rule).build().unwrap());
    let body = json!({"loginToken": "l", "phone": PHONE, "captchaContent": "solved"}).to_string();
    assert_eq!(denial(&guarded.send(post_json("/login", body)).await).reason(), DenialReason::Mismatch);
    assert_eq!(guarded.application.runs(), 0);
}

#[tokio::test]
async fn a_risk_query_that_fails_is_an_unknown_risk_and_needs_no_captcha() {
    let answers = Verifier::answering(|check| {
        let class = if check.kind() == CheckKind::Risk { Class::Unavailable } else { Class::Passed };
        Some(Verdict::new(check.kind(), class))
    });
    let rule = Rule::post("/login", number().with_risk()).policy(by_captcha());
    let guarded = Guarded::asking(answers, |verifier| builder(verifier).rule(rule).build().unwrap());
    assert_eq!(guarded.send(post_json("/login", body(None))).await.status(), 200);
    let decision = decision(&guarded.application);
    assert_eq!((decision.reason(), decision.is_verified()), (DecisionReason::RiskUnknown, true));
    assert_eq!(decision.phone(), Phone::parse(PHONE));
}

#[tokio::test]
async fn a_full_bulkhead_has_no_fallback() {
    let (verifier, application) = (Verifier::silent(), Application::default());
    let layer = builder(&verifier).rule(login(by_captcha())).in_flight(1).build().unwrap();
    let hanging = {
        let (layer, application) = (layer.clone(), application.clone());
        tokio::spawn(async move { send(&layer, &application, post_json("/login", body(None))).await })
    };
    while verifier.calls() == 0 {
        tokio::task::yield_now().await;
    }
    let response = send(&layer, &application, post_json("/login", body(Some("solved")))).await;
    assert_eq!((denial(&response).reason(), verifier.calls()), (DenialReason::Overloaded, 1));
    hanging.abort();
}

#[tokio::test(start_paused = true)]
async fn a_check_that_took_the_whole_deadline_leaves_no_time_for_a_captcha() {
    let silent = Verifier::answering(|check| {
        (check.kind() == CheckKind::Captcha).then(|| Verdict::new(CheckKind::Captcha, Class::Passed))
    });
    for (ask, status) in [(Ask::from(number()), 503), (captcha().then(number()), 200)] {
        let rule = Rule::post("/login", ask).policy(by_captcha());
        let guarded = Guarded::asking(silent.clone(), |verifier| builder(verifier).rule(rule).build().unwrap());
        let response = guarded.send(post_json("/login", body(Some("solved")))).await;
        assert_eq!(response.status(), status);
    }
}
