//! `Policy::on`: the fallbacks that each class may have, and what a captcha instead of a check means.

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use serde_json::{Value, json};
use tower::Layer;
use tower_jverify::{
    Action, Ask, CallError, Check, CheckKind, Class, ConfigError, Decision, DecisionReason, DenialReason, Fallback,
    Field, Guards, JVerifyLayer, Level, Phone, Policy, Prove, Risk, Rule, Verdict, Verified, captcha, number, one_tap,
    sandbox::Fault,
};

use super::{CLASSES, PHONE};
use crate::support::{
    Application, Guarded, Sandboxed, Verifier, asking, builder, code, denial, exchange, jpush, noticing, post_json,
    send, serve,
};

const FALLBACKS: [Fallback; 3] = [Fallback::Deny, Fallback::Captcha, Fallback::Open];

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

// === the table ===

/// The fallbacks that each class may have, as the table of `docs/policy.md` lists them.
fn documented() -> BTreeMap<String, Vec<String>> {
    let page = include_str!("../../../docs/policy.md");
    let table = page.split_once("| class | default |").unwrap().1.split("\n\n").next().unwrap();
    let mut rows = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_lowercase).collect::<Vec<_>>();
        let fallbacks = [words(cells[2]), words(cells[3])].concat();
        rows.extend(words(cells[1]).into_iter().map(|class| (class, fallbacks.clone())));
    }
    rows
}

#[test]
fn every_class_has_the_fallbacks_of_the_documented_table_and_no_other() {
    let documented = documented();
    assert_eq!(documented.len(), CLASSES.len() - 1, "a pass has no fallback: {documented:?}");
    for class in CLASSES {
        for fallback in FALLBACKS {
            let what = format!("{class}, {}", fallback.as_str());
            let may_be = documented.get(class.as_str()).is_some_and(|words| words.contains(&fallback.as_str().into()));
            let built = build(login(Policy::default().on(class, fallback)));
            assert_eq!(built.is_ok(), may_be, "{what}");
            let Err(error) = built else { continue };
            assert_eq!((error.setting(), error.value()), ("policy.on", Some(&*what)));
            assert_eq!(error.rule(), Some("POST /login"));
            let why = match class {
                Class::Passed => "a pass has no fallback",
                Class::Rejected | Class::Stale | Class::Invalid => "a definite no is never let through",
                Class::Inconclusive | Class::Throttled => "a client can provoke it",
                Class::Unreadable => "the client's input can be the reason",
                _ => "it can be provoked or stay unnoticed",
            };
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}

#[test]
fn the_last_call_for_a_class_counts() {
    assert!(
        build(login(Policy::default().on(Class::Rejected, Fallback::Open).on(Class::Rejected, Fallback::Deny))).is_ok()
    );
    assert!(
        build(login(Policy::default().on(Class::Quota, Fallback::Captcha).on(Class::Quota, Fallback::Open))).is_err()
    );
    let error = builder(&Verifier::passing()).policy(Policy::default().on(Class::Stale, Fallback::Captcha));
    assert_eq!(error.rule(Rule::post("/login", number())).build().err().unwrap().setting(), "policy.on");
}

#[test]
fn policies_with_the_same_settings_are_equal_and_print_the_same_lines() {
    let one = Policy::default().tag("B", Action::Deny).tag("A", Action::Flag);
    let one = one.on(Class::Unknown, Fallback::Captcha).on(Class::Throttled, Fallback::Captcha);
    let other = Policy::default().on(Class::Throttled, Fallback::Captcha).on(Class::Unknown, Fallback::Captcha);
    let other = other.tag("A", Action::Allow).tag("A", Action::Flag).tag("B", Action::Deny);
    assert_eq!((&one, one.to_string()), (&other, other.to_string()));
    assert_eq!(Policy::default().on(Class::Rejected, Fallback::Deny), Policy::default());
    assert_ne!(one, Policy::default());

    let lines = "band(0): low, allow\nband(300): medium, flag\nband(600): elevated, step_up\nband(900): high, deny\n\
                 unknown_risk: flag\ntag(\"A\"): flag\ntag(\"B\"): deny\non(throttled): captcha\non(unknown): captcha\n\
                 on(any other class): deny\ndisclose_risk: false";
    assert_eq!(one.to_string(), lines);
    // A tag is one line, whatever is in it.
    let odd = Policy::empty().band(0, Level::Low, Action::Allow).tag("a\nb: c", Action::Deny).disclose_risk();
    assert_eq!(odd.to_string().lines().count(), 5, "{odd}");
}

#[test]
fn a_rule_that_reads_no_captcha_cannot_accept_one() {
    let policy = || Policy::default().on(Class::Unavailable, Fallback::Captcha);
    let in_headers = || number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    let error = build(Rule::post("/login", in_headers()).policy(policy())).unwrap_err();
    assert_eq!((error.setting(), error.rule()), ("policy.on", Some("POST /login")));
    assert!(error.to_string().contains("step_up_captcha"), "{error}");
    let with_a_field = in_headers().step_up_captcha(Field::header("x-captcha"));
    for ask in [Ask::from(with_a_field), captcha().then(in_headers()), captcha().into(), number().into()] {
        assert_eq!(build(Rule::post("/login", ask.clone()).policy(policy())), Ok(()), "{ask:?}");
    }
}

#[test]
fn a_policy_that_opens_needs_breakers() {
    let guards = Guards::builder().without_breaker().build().unwrap();
    let build = |fallback| {
        let rule = login(Policy::default().on(Class::Unavailable, fallback));
        JVerifyLayer::builder(Verifier::passing()).guards(&guards).rule(rule).build().map(drop)
    };
    let error = build(Fallback::Open).unwrap_err();
    assert_eq!((error.setting(), error.rule()), ("policy.on", Some("POST /login")));
    assert_eq!(build(Fallback::Captcha), Ok(()), "a captcha needs none");
}

// === class x fallback ===

#[tokio::test]
async fn each_class_with_each_fallback_comes_to_what_the_table_says() {
    for class in CLASSES.into_iter().filter(|class| !class.is_pass()) {
        for fallback in FALLBACKS {
            let rule = login(Policy::default().on(class, fallback));
            if build(rule.clone()).is_err() {
                continue;
            }
            for captcha in [None, Some("solved"), Some("failed")] {
                let what = format!("{class} {fallback:?} {captcha:?}");
                let guarded = guarded(class, rule.clone());
                let response = guarded.send(post_json("/login", body(captcha))).await;
                let (kinds, runs) = (guarded.verifier.kinds(), guarded.application.runs());
                match (fallback, captcha) {
                    (Fallback::Captcha, Some("solved")) => {
                        assert_eq!((response.status().as_u16(), runs), (200, 1), "{what}");
                        assert_eq!(kinds, [CheckKind::Number, CheckKind::Captcha], "{what}");
                        assert_by_captcha(&guarded.application, &what).await;
                    }
                    (Fallback::Captcha, Some(_)) => {
                        assert_eq!(denial(&response).reason(), DenialReason::Verdict(Class::Rejected), "{what}");
                        assert_eq!((kinds.len(), runs), (2, 0), "{what}");
                    }
                    (Fallback::Captcha, None) => {
                        assert_eq!(
                            (response.status().as_u16(), &*code(&response)),
                            (403, "captcha_required"),
                            "{what}"
                        );
                        assert_eq!(denial(&response).verdicts()[0].class(), class, "{what}");
                        assert_eq!((kinds.len(), runs), (1, 0), "{what}");
                    }
                    // No breaker is open, so `Open` refuses as well, whatever captcha there is.
                    _ => {
                        assert_eq!(denial(&response).reason(), DenialReason::Verdict(class), "{what}");
                        assert_eq!((kinds, runs), (vec![CheckKind::Number], 0), "{what}");
                    }
                }
            }
        }
    }
}

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
async fn a_verdict_on_another_kind_of_check_is_not_a_captcha() {
    let confused = tower::service_fn(|_: Check| async {
        Ok::<_, std::convert::Infallible>(Verdict::new(CheckKind::Captcha, Class::Passed))
    });
    let layer = asking(confused).rule(login(by_captcha())).build().unwrap();
    let application = Application::default();
    assert_eq!(code(&send(&layer, &application, post_json("/login", body(None))).await), "captcha_required");
    assert_eq!(application.runs(), 0);
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
