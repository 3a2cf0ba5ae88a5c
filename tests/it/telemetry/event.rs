//! One event for every decision.

use std::time::Duration;

use serde_json::json;
use tower_jverify::{CheckKind, Class, Fallback, Field, Policy, Rule, Verdict, captcha, number, sandbox::Fault};

use super::Log;
use crate::support::{Application, LOGIN, Sandboxed, Verifier, builder, login_layer, post_json, send};

const PHONE: &str = "13800000000";

#[tokio::test]
async fn every_decision_is_one_event() {
    let desk = Sandboxed::set(|builder| {
        builder.rule(Rule::post("/login", captcha().or(number()))).rule(Rule::post(
            "/{tenant}/signin",
            number().token(Field::header("x-token")).phone(Field::header("x-phone")),
        ))
    });
    let (log, _listening) = Log::listen();
    let login = |body: serde_json::Value| post_json("/login", body.to_string());
    let rule = "rule=\"POST /login\"";
    for (request, level, holds) in [
        (
            login(json!({"captchaContent": "sandbox-pass", "token": "sandbox-9000", "phone": PHONE})),
            "INFO",
            &[
                rule,
                "decision=\"allow\"",
                "reason=\"verified\"",
                "checks=captcha,number",
                "classes=passed,passed",
                "codes=6000,9000",
                "phone=138****0000",
            ][..],
        ),
        (
            login(json!({"token": "sandbox-9000-risk-300", "phone": PHONE})),
            "INFO",
            &[rule, "decision=\"flag\"", "reason=\"risk\"", "codes=9000", "phone=138****0000"],
        ),
        (
            login(json!({"token": "sandbox-9001", "phone": PHONE})),
            "INFO",
            &[
                rule,
                "decision=\"deny\"",
                "reason=\"rejected\"",
                "checks=number",
                "classes=rejected",
                "codes=9001",
                "phone=138****0000",
            ],
        ),
        (
            login(json!({"token": "sandbox-9000-risk-900", "phone": PHONE})),
            "INFO",
            &[rule, "decision=\"deny\"", "reason=\"risk_too_high\"", "classes=passed", "phone=138****0000"],
        ),
        (
            login(json!({"token": "sandbox-reset-9000", "phone": PHONE})),
            "WARN",
            &[rule, "decision=\"deny\"", "reason=\"unavailable\"", "codes=-", "ids=-"],
        ),
        (
            login(json!({"token": "sandbox-9007", "phone": PHONE})),
            "ERROR",
            &["reason=\"quota\"", "codes=9007", "used up"],
        ),
        (login(json!({"token": "sandbox-1804", "phone": PHONE})), "WARN", &["reason=\"quota\"", "codes=1804"]),
        (login(json!({})), "INFO", &[rule, "decision=\"deny\"", "reason=\"proof_missing\"", "detail="]),
        (post_json("/login%2F", "{}"), "INFO", &["decision=\"deny\"", "reason=\"path_ambiguous\""]),
        // The rule's name, and not the path that the client wrote.
        (post_json("/canary/signin", "{}"), "INFO", &["rule=\"POST /{tenant}/signin\""]),
    ] {
        let shown = format!("{request:?}");
        desk.send(request).await;
        let events = log.take_events();
        let [event] = &events[..] else { panic!("{shown}: {events:#?}") };
        assert!(event.starts_with(level), "{shown}: {event}");
        assert!(holds.iter().all(|part| event.contains(part)), "{shown}: {event}\nwants {holds:?}");
        assert!(event.contains(" ms=") && !event.contains("canary"), "{shown}: {event}");
    }
}

#[tokio::test]
async fn the_ids_of_jpush_and_the_sandboxs_mark_are_in_it() {
    let desk = Sandboxed::new(Rule::post("/login", captcha().then(number())));
    let (log, _listening) = Log::listen();
    desk.login(&json!({"captchaContent": "sandbox-pass", "token": "sandbox-9000", "phone": PHONE})).await;
    let ids = desk.application.header("x-jverify-id").unwrap();
    let events = log.take_events();
    assert!(events[0].contains(&format!("ids={ids}")) && events[0].contains("sandbox=true"), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn the_time_it_took_is_in_it() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    let (log, _listening) = Log::listen();
    desk.login(&json!({"token": "sandbox-delay-1500-9000", "phone": PHONE})).await;
    let events = log.take_events();
    assert!(events[0].contains("ms=1501") || events[0].contains("ms=1500"), "{events:?}");
}

#[tokio::test]
async fn a_decision_taken_over_from_an_outer_service_of_the_layer_is_not_a_second_event() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    let service = tower::Layer::layer(&desk.layer, tower::Layer::layer(&desk.layer, desk.application.clone()));
    let (log, _listening) = Log::listen();
    let login = post_json("/login", json!({"token": "sandbox-9000", "phone": PHONE}).to_string());
    assert_eq!(tower::ServiceExt::oneshot(service, login).await.unwrap().status(), 200);
    let events = log.take_events();
    assert_eq!(events.iter().filter(|event| event.contains("decision=\"allow\"")).count(), 1, "{events:?}");
}

#[tokio::test]
async fn a_rules_own_name_is_in_events_and_denials() {
    let desk = Sandboxed::new(Rule::post("/login", number()).name("login"));
    let (log, _listening) = Log::listen();
    let response = desk.login(&json!({})).await;
    assert_eq!(crate::support::denial(&response).rule(), Some("login"));
    let events = log.take_events();
    assert!(events.iter().all(|event| event.contains("rule=\"login\"")) && !events.is_empty(), "{events:?}");
}

#[tokio::test]
async fn an_unmatched_request_is_no_event() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    let (log, _listening) = Log::listen();
    assert_eq!(desk.send(post_json("/health", "{}")).await.status(), 200);
    assert_eq!(log.take_events(), Vec::<String>::new());
}

#[tokio::test]
async fn a_value_that_no_rule_names_and_that_passes_is_reported_as_not_guarded() {
    let rule = Rule::post("/login", number()).when(Field::body("/type"), "sms").otherwise_pass();
    let layer = builder(&Verifier::passing()).rule(rule).build().unwrap();
    let (log, _listening) = Log::listen();
    let request = post_json("/login", r#"{"type":"password","password":"canary"}"#);
    assert_eq!(send(&layer, &Application::default(), request).await.status(), 200);
    let events = log.take_events();
    assert!(events.len() == 1 && events[0].starts_with("INFO"), "{events:?}");
    assert!(events[0].contains("decision=\"not-guarded\"") && !events[0].contains("canary"), "{events:?}");
}

#[tokio::test]
async fn a_request_that_a_closure_lets_by_is_one_event_with_its_rule_and_a_panic_is_a_warning() {
    let rule = || Rule::post("/login", number()).name("login");
    let layer = builder(&Verifier::passing()).rule(rule().guard_unless(|_| true)).build().unwrap();
    let (log, _listening) = Log::listen();
    let request = || post_json("/login", r#"{"password":"canary"}"#);
    assert_eq!(send(&layer, &Application::default(), request()).await.status(), 200);
    let events = log.take_events();
    assert!(events.len() == 1 && events[0].starts_with("INFO"), "{events:?}");
    for part in ["rule=\"login\"", "decision=\"not-guarded\"", "`guard_unless`"] {
        assert!(events[0].contains(part) && !events[0].contains("canary"), "{events:?}");
    }
    let layer = builder(&Verifier::passing()).rule(rule().guard_unless(|_| panic!("a closure"))).build().unwrap();
    log.take_events();
    assert_eq!(send(&layer, &Application::default(), request()).await.status(), 400);
    let events = log.take_events();
    assert!(events.len() == 2 && events[0].starts_with("WARN"), "{events:?}");
    assert!(events[0].contains("rule=\"login\"") && events[0].contains("`guard_unless`"), "{events:?}");
}

#[tokio::test]
async fn a_risk_query_that_an_operator_must_act_on_is_an_error_though_the_request_passes() {
    let verifier = Verifier::answering(|check| {
        let class = if check.kind() == CheckKind::Risk { Class::Account } else { Class::Passed };
        Some(Verdict::new(check.kind(), class))
    });
    let layer = builder(&verifier).rule(Rule::post("/login", number().with_risk())).build().unwrap();
    let (log, _listening) = Log::listen();
    assert_eq!(send(&layer, &Application::default(), post_json("/login", LOGIN)).await.status(), 200);
    let events = log.take_events();
    assert!(events.len() == 1 && events[0].starts_with("ERROR") && events[0].contains("balance"), "{events:?}");
}

#[tokio::test]
async fn what_was_opened_says_so() {
    let rule = Rule::post("/login", number()).policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    let desk = Sandboxed::noticing(rule);
    desk.sandbox.fault(Fault::Refuse);
    let (log, _listening) = Log::listen();
    desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await;
    let events = log.take_events();
    assert!(events.len() == 2 && events.iter().all(|event| event.starts_with("WARN")), "{events:?}");
    assert!(events[0].contains("the breaker is open"), "{events:?}");
    assert!(
        events[1].contains("decision=\"unverified\"") && events[1].contains("reason=\"unavailable\""),
        "{events:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_class_that_an_operator_must_act_on_is_an_error_once_a_minute_and_says_what_to_do() {
    for (class, advice) in [(Class::Account, "balance"), (Class::Misconfigured, "secret"), (Class::Unknown, "code")] {
        let (verifier, application) = (Verifier::of_class(class), Application::default());
        let layer = login_layer(&verifier);
        let (log, _listening) = Log::listen();
        let login = async || {
            send(&layer, &application, post_json("/login", LOGIN)).await;
            let events = log.take_events();
            assert_eq!(events.len(), 1, "{class}: {events:?}");
            events[0].clone()
        };
        let first = login().await;
        assert!(first.starts_with("ERROR") && first.contains(advice), "{class}: {first}");
        for _ in 0..3 {
            let event = login().await;
            assert!(!event.starts_with("ERROR") && event.contains(class.as_str()), "{class}: {event}");
        }
        tokio::time::advance(Duration::from_secs(58)).await;
        let event = login().await;
        assert!(!event.starts_with("ERROR"), "{class}: {event}");
        // Much longer than a minute: other tests in this process may have advanced the alarm's clock.
        tokio::time::advance(Duration::from_secs(3_600)).await;
        let event = login().await;
        assert!(event.starts_with("ERROR"), "{class}: {event}");
    }
}

#[tokio::test]
async fn a_method_or_media_type_that_jpush_refuses_is_the_fault_of_something_on_the_way() {
    for code in [9013, 9015] {
        let desk = Sandboxed::new(Rule::post("/login", number()));
        let (log, _listening) = Log::listen();
        desk.login(&json!({"token": format!("sandbox-{code}"), "phone": PHONE})).await;
        let events = log.take_events();
        let told = "something between this process and JPush rewrites requests";
        assert!(events.iter().any(|event| event.starts_with("ERROR") && event.contains(told)), "{code}: {events:?}");
    }
}

#[tokio::test]
async fn malformed_proofs_are_an_error_once_when_they_are_most_of_the_answers() {
    for code in [9012, 1801] {
        let desk = Sandboxed::new(Rule::post("/login", number()));
        let login = async |token: String| desk.login(&json!({"token": token, "phone": PHONE})).await;
        let malformed = || format!("sandbox-{code}");
        let (log, _listening) = Log::listen();
        for _ in 0..10 {
            login("sandbox-9000".to_owned()).await;
            assert_eq!(login(malformed()).await.status(), 400, "a definite no");
        }
        assert!(log.take_events().iter().all(|event| !event.starts_with("ERROR")), "{code}: half of twenty");
        login(malformed()).await;
        let events = log.take_events();
        assert!(events[0].starts_with("ERROR") && events[0].contains("malformed"), "{code}: {events:?}");
        login(malformed()).await;
        let events = log.take_events();
        assert!(!events[0].starts_with("ERROR"), "{code}: at most once a minute: {events:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_of_one_class_does_not_hush_anothers() {
    let codes = [Class::Account, Class::Misconfigured, Class::Unknown];
    let next = std::sync::atomic::AtomicUsize::new(0);
    let verifier = Verifier::answering(move |_| {
        let class = codes[next.fetch_add(1, std::sync::atomic::Ordering::SeqCst)];
        Some(Verdict::new(CheckKind::Number, class))
    });
    let (layer, application) = (login_layer(&verifier), Application::default());
    let (log, _listening) = Log::listen();
    for class in codes {
        send(&layer, &application, post_json("/login", LOGIN)).await;
        let events = log.take_events();
        assert!(events[0].starts_with("ERROR"), "{class}: {events:?}");
    }
}

#[tokio::test]
async fn rules_that_never_matched_can_be_asked_for() {
    let verifier = Verifier::passing();
    let kind = || Field::body("/kind");
    let layer = builder(&verifier)
        .rule(Rule::post("/login", number()))
        .rule(Rule::post("/signin", number()).when(kind(), "a"))
        .rule(Rule::post("/signin", number()).when(kind(), "b"))
        .rule(Rule::any_method("/registre", number()))
        .build()
        .unwrap();
    let application = Application::default();
    let all = [
        "POST /login",
        "POST /signin when body /kind is \"a\"",
        "POST /signin when body /kind is \"b\"",
        "* /registre",
    ];
    assert_eq!(layer.unused_rules(), all);

    // An unguarded request, and a request whose rule is not known, count for no rule.
    send(&layer, &application, post_json("/health", LOGIN)).await;
    send(&layer, &application, post_json("/signin", r#"{"kind":"c","token":"t","phone":"13812345678"}"#)).await;
    assert_eq!(layer.unused_rules(), all);

    // Whatever came of it, even before its proof was read.
    let mut unread = post_json("//LOGIN/", LOGIN);
    unread.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(send(&layer, &application, unread).await.status(), 415);
    send(&layer, &application, post_json("/signin", r#"{"kind":"b","token":"t","phone":"13812345678"}"#)).await;
    assert_eq!(layer.clone().unused_rules(), [all[1], all[3]]);
    // A denied one has matched, too.
    send(&layer, &application, post_json("/signin", r#"{"kind":"a"}"#)).await;
    assert_eq!(layer.unused_rules(), [all[3]]);
}
