//! Risk: bands, step-up, and unknown risks.

use CheckKind::{Captcha, Number, Risk};
use serde_json::{Value, json};
use tower_jverify::{
    Action, CheckKind, Class, Decision, DecisionReason, DenialReason, Level, Policy, Risk as Score, Rule, Verdict,
    captcha, number, one_tap, sandbox::Fault,
};

use super::PHONE;
use crate::support::{Guarded, LOGIN, Sandboxed, Verifier, builder, code, denial, post_json};

fn login(token: &str) -> Value {
    json!({"token": token, "phone": PHONE})
}

#[tokio::test]
async fn the_default_bands_are_the_vendors() {
    for (score, decision, level) in [
        (0, Some("allow"), "low"),
        (299, Some("allow"), "low"),
        (300, Some("flag"), "medium"),
        (599, Some("flag"), "medium"),
        (600, None, "captcha_required"),
        (899, None, "captcha_required"),
        (900, None, "verification_failed"),
        // Outside of the range it is not known, which is not low.
        (901, Some("flag"), "unknown"),
        (-1, Some("flag"), "unknown"),
    ] {
        let desk = Sandboxed::new(Rule::post("/login", number()));
        let response = desk.login(&login(&format!("sandbox-9000-risk-{score}"))).await;
        let Some(decision) = decision else {
            assert_eq!((response.status().as_u16(), code(&response).as_str()), (403, level), "{score}");
            assert_eq!(desk.application.runs(), 0, "{score}");
            continue;
        };
        assert_eq!(response.status(), 200, "{score}");
        assert_eq!(desk.application.header("x-jverify-decision").as_deref(), Some(decision), "{score}");
        assert_eq!(desk.application.header("x-jverify-risk-level").as_deref(), Some(level), "{score}");
        let reason = match level {
            "low" => "verified",
            "unknown" => "risk_unknown",
            _ => "risk",
        };
        assert_eq!(desk.application.header("x-jverify-reason").as_deref(), Some(reason), "{score}");
        let told = (level != "unknown").then(|| score.to_string());
        assert_eq!(desk.application.header("x-jverify-risk-score"), told, "{score}");
    }
}

#[tokio::test]
async fn a_risk_without_a_score_is_unknown_and_flagged_and_never_low() {
    for (token, score) in [
        ("sandbox-9000-risk-unknown", None),
        ("sandbox-9000-risk-absent", None),
        // The old place still counts where the new one is empty.
        ("sandbox-9000-score-42", Some(42)),
    ] {
        let desk = Sandboxed::new(Rule::post("/login", number()));
        assert_eq!(desk.login(&login(token)).await.status(), 200, "{token}");
        let decision = desk.decision();
        assert_eq!(decision.score(), score, "{token}");
        if score.is_none() {
            assert_eq!((decision.action(), decision.level()), (Action::Flag, Some(Level::Unknown)), "{token}");
            assert_eq!(decision.reason(), DecisionReason::RiskUnknown, "{token}");
            assert_eq!(desk.application.header("x-jverify-risk-score"), None, "{token}");
            assert!(decision.is_verified() && decision.phone().is_some(), "{token}");
        }
    }
}

#[tokio::test]
async fn a_risk_query_that_fails_or_answers_no_risk_is_an_unknown_risk() {
    let low = || Score::from_score(0, Vec::new());
    for (class, risk, level) in [
        (Class::Passed, Some(low()), Level::Low),
        (Class::Passed, None, Level::Unknown),
        // The score of a query that failed does not count.
        (Class::Rejected, Some(low()), Level::Unknown),
        (Class::Rejected, None, Level::Unknown),
        (Class::Unavailable, Some(low()), Level::Unknown),
    ] {
        let what = format!("{class} {risk:?}");
        let verifier = Verifier::answering(move |check| {
            Some(match (check.kind(), &risk) {
                (Risk, Some(risk)) => Verdict::new(Risk, class).with_risk(risk.clone()),
                (Risk, None) => Verdict::new(Risk, class),
                (kind, _) => Verdict::new(kind, Class::Passed),
            })
        });
        let rule = Rule::post("/login", number().with_risk());
        let guarded = Guarded::asking(verifier, |verifier| builder(verifier).rule(rule).build().unwrap());
        assert_eq!(guarded.send(post_json("/login", LOGIN)).await.status(), 200, "{what}");
        assert_eq!(guarded.verifier.kinds(), [Number, Risk], "{what}");
        let decision = guarded.application.last().parts.extensions.get::<Decision>().cloned().unwrap();
        assert_eq!(decision.level(), Some(level), "{what}");
    }
}

#[tokio::test]
async fn a_risk_is_read_as_documented() {
    for (risk, score) in [
        (json!({"code": 0, "score": 300}), Some(300)),
        (json!({"code": 0, "score": "300"}), Some(300)),
        (json!({"code": 9099, "score": 300}), None),
        (json!({"code": "0", "score": 300}), None),
        (json!({"score": 300}), None),
        (json!({"code": 0}), None),
        (json!({"code": 0, "score": 901}), None),
        (json!({"code": 0, "score": -1}), None),
        (json!({"code": 0, "score": 299.5}), None),
        (json!({"code": 0, "score": null}), None),
        (json!(null), None),
        (json!([]), None),
    ] {
        let desk = Sandboxed::new(Rule::post("/login", number()));
        // The top-level score is deprecated, and is ignored if there is a `riskCheck`.
        let reply = json!({"code": 9000, "score": 0, "riskCheck": risk}).to_string();
        desk.sandbox.fault(Fault::Garbage(reply.clone().into()));
        assert_eq!(desk.login(&login("sandbox-9000")).await.status(), 200, "{reply}");
        assert_eq!(desk.decision().score(), score, "{reply}");
        let expected = if score.is_some() { Level::Medium } else { Level::Unknown };
        assert_eq!(desk.decision().level(), Some(expected), "{reply}");
    }
}

#[tokio::test]
async fn an_elevated_risk_asks_for_a_captcha_in_the_same_request() {
    for (captcha, status, answer, asked) in [
        (None, 403, "captcha_required", &[Number][..]),
        (Some("sandbox-pass"), 200, "", &[Number, Captcha]),
        (Some("sandbox-fail"), 403, "verification_failed", &[Number, Captcha]),
        (Some("sandbox-7110"), 403, "proof_expired", &[Number, Captcha]),
        (Some("sandbox-6000"), 403, "verification_failed", &[Number, Captcha]),
        (Some("sandbox-reset-pass"), 503, "verification_unavailable", &[Number, Captcha]),
    ] {
        let desk = Sandboxed::new(Rule::post("/login", number()));
        let mut body = login("sandbox-9000-risk-600");
        if let Some(captcha) = captcha {
            body["captchaContent"] = captcha.into();
        }
        let response = desk.login(&body).await;
        assert_eq!((response.status().as_u16(), code(&response).as_str()), (status, answer), "{body}");
        assert_eq!(desk.asked(), asked, "{body}");
        assert_eq!(desk.application.runs(), usize::from(status == 200), "{body}");
        if status == 200 {
            let decision = desk.decision();
            assert_eq!((decision.action(), decision.reason()), (Action::Flag, DecisionReason::SteppedUp));
            assert_eq!(desk.application.header("x-jverify-reason").as_deref(), Some("stepped_up"));
            assert_eq!(desk.application.header("x-jverify-checks").as_deref(), Some("number,captcha"));
            assert_eq!(desk.application.header("x-jverify-risk-level").as_deref(), Some("elevated"));
        }
    }
}

#[tokio::test]
async fn a_captcha_for_stepping_up_is_only_asked_when_the_risk_wants_it() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    for token in ["sandbox-9000-risk-0", "sandbox-9000-risk-300", "sandbox-9000-risk-900", "sandbox-9001"] {
        let mut body = login(token);
        body["captchaContent"] = "sandbox-pass".into();
        desk.login(&body).await;
        assert_eq!(desk.asked(), [Number], "{token}");
    }
}

#[tokio::test]
async fn a_captcha_that_passed_already_steps_up() {
    let desk = Sandboxed::new(Rule::post("/login", captcha().then(number())));
    let mut body = login("sandbox-9000-risk-600");
    body["captchaContent"] = "sandbox-pass".into();
    assert_eq!(desk.login(&body).await.status(), 200);
    assert_eq!(desk.asked(), [Captcha, Number]);
    assert_eq!(desk.decision().reason(), DecisionReason::SteppedUp);
}

#[tokio::test]
async fn a_captcha_for_stepping_up_must_be_of_the_scene() {
    let desk = Sandboxed::new(Rule::post("/login", number().step_up_scene("登录")));
    for (captcha, status) in [("sandbox-pass-scene-登录", 200), ("sandbox-pass-scene-注册", 403), ("sandbox-pass", 403)]
    {
        let mut body = login("sandbox-9000-risk-600");
        body["captchaContent"] = captcha.into();
        assert_eq!(desk.login(&body).await.status(), status, "{captcha}");
    }
}

#[tokio::test]
async fn a_risk_query_follows_a_pass_and_nothing_else() {
    let rule = || Rule::post("/login", captcha().then(number().with_risk()));
    let body =
        |captcha: &str, token: &str, phone: &str| json!({"captchaContent": captcha, "token": token, "phone": phone});
    for (body, status, asked) in [
        (body("sandbox-pass", "sandbox-9000", "13800000299"), 200, &[Captcha, Number, Risk][..]),
        (body("sandbox-pass", "sandbox-9000", "13800000900"), 403, &[Captcha, Number, Risk]),
        (body("sandbox-pass", "sandbox-9001", "13800000299"), 403, &[Captcha, Number]),
        (body("sandbox-fail", "sandbox-9000", "13800000299"), 403, &[Captcha]),
    ] {
        let desk = Sandboxed::new(rule());
        assert_eq!(desk.login(&body).await.status(), status, "{body}");
        assert_eq!(desk.asked(), asked, "{body}");
    }
}

#[tokio::test]
async fn a_risk_query_after_a_one_tap_login_asks_about_the_phone_that_jpush_answered() {
    let desk = Sandboxed::new(Rule::post("/login", one_tap().with_risk()));
    assert_eq!(desk.login(&json!({"loginToken": "sandbox-8000-13800000450"})).await.status(), 200);
    assert_eq!(desk.asked(), [CheckKind::OneTap, Risk]);
    assert_eq!(desk.decision().score(), Some(450));
}

#[tokio::test]
async fn a_risk_query_that_fails_is_an_unknown_risk_and_no_verdict_on_the_client() {
    let desk = Sandboxed::new(Rule::post("/login", number().with_risk()));
    // 999: the query answers 9099. 950: it answers an invalid score.
    for phone in ["13800000999", "13800000950"] {
        let response = desk.login(&json!({"token": "sandbox-9000", "phone": phone})).await;
        assert_eq!(response.status(), 200, "{phone}");
        let decision = desk.decision();
        assert_eq!((decision.action(), decision.level()), (Action::Flag, Some(Level::Unknown)), "{phone}");
        assert_eq!(decision.phone().unwrap().as_str(), phone);
        assert!(decision.is_verified(), "{phone}");
    }
    let strict = Policy::default().unknown_risk(Action::Deny);
    let desk = Sandboxed::new(Rule::post("/login", number().with_risk()).policy(strict));
    let response = desk.login(&json!({"token": "sandbox-9000", "phone": "13800000999"})).await;
    assert_eq!(denial(&response).reason(), DenialReason::RiskTooHigh);
}

#[tokio::test]
async fn the_higher_of_two_risks_counts() {
    let desk = Sandboxed::new(Rule::post("/login", number().with_risk()));
    for (token, phone) in [("sandbox-9000-risk-450", "13800000000"), ("sandbox-9000-risk-0", "13800000450")] {
        assert_eq!(desk.login(&json!({"token": token, "phone": phone})).await.status(), 200);
        assert_eq!(desk.application.header("x-jverify-risk-score").as_deref(), Some("450"), "{token} {phone}");
        assert_eq!(desk.application.header("x-jverify-decision").as_deref(), Some("flag"), "{token} {phone}");
    }
}

#[tokio::test]
async fn no_answer_reveals_that_the_risk_was_too_high_unless_it_is_set() {
    let rule = || Rule::post("/login", number());
    let body = login("sandbox-9000-risk-900");
    let silent = Sandboxed::new(rule()).login(&body).await;
    let rejected = Sandboxed::new(rule()).login(&login("sandbox-9001")).await;
    assert_eq!(silent.body(), rejected.body());
    assert_eq!(denial(&silent).reason(), DenialReason::RiskTooHigh);

    let disclosing = Sandboxed::new(rule().policy(Policy::default().disclose_risk())).login(&body).await;
    assert_eq!(code(&disclosing), "risk_too_high");
}

#[tokio::test]
async fn configured_bands_count() {
    let policy = Policy::default()
        .band(100, Level::Medium, Action::StepUp)
        .band(300, Level::Medium, Action::StepUp)
        .band(800, Level::High, Action::Deny);
    let desk = Sandboxed::new(Rule::post("/login", number()).policy(policy));
    for (score, code_) in [(99, ""), (100, "captcha_required"), (799, "captcha_required"), (800, "verification_failed")]
    {
        let response = desk.login(&login(&format!("sandbox-9000-risk-{score}"))).await;
        assert_eq!(code(&response), code_, "{score}");
    }
}

#[tokio::test]
async fn tags_reach_the_application_encoded() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    assert_eq!(desk.login(&login("sandbox-9000-risk-300-tags-F24004-F24005")).await.status(), 200);
    assert_eq!(desk.application.header("x-jverify-risk-tags").as_deref(), Some("F24004,F24005"));

    let mut tags = vec![json!("a,b\r\nx-jverify-decision: allow"), json!("注"), json!("x".repeat(10_000)), json!(7)];
    tags.extend((0..40).map(|n| json!(format!("t{n}"))));
    let reply = json!({"code": 9000, "riskCheck": {"code": 0, "score": 300, "tags": tags}}).to_string();
    desk.sandbox.fault(Fault::Garbage(reply.into()));
    assert_eq!(desk.login(&login("sandbox-9000")).await.status(), 200);
    let tags = desk.application.header("x-jverify-risk-tags").unwrap();
    let tags: Vec<_> = tags.split(',').collect();
    assert_eq!(tags[..3], ["a%2Cb%0D%0Ax-jverify-decision%3A%20allow", "%E6%B3%A8", "t0"]);
    assert_eq!(tags.len(), 16);
}
