//! One deadline for all checks of a request.

use std::{
    convert::Infallible,
    future::pending,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tower::Service;
use tower_jverify::{Check, CheckKind, Class, DenialReason, Rule, Verdict, captcha, number};

use crate::support::{Application, LOGIN, Verifier, asking, builder, denial, post_json, send};

const BOTH: &str = r#"{"captchaContent":"c","token":"t","phone":"13812345678"}"#;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[tokio::test(start_paused = true)]
async fn a_jpush_that_hangs_is_given_up_at_the_deadline() {
    for (rule, deadline) in [
        (Rule::post("/login", number()), secs(5)),
        (Rule::post("/login", number()).deadline(secs(2)), secs(2)),
        (Rule::post("/login", number()).deadline(Duration::from_millis(1_001)), Duration::from_millis(1_001)),
    ] {
        let (verifier, application) = (Verifier::silent(), Application::default());
        let layer = builder(&verifier).rule(rule).build().unwrap();
        let began = Instant::now();
        let response = send(&layer, &application, post_json("/login", LOGIN)).await;
        assert_eq!(began.elapsed(), deadline);
        assert_eq!(response.status(), 503);
        assert_eq!(denial(&response).reason(), DenialReason::Verdict(Class::Unavailable));
        assert_eq!((verifier.calls(), application.runs()), (1, 0));
    }
}

/// Never answers, and panics when it is dropped.
struct Bomb;

impl Future for Bomb {
    type Output = Result<Verdict, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Pending
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the verifier panics when dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_when_the_deadline_drops_it_is_a_refusal_and_its_place_is_free() {
    let layer = asking(tower::service_fn(|_: Check| Bomb)).rule(Rule::post("/login", number()));
    let layer = layer.in_flight(1).build().unwrap();
    for _ in 0..2 {
        let application = Application::default();
        let response = send(&layer, &application, post_json("/login", LOGIN)).await;
        assert_eq!(denial(&response).reason(), DenialReason::Verdict(Class::Unavailable));
        assert_eq!(application.runs(), 0);
    }
}

/// Passes each check after a while.
fn taking(
    time: Duration,
) -> impl Service<Check, Response = Verdict, Error = Infallible, Future: Send> + Clone + Send + Sync {
    tower::service_fn(move |check: Check| async move {
        sleep(time).await;
        Ok(Verdict::new(check.kind(), Class::Passed))
    })
}

#[tokio::test(start_paused = true)]
async fn two_checks_share_the_deadline_and_the_second_does_not_start_with_less_than_a_second_left() {
    for (each, asked, passes) in [
        (2_499, 2, true),
        (2_501, 2, false),
        (4_000, 2, false),
        (4_001, 1, false),
        (4_999, 1, false),
        (5_001, 1, false),
    ] {
        let application = Application::default();
        let counted = Verifier::passing();
        let (mut memory, slow) = (counted.clone(), taking(Duration::from_millis(each)));
        let verifier = tower::service_fn(move |check: Check| {
            drop(memory.call(check.clone()));
            let mut slow = slow.clone();
            async move { slow.call(check).await }
        });
        let layer = asking(verifier).rule(Rule::post("/login", captcha().then(number()))).build().unwrap();
        let began = Instant::now();
        let response = send(&layer, &application, post_json("/login", BOTH)).await;
        assert_eq!(response.status(), if passes { 200 } else { 503 }, "{each} ms");
        assert_eq!((counted.calls(), application.runs()), (asked, usize::from(passes)), "{each} ms");
        assert!(began.elapsed() <= secs(5), "{each} ms: {:?}", began.elapsed());
    }
}

/// A verifier that is never ready.
#[derive(Clone)]
struct NeverReady;

impl Service<Check> for NeverReady {
    type Response = Verdict;
    type Error = Infallible;
    type Future = std::future::Pending<Result<Verdict, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn call(&mut self, _: Check) -> Self::Future {
        panic!("called without having been ready");
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_verifier_to_be_ready_is_within_the_deadline() {
    let application = Application::default();
    let layer = asking(NeverReady).rule(Rule::post("/login", number())).in_flight(1).build().unwrap();
    for _ in 0..2 {
        let began = Instant::now();
        let response = send(&layer, &application, post_json("/login", LOGIN)).await;
        assert_eq!(began.elapsed(), secs(5));
        assert_eq!(denial(&response).reason(), DenialReason::Verdict(Class::Unavailable));
    }
    assert_eq!(application.runs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_risk_query_without_time_left_is_an_unknown_risk() {
    let application = Application::default();
    let verifier = tower::service_fn(|check: Check| async move {
        if check.kind() == CheckKind::Risk {
            pending::<()>().await;
        }
        Ok::<_, Infallible>(Verdict::new(check.kind(), Class::Passed))
    });
    let layer = asking(verifier).rule(Rule::post("/login", number().with_risk())).build().unwrap();
    let began = Instant::now();
    assert_eq!(send(&layer, &application, post_json("/login", LOGIN)).await.status(), 200);
    assert_eq!(began.elapsed(), secs(5));
    assert_eq!(application.header("x-jverify-risk-level").as_deref(), Some("unknown"));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_not_for_the_application() {
    let verifier = Verifier::passing();
    let layer = builder(&verifier).rule(Rule::post("/login", number())).build().unwrap();
    let service = tower::Layer::layer(
        &layer,
        tower::service_fn(|_: http::Request<_>| async {
            sleep(secs(60)).await;
            Ok::<_, Infallible>(http::Response::new(http_body_util::Full::<bytes::Bytes>::default()))
        }),
    );
    let response = tower::ServiceExt::oneshot(service, post_json("/login", LOGIN)).await.unwrap();
    assert_eq!(response.status(), 200);
}
