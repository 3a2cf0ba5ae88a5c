//! A proof is checked once, for all rules, paths and channels.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::advance;
use tower::{Service, ServiceExt};
use tower_jverify::{
    Ask, CallError, Check, CheckKind, Class, DenialReason, Guards, JVerifyLayer, Rule, StorePolicy, Verdict, captcha,
    number, one_tap,
};

use super::{NeverReady, PHONE, reason};
use crate::{
    support::{Application, LOGIN, Sandboxed, Verifier, code, jpush, post_json, send},
    telemetry::{Log, metrics::Recorded},
};

fn login(token: &str) -> String {
    json!({"token": token, "phone": PHONE}).to_string()
}

/// A layer around a verifier, with default guards that no other layer shares.
fn layer(verifier: &Verifier, rules: impl IntoIterator<Item = Rule>) -> JVerifyLayer<Verifier> {
    JVerifyLayer::builder(verifier.clone()).rules(rules).build().unwrap()
}

#[tokio::test]
async fn the_second_of_two_requests_with_one_token_is_refused_without_a_call_and_its_event_names_the_first() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    let (log, _listening) = Log::listen();
    let body = json!({"token": "sandbox-once-9000", "phone": PHONE});
    assert_eq!(desk.login(&body).await.status(), 200);
    let first = desk.decision().verdicts()[0].ex_id().unwrap().to_string();
    let second = desk.login(&body).await;
    assert_eq!((second.status().as_u16(), code(&second)), (403, "proof_expired".into()));
    assert_eq!((reason(&second), desk.application.runs()), (DenialReason::Replayed, 1));
    assert_eq!(desk.asked(), [CheckKind::Number], "one call for both");
    let events = log.take_events();
    let event = events.last().unwrap();
    assert!(event.contains("reason=\"replayed\"") && event.contains(&format!("first_ex_id={first}")), "{events:?}");
}

#[tokio::test]
async fn a_proof_is_checked_once_without_a_breaker_too() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let guards = Guards::builder().without_breaker().build().unwrap();
    let builder = JVerifyLayer::builder(verifier.clone()).guards(&guards);
    let layer = builder.rule(Rule::post("/login", number())).build().unwrap();
    let login = || post_json("/login", login("token"));
    assert_eq!(send(&layer, &application, login()).await.status(), 200);
    assert_eq!(reason(&send(&layer, &application, login()).await), DenialReason::Replayed);
    assert_eq!((verifier.calls(), application.runs()), (1, 1));
}

#[tokio::test]
async fn a_sandboxs_proof_can_be_used_again_unless_it_is_flagged_once() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    for _ in 0..3 {
        assert_eq!(desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await.status(), 200);
    }
    assert_eq!(desk.asked().len(), 3);
    let once = json!({"token": "sandbox-once-9000", "phone": PHONE});
    assert_eq!(desk.login(&once).await.status(), 200);
    assert_eq!((reason(&desk.login(&once).await), desk.asked().len()), (DenialReason::Replayed, 1));
}

#[tokio::test]
async fn a_token_is_used_up_whichever_rule_channel_or_layer_it_comes_by_next() {
    let (verifier, application, guards) = (Verifier::passing(), Application::default(), Guards::new());
    let with = |rules: Vec<Rule>| JVerifyLayer::builder(verifier.clone()).guards(&guards).rules(rules).build().unwrap();
    let web = Rule::post("/web", number().web());
    let first = with(vec![Rule::post("/login", number()), Rule::post("/register", number()), web]);
    let second = with(vec![Rule::post("/other", number())]);
    assert_eq!(send(&first, &application, post_json("/login", LOGIN)).await.status(), 200);
    for (layer, path) in [(&first, "/login"), (&first, "/register"), (&first, "/web"), (&second, "/other")] {
        let response = send(layer, &application, post_json(path, LOGIN)).await;
        assert_eq!((response.status().as_u16(), reason(&response)), (403, DenialReason::Replayed), "{path}");
    }
    assert_eq!((verifier.calls(), application.runs()), (1, 1));
}

#[tokio::test]
async fn accounts_and_kinds_of_proofs_are_kept_apart() {
    let (verifier, application, guards) = (Verifier::passing(), Application::default(), Guards::new());
    let of = |account: &str, ask: Ask| {
        let layer = JVerifyLayer::builder(verifier.clone()).guards(&guards).account(account);
        layer.rule(Rule::post("/login", ask)).build().unwrap()
    };
    let body = json!({"token": "same", "phone": PHONE, "captchaContent": "same"}).to_string();
    let tap = json!({"loginToken": "same"}).to_string();
    for (layer, body) in [
        (of("one", number().into()), &body),
        (of("two", number().into()), &body),
        (of("one", captcha().into()), &body),
        (of("one", one_tap().into()), &tap),
    ] {
        assert_eq!(send(&layer, &application, post_json("/login", body.clone())).await.status(), 200);
    }
    assert_eq!(verifier.calls(), 4);
}

#[tokio::test]
async fn of_a_thousand_requests_at_once_with_one_token_one_is_asked() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let layer = layer(&verifier, [Rule::post("/login", number())]);
    let all = join_all((0..1_000).map(|_| send(&layer, &application, post_json("/login", LOGIN)))).await;
    let passed = all.iter().filter(|response| response.status() == 200).count();
    let replayed = all.iter().filter(|response| response.status() == 403).count();
    assert_eq!((passed, replayed, verifier.calls(), application.runs()), (1, 999, 1, 1));
}

#[tokio::test]
async fn a_refused_proof_stays_claimed() {
    let (verifier, application) = (Verifier::of_class(Class::Rejected), Application::default());
    let layer = layer(&verifier, [Rule::post("/login", number())]);
    assert_eq!(
        reason(&send(&layer, &application, post_json("/login", LOGIN)).await),
        DenialReason::Verdict(Class::Rejected)
    );
    assert_eq!(reason(&send(&layer, &application, post_json("/login", LOGIN)).await), DenialReason::Replayed);
    assert_eq!(verifier.calls(), 1);
}

/// Fails with the given error each time.
fn failing(
    error: fn() -> CallError,
) -> (
    Arc<AtomicUsize>,
    impl Service<Check, Response = Verdict, Error = CallError, Future: Send> + Clone + Send + Sync + 'static,
) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let verifier = tower::service_fn(move |_: Check| {
        count.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Err::<Verdict, _>(error()))
    });
    (calls, verifier)
}

#[tokio::test]
async fn what_certainly_was_not_sent_gives_the_proof_back_and_nothing_else_does() {
    let errors: [(fn() -> CallError, bool); 9] = [
        (|| CallError::no_connection("refused"), true),
        // This process has no file descriptor left.
        (|| CallError::no_connection("tcp error").with_source(std::io::Error::from_raw_os_error(24)), true),
        (CallError::no_connection_in_time, true),
        (CallError::not_ready, true),
        (CallError::overloaded, true),
        (CallError::timeout, false),
        (|| CallError::broken("reset"), false),
        (|| CallError::failed("http status 502"), false),
        (|| CallError::unreadable("not JSON"), false),
    ];
    for (error, is_given_back) in errors {
        let (calls, verifier) = failing(error);
        let application = Application::default();
        let layer = JVerifyLayer::builder(verifier).rule(Rule::post("/login", number())).build().unwrap();
        let cause = error().cause().to_owned();
        assert_eq!(send(&layer, &application, post_json("/login", LOGIN)).await.status(), 503, "{cause}");
        let second = send(&layer, &application, post_json("/login", LOGIN)).await;
        let expected = if is_given_back { (503, 2) } else { (403, 1) };
        assert_eq!((second.status().as_u16(), calls.load(Ordering::Relaxed)), expected, "{cause}");
    }
}

#[tokio::test]
async fn a_proof_that_the_client_refuses_to_send_is_given_back() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    for _ in 0..2 {
        let response = desk.login(&json!({"token": "a/../b", "phone": PHONE})).await;
        assert_eq!((response.status().as_u16(), code(&response)), (400, "proof_malformed".into()));
        assert_eq!(reason(&response), DenialReason::Verdict(Class::Invalid), "by the client, not by the reader");
    }
    assert!(desk.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn after_a_timeout_and_after_the_client_has_left_the_proof_stays_claimed() {
    let (verifier, application) = (Verifier::answering(|_| None), Application::default());
    let layer = layer(&verifier, [Rule::post("/login", number())]);
    assert_eq!(send(&layer, &application, post_json("/login", LOGIN)).await.status(), 503);
    assert_eq!(reason(&send(&layer, &application, post_json("/login", LOGIN)).await), DenialReason::Replayed);

    let leaves = login("another");
    let leaving = send(&layer, &application, post_json("/login", leaves.clone()));
    assert!(tokio::time::timeout(Duration::from_millis(10), leaving).await.is_err());
    assert_eq!(reason(&send(&layer, &application, post_json("/login", leaves)).await), DenialReason::Replayed);
    assert_eq!(verifier.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_its_check_has_started_gives_the_proof_back() {
    let guards = Guards::new();
    let never = JVerifyLayer::builder(NeverReady).guards(&guards).rule(Rule::post("/login", number())).build().unwrap();
    let application = Application::default();
    let leaving = send(&never, &application, post_json("/login", LOGIN));
    assert!(tokio::time::timeout(Duration::from_millis(10), leaving).await.is_err());
    let verifier = Verifier::passing();
    let layer = JVerifyLayer::builder(verifier.clone()).guards(&guards).rule(Rule::post("/login", number()));
    assert_eq!(send(&layer.build().unwrap(), &application, post_json("/login", LOGIN)).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_claim_lasts_as_long_as_its_proof() {
    for (ask, minutes) in [(Ask::from(number()), 15), (captcha().into(), 30), (one_tap().into(), 45)] {
        let (verifier, application) = (Verifier::passing(), Application::default());
        let layer = layer(&verifier, [Rule::post("/login", ask)]);
        // The body of a one-tap login names no phone: another than the token's would be a mismatch.
        let body = if minutes == 45 {
            json!({"loginToken": "t"})
        } else {
            json!({"token": "t", "phone": PHONE, "captchaContent": "t"})
        };
        let body = body.to_string();
        let status = async || send(&layer, &application, post_json("/login", body.clone())).await.status().as_u16();
        assert_eq!(status().await, 200);
        advance(Duration::from_secs(minutes * 60 - 1)).await;
        assert_eq!(status().await, 403, "{minutes}");
        advance(Duration::from_secs(2)).await;
        assert_eq!(status().await, 200, "{minutes}");
    }
}

#[tokio::test]
async fn all_proofs_of_a_request_are_claimed_before_the_first_is_paid_for() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let both = Rule::post("/both", captcha().then(number()));
    let layer = layer(&verifier, [Rule::post("/login", number()), both]);
    assert_eq!(send(&layer, &application, post_json("/login", login("spent"))).await.status(), 200);
    let body = |token: &str| json!({"captchaContent": "c", "token": token, "phone": PHONE}).to_string();
    let refused = send(&layer, &application, post_json("/both", body("spent"))).await;
    assert_eq!((reason(&refused), verifier.calls()), (DenialReason::Replayed, 1), "the captcha was not paid for");
    let passed = send(&layer, &application, post_json("/both", body("fresh"))).await;
    assert_eq!((passed.status().as_u16(), verifier.calls()), (200, 3), "and can be used");
}

#[tokio::test]
async fn a_request_through_two_services_of_one_layer_claims_its_proof_once() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    let service = tower::Layer::layer(&desk.layer, tower::Layer::layer(&desk.layer, desk.application.clone()));
    let response = service.oneshot(post_json("/login", login("sandbox-once-9000"))).await.unwrap();
    assert_eq!((response.status().as_u16(), desk.asked()), (200, vec![CheckKind::Number]));
}

#[tokio::test]
async fn without_the_guard_the_verifier_decides() {
    let sandbox = tower_jverify::Sandbox::new();
    let guards = Guards::builder().without_replay_guard().build().unwrap();
    let layer = JVerifyLayer::builder(jpush(&sandbox)).guards(&guards).rule(Rule::post("/login", number()));
    let (layer, application) = (layer.build().unwrap(), Application::default());
    let once = || post_json("/login", login("sandbox-once-9000"));
    assert_eq!(send(&layer, &application, once()).await.status(), 200);
    assert_eq!(reason(&send(&layer, &application, once()).await), DenialReason::Verdict(Class::Stale));
    assert_eq!(sandbox.calls().len(), 2);
}

#[tokio::test]
async fn a_full_store_lets_nothing_through_unasked_and_keeps_the_claims_that_it_has() {
    for (policy, status, calls) in [(StorePolicy::Local, 200, 3), (StorePolicy::Refuse, 503, 1)] {
        let (verifier, application) = (Verifier::passing(), Application::default());
        let guards = Guards::builder().capacity(1).store_policy(policy).build().unwrap();
        let rule = Rule::post("/login", number());
        let (layer, recorded) =
            Recorded::around(|| JVerifyLayer::builder(verifier.clone()).guards(&guards).rule(rule).build().unwrap());
        let (log, _listening) = Log::listen();
        let login = async |token: &str| send(&layer, &application, post_json("/login", login(token))).await;
        assert_eq!(login("first").await.status(), 200);
        for token in ["second", "third"] {
            let response = login(token).await;
            assert_eq!(response.status(), status, "{policy:?}");
            if status == 503 {
                assert_eq!(reason(&response), DenialReason::StoreDown);
            }
        }
        assert_eq!(verifier.calls(), calls, "{policy:?}");
        assert_eq!(reason(&login("first").await), DenialReason::Replayed, "{policy:?}");
        let alarms = log.take_events().iter().filter(|event| event.contains("store_full")).count();
        assert_eq!(alarms, usize::from(policy == StorePolicy::Local), "once a minute");
        let counted = recorded.counted();
        let of = |series: &str| counted.get(series).copied().unwrap_or_default();
        assert_eq!(of("jverify_alarms_total{kind=store_full}"), i64::from(policy == StorePolicy::Local));
        let (claims, full) =
            ("jverify_store_duration_seconds{op=claim}", "jverify_store_errors_total{op=claim,kind=full}");
        assert_eq!((of(claims), of(full)), (4, 2), "{policy:?}");
    }
    for capacity in [0, 100_000_001] {
        assert_eq!(Guards::builder().capacity(capacity).build().unwrap_err().setting(), "guards.capacity");
    }
}

#[tokio::test]
async fn a_closure_learns_which_check_a_replayed_proof_was_used_by() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let closure = Arc::clone(&heard);
    let verifier = Verifier::passing();
    let layer = JVerifyLayer::builder(verifier).rule(Rule::post("/login", number())).on_decision(move |decided| {
        let first = decided.first_ex_id().map(ToString::to_string);
        let own = decided.verdicts().first().and_then(Verdict::ex_id).map(ToString::to_string);
        closure.lock().unwrap().push((first, own));
    });
    let (layer, application) = (layer.build().unwrap(), Application::default());
    for _ in 0..2 {
        send(&layer, &application, post_json("/login", LOGIN)).await;
    }
    let heard = heard.lock().unwrap();
    let [(None, Some(own)), (Some(first), None)] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(own, first);
}
