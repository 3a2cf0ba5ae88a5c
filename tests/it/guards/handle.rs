//! The handle survives a reload.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tower_jverify::{Breaker, Class, DenialReason, Guards, JVerifyLayer, Rule, number};

use super::{PHONE, reason};
use crate::{
    support::{Application, LOGIN, Verifier, post_json, send},
    telemetry::Log,
};

#[tokio::test]
async fn claims_and_breakers_survive_a_reload() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let build = || JVerifyLayer::builder(verifier.clone()).rule(Rule::post("/login", number())).build().unwrap();
    let layer = build();
    assert_eq!(send(&layer, &application, post_json("/login", LOGIN)).await.status(), 200);
    layer.reload(build());
    assert_eq!(reason(&send(&layer, &application, post_json("/login", LOGIN)).await), DenialReason::Replayed);
    // Other guards, where the new layer sets them.
    let new = JVerifyLayer::builder(verifier.clone()).guards(&Guards::new()).rule(Rule::post("/login", number()));
    layer.reload(new.build().unwrap());
    assert_eq!(send(&layer, &application, post_json("/login", LOGIN)).await.status(), 200);
    assert_eq!(verifier.calls(), 2);
}

#[tokio::test]
async fn layers_without_a_common_handle_share_nothing() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    for _ in 0..2 {
        let layer = JVerifyLayer::builder(verifier.clone()).rule(Rule::post("/login", number())).build().unwrap();
        assert_eq!(send(&layer, &application, post_json("/login", LOGIN)).await.status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_the_abandoned_checks_of_all_layers() {
    let (verifier, application, guards) = (Verifier::answering(|_| None), Application::default(), Guards::new());
    let build = |path| {
        JVerifyLayer::builder(verifier.clone()).guards(&guards).rule(Rule::post(path, number())).build().unwrap()
    };
    let layers = [build("/a"), build("/b")];
    for (layer, path) in layers.iter().zip(["/a", "/b"]) {
        let body = json!({"token": path, "phone": PHONE}).to_string();
        let leaving = send(layer, &application, post_json(path, body));
        assert!(tokio::time::timeout(Duration::from_millis(10), leaving).await.is_err());
    }
    assert_eq!(guards.snapshot().abandoned_checks(), 2);
    guards.drained().await;
    assert_eq!(guards.snapshot().abandoned_checks(), 0);
}

#[tokio::test]
async fn a_snapshot_names_accounts_and_endpoints() {
    let guards = Guards::builder().breaker(Breaker::new()).build().unwrap();
    let layer = JVerifyLayer::builder(Verifier::passing()).guards(&guards).account("bank-a");
    let _layer = layer.rule(Rule::post("/login", number())).build().unwrap();
    let snapshot = guards.snapshot();
    let shown: Vec<_> = snapshot.breakers().map(|breaker| (breaker.account(), breaker.endpoint())).collect();
    let endpoints = ["number_app", "number_web", "captcha", "one_tap", "risk"];
    assert_eq!(shown, endpoints.map(|endpoint| ("bank-a", endpoint)));
}

#[tokio::test(start_paused = true)]
async fn places_and_bytes_of_bodies_are_counted_over_all_layers_of_a_handle() {
    let (verifier, application, guards) = (Verifier::silent(), Application::default(), Guards::new());
    let build = |rule: Rule| {
        let layer = JVerifyLayer::builder(verifier.clone()).guards(&guards).in_flight(2).buffered(16 * 1024);
        layer.body_limit(4 * 1024).rule(rule).build().unwrap()
    };
    let (one, two) = (build(Rule::post("/one", number())), build(Rule::post("/two", number())));
    let own = build(Rule::post("/own", number()).in_flight(1).buffered(8 * 1024));
    let body = |token: &str| json!({"token": token, "phone": PHONE}).to_string();
    let mut logins = JoinSet::new();
    let begin = async |logins: &mut JoinSet<()>, layer: &JVerifyLayer<Verifier>, path: &str, token: &str| {
        let (layer, application, before) = (layer.clone(), application.clone(), verifier.calls());
        let request = post_json(path, body(token));
        logins.spawn(async move { drop(send(&layer, &application, request).await) });
        while verifier.calls() == before {
            tokio::task::yield_now().await;
        }
    };
    begin(&mut logins, &one, "/one", "a").await;
    begin(&mut logins, &two, "/two", "b").await;
    let snapshot = guards.snapshot();
    assert_eq!((snapshot.in_flight(), snapshot.entries()), (2, 2));
    assert_eq!(snapshot.buffered_bytes(), 2 * body("a").len());
    for (layer, path) in [(&one, "/one"), (&two, "/two")] {
        let refused = send(layer, &application, post_json(path, body("c"))).await;
        assert_eq!(reason(&refused), DenialReason::Overloaded, "{path}");
    }
    begin(&mut logins, &own, "/own", "d").await;
    assert_eq!((guards.snapshot().in_flight(), guards.snapshot().buffered_bytes()), (3, 3 * body("a").len()));
    logins.shutdown().await;
    guards.drained().await;
    assert_eq!((guards.snapshot().in_flight(), guards.snapshot().buffered_bytes()), (0, 0));
}

#[tokio::test]
async fn an_alarm_is_raised_once_for_all_layers_of_a_handle() {
    let (log, _listening) = Log::listen();
    let (application, guards) = (Application::default(), Guards::new());
    for path in ["/one", "/two"] {
        let layer = JVerifyLayer::builder(Verifier::of_class(Class::Account)).guards(&guards);
        let layer = layer.rule(Rule::post(path, number())).build().unwrap();
        let body = json!({"token": path, "phone": PHONE}).to_string();
        assert_eq!(send(&layer, &application, post_json(path, body)).await.status(), 503);
    }
    assert_eq!(log.take_events().iter().filter(|event| event.starts_with("ERROR")).count(), 1);
}
