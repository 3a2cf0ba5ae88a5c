//! The number of checks in flight is bounded, and no request waits for a place.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::{sync::Barrier, task::JoinHandle};
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_jverify::{Denial, DenialReason, JVerifyLayer, Rule, number};

use crate::support::{Application, LOGIN, Verifier, builder, code, denial, post_json, send};

fn layer(verifier: &Verifier, in_flight: usize) -> JVerifyLayer<Verifier> {
    builder(verifier).rule(Rule::post("/login", number())).in_flight(in_flight).build().unwrap()
}

/// Spawns a login, and returns once it is being verified.
async fn hanging(layer: &JVerifyLayer<Verifier>, verifier: &Verifier, application: &Application) -> JoinHandle<()> {
    let before = verifier.calls();
    let (layer, application) = (layer.clone(), application.clone());
    let login = tokio::spawn(async move { drop(send(&layer, &application, post_json("/login", LOGIN)).await) });
    while verifier.calls() == before {
        tokio::task::yield_now().await;
    }
    login
}

fn is_overloaded(response: &Response<Bytes>) -> bool {
    denial(response).reason() == DenialReason::Overloaded
}

#[tokio::test(start_paused = true)]
async fn the_next_check_beyond_the_bulkhead_is_refused_at_once_and_without_a_call() {
    let (verifier, application) = (Verifier::silent(), Application::default());
    let layer = layer(&verifier, 2);
    let one = hanging(&layer, &verifier, &application).await;
    let two = hanging(&layer, &verifier, &application).await;

    let before = tokio::time::Instant::now();
    let response = send(&layer, &application, post_json("/login", LOGIN)).await;
    assert_eq!(before.elapsed().as_millis(), 0, "it waited");
    assert_eq!((response.status().as_u16(), code(&response).as_str()), (503, "verification_unavailable"));
    assert_eq!(response.headers()["retry-after"], "1");
    assert!(is_overloaded(&response));
    assert_eq!((verifier.calls(), application.runs()), (2, 0));

    // A client that goes away leaves its check, which keeps its place.
    one.abort();
    let _ = one.await;
    assert!(is_overloaded(&send(&layer, &application, post_json("/login", LOGIN)).await));

    // A deadline gives it back.
    two.await.unwrap();
    layer.drained().await;
    hanging(&layer, &verifier, &application).await.abort();
}

#[tokio::test]
async fn places_are_given_back_after_a_pass_and_after_a_denial() {
    let application = Application::default();
    for verifier in [Verifier::passing(), Verifier::of_class(tower_jverify::Class::Rejected)] {
        let layer = layer(&verifier, 1);
        for n in 1..=5 {
            send(&layer, &application, post_json("/login", LOGIN)).await;
            assert_eq!(verifier.calls(), n);
        }
    }
}

#[tokio::test]
async fn the_bulkhead_is_one_for_all_services_of_a_layer_and_another_for_a_rule_that_sets_it() {
    let (verifier, application) = (Verifier::silent(), Application::default());
    let layer = builder(&verifier)
        .rule(Rule::post("/login", number()))
        .rule(Rule::post("/shared", number()))
        .rule(Rule::post("/own", number()).in_flight(1))
        .in_flight(1)
        .build()
        .unwrap();
    let login = hanging(&layer, &verifier, &application).await;
    // `send` wraps the application each time, as axum does for every route.
    assert!(is_overloaded(&send(&layer, &application, post_json("/login", LOGIN)).await));
    assert!(is_overloaded(&send(&layer.clone(), &application, post_json("/shared", LOGIN)).await));
    assert_eq!(verifier.calls(), 1);

    let own = {
        let (layer, application) = (layer.clone(), application.clone());
        tokio::spawn(async move { drop(send(&layer, &application, post_json("/own", LOGIN)).await) })
    };
    while verifier.calls() == 1 {
        tokio::task::yield_now().await;
    }
    assert!(is_overloaded(&send(&layer, &application, post_json("/own", LOGIN)).await));
    login.abort();
    own.abort();
}

#[tokio::test]
async fn a_denial_that_costs_no_call_needs_no_place() {
    let (verifier, application) = (Verifier::silent(), Application::default());
    let layer = layer(&verifier, 1);
    let login = hanging(&layer, &verifier, &application).await;
    assert_eq!(send(&layer, &application, post_json("/login", "{}")).await.status(), 400);
    login.abort();
}

/// CASES 54.
#[tokio::test]
async fn a_silent_jpush_takes_nothing_from_unmatched_traffic() {
    const CAPACITY: usize = 2;
    let verifier = Verifier::silent();
    // An application that answers only after all of its places are taken.
    let together = Arc::new(Barrier::new(CAPACITY));
    let inner = ServiceBuilder::new().concurrency_limit(CAPACITY).service(tower::service_fn(move |_: Request<_>| {
        let together = Arc::clone(&together);
        async move {
            together.wait().await;
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    }));
    let service = layer(&verifier, 8).layer(inner);
    let logins: Vec<_> = (0..8).map(|_| tokio::spawn(service.clone().oneshot(post_json("/login", LOGIN)))).collect();
    while verifier.calls() < 8 {
        tokio::task::yield_now().await;
    }

    let mut health = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        health.spawn(service.clone().oneshot(post_json("/health", "{}")));
    }
    let answers = health.join_all().await;
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().status() == 200));

    let refused = service.oneshot(post_json("/login", LOGIN)).await.unwrap();
    assert_eq!(refused.extensions().get::<Denial>().unwrap().reason(), DenialReason::Overloaded);
    for login in logins {
        assert!(!login.is_finished());
        login.abort();
    }
}
