//! `Policy::tag`: risk tags raise the action of a score.

use serde_json::json;
use tower_jverify::{
    Action, CheckKind, Class, Decision, DecisionReason, DenialReason, Level, Policy, Risk, Rule, Verdict, number,
};

use super::PHONE;
use crate::support::{Guarded, Sandboxed, Verifier, builder, code, denial, post_json};

const ACTIONS: [Action; 4] = [Action::Allow, Action::Flag, Action::StepUp, Action::Deny];

fn error(policy: Policy) -> tower_jverify::ConfigError {
    builder(&Verifier::passing()).rule(Rule::post("/login", number()).policy(policy)).build().err().unwrap()
}

#[tokio::test]
async fn the_worst_of_band_tag_and_unknown_risk_counts() {
    for band in ACTIONS {
        for tag in ACTIONS {
            for unknown in ACTIONS {
                // The number's risk is known and has the tag; the risk query's is unknown, or known and has no tag.
                for is_unknown in [false, true] {
                    let what = format!("band {band:?}, tag {tag:?}, unknown {unknown:?} ({is_unknown})");
                    let policy = Policy::empty().band(0, Level::Low, band).tag("F24004", tag).unknown_risk(unknown);
                    let answers = Verifier::answering(move |check| {
                        let risk = match check.kind() {
                            CheckKind::Number => Risk::from_score(0, vec!["other".into(), "F24004".into()]),
                            _ if is_unknown => Risk::Unknown,
                            _ => Risk::from_score(0, Vec::new()),
                        };
                        Some(Verdict::new(check.kind(), Class::Passed).with_risk(risk))
                    });
                    let rule = Rule::post("/login", number().with_risk()).policy(policy);
                    let guarded = Guarded::asking(answers, |verifier| builder(verifier).rule(rule).build().unwrap());
                    let body = json!({"token": "t", "phone": PHONE}).to_string();
                    let response = guarded.send(post_json("/login", body)).await;

                    let worst = if is_unknown { band.max(tag).max(unknown) } else { band.max(tag) };
                    let seen = || guarded.application.last().parts.extensions.get::<Decision>().cloned().unwrap();
                    let found = match guarded.application.runs() {
                        0 => denial(&response).reason().as_str(),
                        _ => seen().reason().as_str(),
                    };
                    let expected = match worst {
                        Action::Allow => "verified",
                        Action::Flag if is_unknown => "risk_unknown",
                        Action::Flag => "risk",
                        Action::StepUp => "captcha_required",
                        _ => "risk_too_high",
                    };
                    assert_eq!(found, expected, "{what}");
                    assert_eq!(guarded.application.runs(), usize::from(worst <= Action::Flag), "{what}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_tag_raises_a_low_score_and_lowers_none() {
    let policy =
        Policy::default().tag("F24004", Action::Deny).tag("F24005", Action::StepUp).tag("F24006", Action::Allow);
    let desk = Sandboxed::new(Rule::post("/login", number()).policy(policy));
    for (token, captcha, outcome) in [
        ("sandbox-9000-risk-100-tags-F24004", None, "verification_failed"),
        ("sandbox-9000-risk-100-tags-F24004", Some("sandbox-pass"), "verification_failed"),
        ("sandbox-9000-risk-100-tags-F24005", None, "captcha_required"),
        ("sandbox-9000-risk-100-tags-F24005", Some("sandbox-pass"), "stepped_up"),
        ("sandbox-9000-risk-100-tags-F24005-F24004", Some("sandbox-pass"), "verification_failed"),
        ("sandbox-9000-risk-100-tags-F24006", None, "verified"),
        ("sandbox-9000-risk-400-tags-F24006", None, "risk"),
        // Compared exactly.
        ("sandbox-9000-risk-100-tags-f24004", None, "verified"),
        ("sandbox-9000-risk-100-tags-F240041", None, "verified"),
    ] {
        let body = json!({"token": token, "phone": PHONE, "captchaContent": captcha});
        let response = desk.login(&body).await;
        let found = match response.status().as_u16() {
            200 => desk.decision().reason().as_str().to_owned(),
            _ => code(&response),
        };
        assert_eq!(found, outcome, "{token} {captcha:?}");
    }
}

#[tokio::test]
async fn a_tag_that_comes_late_in_the_list_counts() {
    let policy = Policy::default().tag("T60", Action::Deny);
    let desk = Sandboxed::new(Rule::post("/login", number()).policy(policy));
    let tags: Vec<String> = (0..64).map(|n| format!("T{n}")).collect();
    let body = json!({"token": format!("sandbox-9000-risk-0-tags-{}", tags.join("-")), "phone": PHONE});
    assert_eq!(denial(&desk.login(&body).await).reason(), DenialReason::RiskTooHigh);
}

#[test]
fn tags_that_are_never_read_are_refused() {
    for (tag, value) in [(String::new(), ""), ("x".repeat(65), &*"x".repeat(65)), ("码".repeat(22), &*"码".repeat(22))]
    {
        let error = error(Policy::default().tag(tag, Action::Deny));
        assert_eq!((error.setting(), error.value(), error.rule()), ("policy.tag", Some(value), Some("POST /login")));
    }
    let many = |count: usize| (0..count).fold(Policy::default(), |policy, n| policy.tag(format!("T{n}"), Action::Deny));
    let error = error(many(65));
    assert_eq!((error.setting(), error.value()), ("policy.tag", Some("65")));
    let fine = many(64).tag("T0", Action::Flag).tag("x".repeat(64), Action::Deny);
    assert!(builder(&Verifier::passing()).rule(Rule::post("/login", number()).policy(fine)).build().is_err(), "65");
    let fine = many(63).tag("T0", Action::Flag).tag("x".repeat(64), Action::Deny);
    assert!(builder(&Verifier::passing()).rule(Rule::post("/login", number()).policy(fine)).build().is_ok());
}

#[tokio::test]
async fn the_last_call_for_a_tag_counts() {
    let policy = Policy::default().tag("F24004", Action::Deny).tag("F24004", Action::Flag);
    let desk = Sandboxed::new(Rule::post("/login", number()).policy(policy));
    let body = json!({"token": "sandbox-9000-risk-0-tags-F24004", "phone": PHONE});
    assert_eq!(desk.login(&body).await.status(), 200);
    assert_eq!(desk.decision().reason(), DecisionReason::Risk);
}
