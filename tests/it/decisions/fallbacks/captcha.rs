//! A captcha that a policy accepts instead of a check.

use serde_json::{Value, json};
use tower::Layer;
use tower_jverify::{
    CallError, Check, CheckKind, Class, DecisionReason, DenialReason, Fallback, Phone, Policy, Rule, Verdict, captcha,
    number, one_tap, sandbox::Fault,
};

use super::{assert_by_captcha, body, by_captcha, decision, guarded, login};
use crate::decisions::PHONE;
use crate::support::{
    Application, Guarded, Sandboxed, Verifier, asking, builder, code, denial, exchange, jpush, noticing, post_json,
    send, serve,
};

// === over sockets, with the real client ===

/// Sends a body to a server with this rule. Returns the answer and what reached the application and JPush.
async fn over_sockets(rule: Rule, body: &Value) -> (String, Sandboxed) {
    let desk = Sandboxed::noticing(rule);
    let address = serve(desk.layer.layer(desk.application.clone())).await;
    let body = body.to_string();
    let head =
        "POST /login HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ";
    (exchange(address, format!("{head}{}\r\n\r\n{body}", body.len())).await, desk)
}

#[tokio::test]
async fn a_captcha_takes_the_place_of_a_number_check_that_is_not_answered() {
    let rule = || login(Policy::default().on(Class::Unavailable, Fallback::Captcha)).forward_phone(true);
    let login =
        |captcha: Option<&str>| json!({"token": "sandbox-reset-9000", "phone": PHONE, "captchaContent": captcha});
    let (answer, desk) = over_sockets(rule(), &login(Some("sandbox-pass"))).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(desk.asked(), [CheckKind::Number, CheckKind::Captcha]);
    assert_by_captcha(&desk.application, "the captcha passed").await;
    assert_eq!(desk.application.header("x-jverify-sandbox").as_deref(), Some("1"));

    let (answer, desk) = over_sockets(rule(), &login(None)).await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("\"captcha_required\""), "{answer}");
    assert_eq!((desk.asked(), desk.application.runs()), (vec![CheckKind::Number], 0));

    let (answer, desk) = over_sockets(rule(), &login(Some("sandbox-fail"))).await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("\"verification_failed\""), "{answer}");
    assert_eq!(desk.application.runs(), 0);
    // A captcha that cannot be asked is not asked for again.
    let (answer, desk) = over_sockets(rule(), &login(Some("sandbox-reset-pass"))).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\"verification_unavailable\""), "{answer}");
    assert_eq!(desk.application.runs(), 0);
}

#[tokio::test]
async fn a_captcha_that_the_rule_asks_for_anyway_is_asked_once() {
    let policy = || Policy::default().on(Class::Inconclusive, Fallback::Captcha);
    let body =
        |captcha: Option<&str>, token: Option<&str>| json!({"captchaContent": captcha, "token": token, "phone": PHONE});
    let then = || Rule::post("/login", captcha().then(number())).policy(policy());
    let or = || Rule::post("/login", captcha().or(number())).policy(policy());
    let last = || Rule::post("/login", number().then(captcha())).policy(policy());
    let (both, alone) = (body(Some("sandbox-pass"), Some("sandbox-9002")), body(None, Some("sandbox-9002")));
    for (rule, asked) in [
        (then(), [CheckKind::Captcha, CheckKind::Number]),
        (or(), [CheckKind::Captcha, CheckKind::Number]),
        (last(), [CheckKind::Number, CheckKind::Captcha]),
    ] {
        let (answer, desk) = over_sockets(rule, &both).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(desk.asked(), asked);
        assert_by_captcha(&desk.application, "asked once").await;
    }
    let (answer, desk) = over_sockets(or(), &alone).await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("\"captcha_required\""), "{answer}");
    assert_eq!(desk.application.runs(), 0);
    // Choosing the captcha only is not a fallback.
    let (answer, desk) = over_sockets(or(), &body(Some("sandbox-pass"), None)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(desk.decision().reason(), DecisionReason::Verified);
    let failed = body(Some("sandbox-fail"), Some("sandbox-9002"));
    for rule in [then(), or(), last()] {
        let (answer, desk) = over_sockets(rule, &failed).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert_eq!(desk.application.runs(), 0);
    }
}

#[tokio::test]
async fn while_a_breaker_is_open_the_captcha_is_all_that_is_asked() {
    // A dial that fails is tried once more.
    for (fault, times) in [(Fault::Refuse, 2), (Fault::Html, 1)] {
        let rule = || Rule::post("/login", captcha().then(number())).policy(by_captcha());
        let sandbox = tower_jverify::Sandbox::new();
        let layer = noticing(jpush(&sandbox)).rule(rule()).build().unwrap();
        let application = Application::default();
        sandbox.fault_next(1, &Fault::Delay(std::time::Duration::ZERO));
        sandbox.fault_next(times, &fault);
        let both = json!({"captchaContent": "sandbox-pass", "token": "sandbox-9000", "phone": PHONE}).to_string();
        assert_eq!(send(&layer, &application, post_json("/login", both.clone())).await.status(), 200, "{fault:?}");
        sandbox.take_calls();
        assert_eq!(send(&layer, &application, post_json("/login", both)).await.status(), 200, "{fault:?}");
        let asked: Vec<_> = sandbox.take_calls().iter().filter_map(tower_jverify::sandbox::Call::kind).collect();
        assert_eq!(asked, [CheckKind::Captcha], "{fault:?}");
        assert_by_captcha(&application, "the breaker is open").await;
    }
}

#[tokio::test]
async fn a_captcha_whose_breaker_is_open_does_not_count() {
    let rule = Rule::post("/login", captcha().then(number())).policy(by_captcha());
    let desk = Sandboxed::noticing(rule);
    let body = |captcha: &str| json!({"captchaContent": captcha, "token": "sandbox-9002", "phone": PHONE});
    assert_eq!(desk.login(&body("sandbox-reset-pass")).await.status(), 503);
    let refused = desk.login(&body("sandbox-pass")).await;
    assert_eq!(denial(&refused).reason(), DenialReason::BreakerOpen);
    assert_eq!((desk.asked(), desk.application.runs()), (vec![CheckKind::Captcha], 0));
}

// === what a captcha does not take the place of ===

#[tokio::test]
async fn a_captcha_of_another_scene_takes_no_place() {
    for (content, status) in [("sandbox-pass-scene-登录", 200), ("sandbox-pass-scene-注册", 403), ("sandbox-pass", 403)]
    {
        let step_up = Rule::post("/login", number().step_up_scene("登录")).policy(by_captcha());
        let first = Rule::post("/login", captcha().scene("登录").then(number())).policy(by_captcha());
        for rule in [step_up, first] {
            let desk = Sandboxed::noticing(rule);
            let body = json!({"captchaContent": content, "token": "sandbox-9002", "phone": PHONE});
            assert_eq!(desk.login(&body).await.status(), status, "{content}");
            assert_eq!(desk.application.runs(), usize::from(status == 200), "{content}");
        }
    }
}

#[tokio::test]
async fn a_captcha_serves_one_request() {
    let desk = Sandboxed::new(login(by_captcha()));
    let body =
        |n: u32| json!({"token": format!("sandbox-9002#{n}"), "phone": PHONE, "captchaContent": "sandbox-once-pass"});
    assert_eq!(desk.login(&body(1)).await.status(), 200);
    let again = desk.login(&body(2)).await;
    assert_eq!(denial(&again).reason(), DenialReason::Replayed);
    assert_eq!(
        (desk.asked(), desk.application.runs()),
        (vec![CheckKind::Number, CheckKind::Captcha, CheckKind::Number], 1)
    );
}

#[tokio::test]
async fn one_class_does_not_hide_another() {
    // The class of the number check, of the one-tap check, and the answer where a captcha passes.
    let fine = (200, DecisionReason::FallbackCaptcha.as_str());
    for (of_number, of_one_tap, (status, reason)) in [
        (Class::Inconclusive, Class::Passed, fine),
        (Class::Passed, Class::Inconclusive, fine),
        (Class::Inconclusive, Class::Inconclusive, fine),
        (Class::Inconclusive, Class::Rejected, (403, "rejected")),
        (Class::Inconclusive, Class::Stale, (403, "stale")),
        (Class::Inconclusive, Class::Unavailable, (503, "unavailable")),
        (Class::Rejected, Class::Inconclusive, (403, "rejected")),
        (Class::Unavailable, Class::Inconclusive, (503, "unavailable")),
    ] {
        let what = format!("{of_number} {of_one_tap}");
        let answers = Verifier::answering(move |check| {
            Some(match check.kind() {
                CheckKind::Number => Verdict::new(CheckKind::Number, of_number),
                CheckKind::OneTap => Verdict::new(CheckKind::OneTap, of_one_tap).with_phone(Phone::parse(PHONE)?),
                kind => Verdict::new(kind, Class::Passed),
            })
        });
        let policy = Policy::default().on(Class::Inconclusive, Fallback::Captcha);
        let rule = Rule::post("/login", number().then(one_tap())).policy(policy);
        let guarded = Guarded::asking(answers, |verifier| builder(verifier).rule(rule).build().unwrap());
        let body = json!({"token": "t", "phone": PHONE, "loginToken": "l", "captchaContent": "solved"}).to_string();
        let response = guarded.send(post_json("/login", body)).await;
        assert_eq!(response.status(), status, "{what}");
        if status == 200 {
            let decision = decision(&guarded.application);
            assert_eq!((decision.reason().as_str(), decision.phone()), (reason, None), "{what}");
            assert!(!decision.is_verified(), "{what}");
        } else {
            assert_eq!((denial(&response).reason().as_str(), guarded.application.runs()), (reason, 0), "{what}");
        }
    }
}

#[tokio::test]
async fn nothing_more_is_paid_for_if_no_captcha_is_there() {
    let rule = Rule::post("/login", number().then(one_tap())).policy(by_captcha());
    let guarded = guarded(Class::Inconclusive, rule);
    let body = json!({"token": "t", "phone": PHONE, "loginToken": "l"}).to_string();
    assert_eq!(code(&guarded.send(post_json("/login", body)).await), "captcha_required");
    assert_eq!(guarded.verifier.kinds(), [CheckKind::Number]);
}

#[tokio::test]
async fn an_opened_captcha_takes_no_place() {
    // Captchas cannot be sent, which is opened; numbers are inconclusive, which needs a captcha that passed.
    let half = tower::service_fn(|check: Check| async move {
        match check.kind() {
            CheckKind::Captcha => Err(CallError::no_connection("refused")),
            kind => Ok(Verdict::new(kind, Class::Inconclusive)),
        }
    });
    let policy = Policy::default().on(Class::Unavailable, Fallback::Open).on(Class::Inconclusive, Fallback::Captcha);
    for ask in [captcha().then(number()), number().then(captcha())] {
        let layer = noticing(half).rule(Rule::post("/login", ask).policy(policy.clone())).build().unwrap();
        let application = Application::default();
        let response = send(&layer, &application, post_json("/login", body(Some("solved")))).await;
        assert_eq!((&*code(&response), application.runs()), ("captcha_required", 0));
    }
}

#[tokio::test]
async fn a_verdict_on_another_kind_of_check_is_not_a_captcha() {
    let confused = tower::service_fn(|_: Check| async {
        Ok::<_, std::convert::Infallible>(Verdict::new(CheckKind::Captcha, Class::Passed))
    });
    let layer = asking(confused).rule(login(by_captcha())).build().unwrap();
    let application = Application::default();
    assert_eq!(code(&send(&layer, &application, post_json("/login", body(None))).await), "captcha_required");
    assert_eq!(application.runs(), 0);
}
