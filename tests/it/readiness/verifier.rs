//! Tower's limits between the layer and the verifier: their refusals are overload or an outage, and nothing is lost.

use std::time::Duration;

use tokio::task::JoinSet;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt};
use tower_jverify::{Check, Class, DenialReason, Fallback, Policy, Rule, Verdict, number};

use super::{Gate, Strict, login};
use crate::support::{Application, Verifier, asking, denial, send};

/// Twenty at a time, again and again: all are verified.
async fn all_are_verified<V>(verifier: V, counter: &Verifier)
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
{
    let application = Strict::default();
    let layer = asking(verifier).rule(Rule::post("/login", number())).build().unwrap();
    let service = layer.layer(application.clone());
    for round in 1..=3 {
        let mut together = JoinSet::new();
        for _ in 0..20 {
            together.spawn(service.clone().oneshot(login()));
        }
        let answers = together.join_all().await;
        assert!(answers.iter().all(|answer| answer.as_ref().unwrap().status() == 200));
        assert_eq!((counter.calls(), application.runs()), (20 * round, 20 * round));
    }
}

#[tokio::test(start_paused = true)]
async fn limits_that_make_a_check_wait() {
    let verifier = Verifier::passing();
    all_are_verified(ServiceBuilder::new().concurrency_limit(1).service(verifier.clone()), &verifier).await;
    let verifier = Verifier::passing();
    all_are_verified(ServiceBuilder::new().buffer(1).service(verifier.clone()), &verifier).await;
    let verifier = Verifier::passing();
    let limited = ServiceBuilder::new().buffer(1).rate_limit(20, Duration::from_secs(1)).service(verifier.clone());
    all_are_verified(limited, &verifier).await;
    let verifier = Verifier::passing();
    let all = ServiceBuilder::new()
        .load_shed()
        .buffer(32)
        .concurrency_limit(20)
        .timeout(Duration::from_secs(1))
        .service(verifier.clone());
    all_are_verified(all, &verifier).await;
}

#[tokio::test(start_paused = true)]
async fn load_that_they_shed_is_not_an_outage_and_their_permits_come_back() {
    let gate = Gate::closed(Class::Passed);
    let shedding = ServiceBuilder::new().load_shed().concurrency_limit(1).service(gate.clone());
    // Clients can bring it about, so even a policy that opens for outages does not open for it.
    let open = Policy::default().on(Class::Unavailable, Fallback::Open);
    let layer = asking(shedding).rule(Rule::post("/login", number())).policy(open).build().unwrap();
    let application = Application::default();

    let first = {
        let (layer, application) = (layer.clone(), application.clone());
        tokio::spawn(async move { send(&layer, &application, login()).await })
    };
    gate.asked(1).await;
    let shed = send(&layer, &application, login()).await;
    assert_eq!(denial(&shed).reason(), DenialReason::Overloaded);
    assert_eq!(application.runs(), 0);

    gate.open();
    assert_eq!(first.await.unwrap().status(), 200);
    assert_eq!(send(&layer, &application, login()).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_before_the_deadline_is_an_outage() {
    let verifier = Verifier::silent();
    let limited = ServiceBuilder::new().concurrency_limit(1).timeout(Duration::from_secs(1)).service(verifier.clone());
    let layer = asking(limited).rule(Rule::post("/login", number())).build().unwrap();
    let application = Application::default();
    for n in 1..=3 {
        let response = send(&layer, &application, login()).await;
        assert_eq!(denial(&response).reason(), DenialReason::Verdict(Class::Unavailable));
        assert_eq!((verifier.calls(), application.runs()), (n, 0), "a check that was sent is not sent again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_never_gets_its_turn_is_never_sent() {
    let gate = Gate::closed(Class::Passed);
    let limited = ServiceBuilder::new().concurrency_limit(1).service(gate.clone());
    let layer = asking(limited)
        .rule(Rule::post("/login", number()))
        .rule(Rule::post("/patient", number()).deadline(Duration::from_secs(60)))
        .build()
        .unwrap();
    let application = Application::default();
    let patient = {
        let (layer, application) = (layer.clone(), application.clone());
        let request = crate::support::post_json("/patient", crate::support::LOGIN);
        tokio::spawn(async move { send(&layer, &application, request).await })
    };
    gate.asked(1).await;
    for _ in 0..3 {
        assert_eq!(send(&layer, &application, login()).await.status(), 503);
    }
    gate.open();
    assert_eq!(patient.await.unwrap().status(), 200);
    assert_eq!(send(&layer, &application, login()).await.status(), 200);
    assert_eq!(gate.started(), 2, "those that were given up were never sent");
}
