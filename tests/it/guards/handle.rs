//! The handle outlives a build of a layer.

use std::time::Duration;

use serde_json::json;
use tower_jverify::{Breaker, DenialReason, Guards, JVerifyLayer, Rule, number};

use super::{PHONE, reason};
use crate::support::{Application, LOGIN, Verifier, post_json, send};

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
