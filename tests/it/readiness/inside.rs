//! Tower's limits inside, around the application: every request gets its turn.

use std::time::Duration;

use tokio::task::JoinSet;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt};
use tower_jverify::{Class, RequestBody};

use super::{Gate, Strict, health, login};
use crate::support::{Verifier, login_layer};

type Request = http::Request<RequestBody<http_body_util::Full<bytes::Bytes>>>;

/// Used in all the ways that Tower's users use a service; every request is answered.
async fn all_are_answered<S, RB>(inner: S)
where
    S: Service<Request, Response = http::Response<RB>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError> + Send,
    RB: Send + 'static,
{
    let service = login_layer(&Verifier::passing()).layer(inner);
    let mut together = JoinSet::new();
    for n in 0..20 {
        let mut service = service.clone();
        together.spawn(async move {
            // Kept and used again; cloned for each; in one shot.
            for round in 0..3 {
                let request = if (n + round) % 2 == 0 { login() } else { health() };
                let response = match n % 3 {
                    0 => service.ready().await.map_err(Into::into)?.call(request).await,
                    1 => service.clone().oneshot(request).await,
                    _ => service.call(request).await,
                };
                assert_eq!(response.map_err(Into::into)?.status(), 200);
            }
            Ok::<_, BoxError>(())
        });
    }
    while let Some(done) = together.join_next().await {
        done.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_concurrency_limit_of_one() {
    all_are_answered(ServiceBuilder::new().concurrency_limit(1).service(Strict::default())).await;
}

#[tokio::test(start_paused = true)]
async fn a_buffer_of_one() {
    all_are_answered(ServiceBuilder::new().buffer(1).concurrency_limit(1).service(Strict::default())).await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit() {
    all_are_answered(
        ServiceBuilder::new().buffer(1).rate_limit(1, Duration::from_millis(100)).service(Strict::default()),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout() {
    all_are_answered(ServiceBuilder::new().timeout(Duration::from_secs(1)).service(Strict::default())).await;
}

/// Load shedding inside sheds for the application's sake, and never for JPush's.
#[tokio::test(start_paused = true)]
async fn load_shedding_counts_the_applications_requests_and_not_those_in_verification() {
    let gate = Gate::closed(Class::Passed);
    let inner = ServiceBuilder::new().load_shed().concurrency_limit(1).service(Strict::default());
    let service = gate.layer().layer(inner);
    let logins: Vec<_> = (0..5).map(|_| tokio::spawn(service.clone().oneshot(login()))).collect();
    gate.asked(5).await;
    for _ in 0..5 {
        assert_eq!(service.clone().oneshot(health()).await.unwrap().status(), 200);
    }
    gate.open();
    for login in logins {
        assert_eq!(login.await.unwrap().unwrap().status(), 200);
    }
}

/// The application's timeout begins with the application.
#[tokio::test(start_paused = true)]
async fn a_timeout_inside_does_not_count_the_time_of_verification() {
    let gate = Gate::closed(Class::Passed);
    let inner = ServiceBuilder::new().timeout(Duration::from_secs(1)).service(Strict::default());
    let request = tokio::spawn(gate.layer().layer(inner).oneshot(login()));
    gate.asked(1).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    gate.open();
    assert_eq!(request.await.unwrap().unwrap().status(), 200);
}
