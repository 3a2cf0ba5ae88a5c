//! Tower's limits outside, around the layer.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::task::JoinSet;
use tower::{
    BoxError, Layer, Service, ServiceBuilder, ServiceExt,
    balance::p2c::Balance,
    buffer::Buffer,
    discover::ServiceList,
    limit::ConcurrencyLimit,
    load::{CompleteOnResponse, Constant, Load, PendingRequests},
};
use tower_jverify::{Class, JVerify, ResponseBody};

use super::{Gate, Strict, health, login};
use crate::support::{Verifier, login_layer};

type Guarded = JVerify<ConcurrencyLimit<Strict>, Verifier>;

fn guarded() -> Guarded {
    login_layer(&Verifier::passing()).layer(ConcurrencyLimit::new(Strict::default(), 1))
}

/// Many at a time through a service that is shared by a buffer, and each of them again and again.
async fn all_are_answered<S>(service: S)
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResponseBody<Full<Bytes>>>> + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError> + Send + Sync,
{
    let shared = Buffer::new(service, 8);
    let mut together = JoinSet::new();
    for n in 0..20 {
        let mut service = shared.clone();
        together.spawn(async move {
            for round in 0..3 {
                let request = if (n + round) % 2 == 0 { login() } else { health() };
                assert_eq!(service.ready().await?.call(request).await?.status(), 200);
            }
            Ok::<_, BoxError>(())
        });
    }
    while let Some(done) = together.join_next().await {
        done.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_concurrency_limit() {
    all_are_answered(ServiceBuilder::new().concurrency_limit(1).service(guarded())).await;
}

#[tokio::test(start_paused = true)]
async fn a_buffer() {
    all_are_answered(ServiceBuilder::new().buffer(1).service(guarded())).await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit() {
    all_are_answered(ServiceBuilder::new().rate_limit(5, Duration::from_secs(1)).service(guarded())).await;
}

#[tokio::test(start_paused = true)]
async fn load_shedding_and_a_timeout() {
    let stack = ServiceBuilder::new().load_shed().timeout(Duration::from_secs(5));
    all_are_answered(stack.service(guarded())).await;
}

/// Two endpoints, some requests at a time: where readiness was handed through, two of six were ever answered.
async fn balanced<L>(endpoint: impl Fn(Guarded) -> L)
where
    L: Service<Request<Full<Bytes>>, Response = Response<ResponseBody<Full<Bytes>>>, Error = Infallible>
        + Load
        + Send
        + 'static,
    L::Metric: std::fmt::Debug + Send,
    L::Future: Send,
{
    let endpoints = ServiceList::new::<Request<Full<Bytes>>>([endpoint(guarded()), endpoint(guarded())]);
    let mut balance = Balance::new(endpoints);
    for _ in 0..3 {
        let mut together = JoinSet::new();
        for n in 0..6 {
            let request = if n % 2 == 0 { login() } else { health() };
            together.spawn(balance.ready().await.unwrap().call(request));
        }
        assert_eq!(together.join_all().await.iter().filter(|answer| answer.is_ok()).count(), 6);
    }
}

#[tokio::test(start_paused = true)]
async fn balancing_by_pending_requests() {
    balanced(|service| PendingRequests::new(service, CompleteOnResponse::default())).await;
}

#[tokio::test(start_paused = true)]
async fn balancing_by_nothing() {
    balanced(|service| Constant::new(service, 0)).await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_outside_gives_everything_back() {
    let gate = Gate::closed(Class::Passed);
    let inner = ConcurrencyLimit::new(Strict::default(), 1);
    let service = ServiceBuilder::new().timeout(Duration::from_secs(1)).service(gate.layer().layer(inner));
    for _ in 0..3 {
        let error = service.clone().oneshot(login()).await.unwrap_err();
        assert!(error.is::<tower::timeout::error::Elapsed>(), "{error}");
        assert_eq!(service.clone().oneshot(health()).await.unwrap().status(), 200);
    }
    gate.open();
    assert_eq!(service.oneshot(login()).await.unwrap().status(), 200);
}
