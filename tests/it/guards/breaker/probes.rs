//! Probes, checks that outlive their clients, and the events of a breaker.

use std::time::Duration;

use serde_json::json;
use tokio::time::advance;
use tower_jverify::{
    Breaker, BreakerState, ClientIp, DenialReason, Guards, JVerifyLayer, Rule, Sandbox, number, sandbox::Fault,
};

use crate::guards::{NeverReady, PHONE, reason};
use crate::{
    support::{Application, Sandboxed, jpush, post_json, send},
    telemetry::Log,
};

#[tokio::test(start_paused = true)]
async fn a_probe_whose_client_leaves_still_decides() {
    let guards = Guards::builder().breaker(Breaker::new().consecutive(1)).build().unwrap();
    let sandbox = Sandbox::new();
    let layer = JVerifyLayer::builder(jpush(&sandbox)).guards(&guards).rule(Rule::post("/login", number()));
    let (layer, application) = (layer.build().unwrap(), Application::default());
    let login = |token: &str| {
        let body = json!({"token": token, "phone": PHONE}).to_string();
        send(&layer, &application, post_json("/login", body))
    };
    assert_eq!(login("sandbox-reset-9000").await.status(), 503);
    advance(Duration::from_secs(13)).await;
    let probe = login("sandbox-delay-2000-9000");
    assert!(tokio::time::timeout(Duration::from_millis(50), probe).await.is_err());
    assert_eq!(reason(&login("sandbox-9000#1").await), DenialReason::BreakerOpen, "the probe goes on");
    advance(Duration::from_secs(3)).await;
    guards.drained().await;
    assert_eq!(login("sandbox-9000#2").await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn the_check_of_a_client_that_has_left_counts_when_it_ends_and_holds_its_place_until_then() {
    let ends = [(Fault::Hang, false), (Fault::Delay(Duration::from_secs(2)), true), (Fault::Reset, false)];
    for (fault, is_answered) in ends {
        let what = format!("{fault:?}");
        let (guards, sandbox) = (Guards::new(), Sandbox::new());
        let rule = Rule::post("/login", number()).client_ip(ClientIp::forwarded(1));
        let layer = JVerifyLayer::builder(jpush(&sandbox)).guards(&guards).rule(rule).in_flight(10).build().unwrap();
        let application = Application::default();
        let login = |n: usize| {
            let body = json!({"token": format!("sandbox-9000#{n}"), "phone": PHONE}).to_string();
            let mut request = post_json("/login", body);
            request.headers_mut().insert("x-forwarded-for", format!("192.0.2.{n}").parse().unwrap());
            send(&layer, &application, request)
        };
        sandbox.fault(fault.clone());
        let is_open = || guards.snapshot().breakers().any(BreakerState::is_open);
        let mut left = 0;
        for n in 0..10 {
            // What is reset is answered before the client leaves.
            left += usize::from(tokio::time::timeout(Duration::from_millis(50), login(n)).await.is_err());
            if left > 0 {
                assert!(!is_open(), "{what}: nothing counts when a client leaves");
            }
        }
        if left > 0 {
            assert_eq!((left, guards.snapshot().abandoned_checks()), (10, 10), "{what}");
            assert_eq!(reason(&login(11).await), DenialReason::Overloaded, "{what}: the places are busy");
        }
        guards.drained().await;
        assert_eq!((guards.snapshot().abandoned_checks(), is_open()), (0, !is_answered), "{what}");
        sandbox.fault(None);
        let next = login(12).await;
        if is_answered {
            assert_eq!(next.status(), 200, "{what}");
        } else {
            assert_eq!(reason(&next), DenialReason::BreakerOpen, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_before_it_is_asked_gives_its_slot_back() {
    let guards = Guards::builder().breaker(Breaker::new().consecutive(1)).build().unwrap();
    let (sandbox, application) = (Sandbox::new(), Application::default());
    let rule = || Rule::post("/login", number());
    let never = JVerifyLayer::builder(NeverReady).guards(&guards).account("one").rule(rule()).build().unwrap();
    let layer = JVerifyLayer::builder(jpush(&sandbox)).guards(&guards).account("one").rule(rule()).build().unwrap();
    let body = |token: &str| post_json("/login", json!({"token": token, "phone": PHONE}).to_string());
    assert_eq!(send(&layer, &application, body("sandbox-reset-9000")).await.status(), 503);
    advance(Duration::from_secs(13)).await;
    let probe = send(&never, &application, body("sandbox-9000#1"));
    assert!(tokio::time::timeout(Duration::from_millis(50), probe).await.is_err());
    assert_eq!(send(&layer, &application, body("sandbox-9000#1")).await.status(), 200, "the next request is the probe");
}

#[tokio::test]
async fn each_change_is_one_event() {
    let (log, _listening) = Log::listen();
    let desk = Sandboxed::noticing(Rule::post("/login", number()));
    log.take_events();
    desk.login(&json!({"token": "sandbox-reset-9000", "phone": PHONE})).await;
    for _ in 0..3 {
        desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await;
    }
    let events = log.take_events();
    let changes: Vec<_> = events.iter().filter(|event| event.contains("the breaker is")).collect();
    assert_eq!(changes.len(), 1, "{events:?}");
    assert!(changes[0].starts_with("WARN") && changes[0].contains("number_app"), "{changes:?}");
}
