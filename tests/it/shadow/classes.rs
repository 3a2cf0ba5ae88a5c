//! Each class with each fallback, in each mode: shadow says what enforcement does.

use serde_json::json;
use tower_jverify::{
    CheckKind, Class, Decision, Fallback, Mode, Policy, Question, Rollout, Rule, Secret, Verdict, number,
};

use crate::{
    decisions::CLASSES,
    support::{Guarded, Verifier, builder, denial, post_json},
};

/// What the application learns of a request, and what was asked.
#[derive(Debug, PartialEq)]
struct Told {
    decision: String,
    reason: String,
    is_verified: bool,
    has_phone: bool,
    asked: Vec<CheckKind>,
}

fn guarded(class: Class, rule: Rule) -> Option<Guarded> {
    let verifier = Verifier::answering(move |check| {
        let class = match check.question() {
            Question::Captcha { content, .. } if content.expose() == "solved" => Class::Passed,
            Question::Captcha { .. } => Class::Rejected,
            _ => class,
        };
        Some(Verdict::new(check.kind(), class))
    });
    builder(&verifier).rule(rule.clone()).build().ok()?;
    Some(Guarded::asking(verifier, |verifier| builder(verifier).rule(rule).build().unwrap()))
}

/// `mode`: the header that is expected.
async fn told(guarded: &Guarded, captcha: Option<&str>, mode: Option<&str>) -> Told {
    let body = json!({"token": "t", "phone": "13800000000", "captchaContent": captcha});
    let response = guarded.send(post_json("/login", body.to_string())).await;
    let asked = guarded.verifier.kinds();
    if guarded.application.runs() == 0 {
        let (decision, reason) = ("would-deny".to_owned(), denial(&response).reason().as_str().to_owned());
        return Told { decision, reason, is_verified: false, has_phone: false, asked };
    }
    let seen = guarded.application.last();
    assert_eq!((response.status().as_u16(), seen.body.as_deref()), (200, Ok(body.to_string().as_bytes())));
    let decision = seen.parts.extensions.get::<Decision>().unwrap();
    let header = |name: &str| guarded.application.header(name);
    assert_eq!(header("x-jverify-mode").as_deref(), mode);
    Told {
        decision: header("x-jverify-decision").unwrap(),
        reason: header("x-jverify-reason").unwrap(),
        is_verified: decision.is_verified(),
        has_phone: decision.phone().is_some(),
        asked,
    }
}

#[tokio::test]
async fn each_class_with_each_fallback_is_in_shadow_what_enforcement_says() {
    let rollout =
        |percent| Mode::Rollout(Rollout::percent(percent).key(Secret::from("0123456789abcdef0123456789abcdef")));
    let mut count = 0;
    // A pass has no fallback.
    for class in CLASSES.into_iter().filter(|class| !class.is_pass()) {
        for fallback in [Fallback::Deny, Fallback::Captcha, Fallback::Open] {
            for captcha in [None, Some("solved"), Some("failed")] {
                let rule = || Rule::post("/login", number()).policy(Policy::default().on(class, fallback));
                let what = format!("{class} {fallback:?} {captcha:?}");
                let Some(enforced) = guarded(class, rule()) else { continue };
                let expected = told(&enforced, captcha, None).await;
                for (mode, header) in [(Mode::Shadow, "shadow"), (rollout(0.0), "shadow"), (rollout(100.0), "enforce")]
                {
                    let guarded = guarded(class, rule().mode(mode.clone())).unwrap();
                    assert_eq!(told(&guarded, captcha, Some(header)).await, expected, "{what} {mode:?}");
                    let runs = usize::from(header == "shadow" || enforced.application.runs() == 1);
                    assert_eq!(guarded.application.runs(), runs, "{what} {mode:?}");
                }
                count += 1;
            }
        }
    }
    // Three classes have only `Deny`, seven `Captcha` too, one `Open` as well.
    assert_eq!(count, 3 * (3 + 7 * 2 + 3));
}
