//! `Policy::on`: the fallbacks that each class may have, and what a captcha instead of a check means.

mod captcha;
mod layers;
mod refusals;
mod settings;

use axum::extract::FromRequestParts;
use serde_json::json;
use tower_jverify::{
    Action, CheckKind, Class, ConfigError, Decision, DecisionReason, Fallback, Policy, Rule, Verdict, Verified, number,
};

use crate::decisions::PHONE;
use crate::support::{Application, Guarded, Verifier, builder};

/// The classes that a captcha may take the place of.
const BY_CAPTCHA: [Class; 8] = [
    Class::Inconclusive,
    Class::Throttled,
    Class::Quota,
    Class::Account,
    Class::Misconfigured,
    Class::Unavailable,
    Class::Unreadable,
    Class::Unknown,
];

fn login(policy: Policy) -> Rule {
    Rule::post("/login", number()).policy(policy)
}

/// Every class that may be `Captcha` is.
fn by_captcha() -> Policy {
    BY_CAPTCHA.into_iter().fold(Policy::default(), |policy, class| policy.on(class, Fallback::Captcha))
}

fn build(rule: Rule) -> Result<(), ConfigError> {
    builder(&Verifier::passing()).rule(rule).build().map(drop)
}

/// Number and one-tap checks come to a class, captchas pass or fail by their answer.
fn verifier(class: Class) -> Verifier {
    Verifier::answering(move |check| {
        let solved = match check.question() {
            tower_jverify::Question::Captcha { content, .. } if content.expose() == "solved" => Class::Passed,
            tower_jverify::Question::Captcha { .. } => Class::Rejected,
            _ => class,
        };
        Some(Verdict::new(check.kind(), solved))
    })
}

fn guarded(class: Class, rule: Rule) -> Guarded {
    Guarded::asking(verifier(class), |verifier| builder(verifier).rule(rule).build().unwrap())
}

fn body(captcha: Option<&str>) -> String {
    json!({"token": "t", "phone": PHONE, "captchaContent": captcha}).to_string()
}

fn decision(application: &Application) -> Decision {
    application.last().parts.extensions.get::<Decision>().cloned().unwrap()
}

/// The request passed because of a captcha, and is not verified.
async fn assert_by_captcha(application: &Application, what: &str) {
    let decision = decision(application);
    assert_eq!((decision.action(), decision.reason()), (Action::Flag, DecisionReason::FallbackCaptcha), "{what}");
    assert!(!decision.is_verified() && decision.phone().is_none(), "{what}");
    assert!(decision.passed(CheckKind::Captcha) && !decision.passed(CheckKind::Number), "{what}");
    let header = |name: &str| application.header(name);
    assert_eq!(header("x-jverify-decision").as_deref(), Some("flag"), "{what}");
    assert_eq!(header("x-jverify-reason").as_deref(), Some("fallback_captcha"), "{what}");
    assert_eq!(header("x-jverify-phone"), None, "{what}");
    assert!(Verified::from_request_parts(&mut application.last().parts, &()).await.is_err(), "{what}");
}
