//! The application waits for a limited time. Later results are only recorded.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tower::{Layer, ServiceExt, service_fn};
use tower_jverify::{
    Check, CheckKind, Class, Decision, Guards, JVerifyBuilder, JVerifyLayer, Mode, RequestBody, Rule, Verdict, captcha,
    number,
};

use super::{Records, decision, watched, would_be_denied};
use crate::support::{Guarded, LOGIN, Verifier, builder, post_json};

const BOTH: &str = r#"{"captchaContent":"c","token":"t","phone":"13812345678"}"#;

/// A verifier that takes this long for each check, and the kinds that it was asked.
#[derive(Clone)]
struct Slow {
    memory: Verifier,
    takes: Duration,
}

impl tower::Service<Check> for Slow {
    type Response = Verdict;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Verdict, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, check: Check) -> Self::Future {
        let (answer, takes) = (self.memory.call(check), self.takes);
        Box::pin(async move {
            sleep(takes).await;
            answer.await
        })
    }
}

/// A layer around a verifier that takes this long, with its memory.
fn slow(
    takes: Duration,
    set: impl FnOnce(JVerifyBuilder<Slow>) -> JVerifyBuilder<Slow>,
) -> (JVerifyLayer<Slow>, Verifier, Records) {
    let (memory, records) = (Verifier::passing(), Records::default());
    let guards = Guards::builder().without_client_limits().build().unwrap();
    let layer = JVerifyLayer::builder(Slow { memory: memory.clone(), takes }).guards(&guards);
    (set(layer).on_decision(records.listen()).build().unwrap(), memory, records)
}

/// Sends a request to an application that works for this long. Returns the reason in the header, and when it ran.
async fn send(layer: &JVerifyLayer<Slow>, works: Duration, body: &'static str) -> (String, Duration) {
    let began = Instant::now();
    let application = service_fn(move |request: Request<RequestBody<Full<Bytes>>>| async move {
        let ran = began.elapsed();
        let (parts, body) = request.into_parts();
        let reason = parts.headers["x-jverify-reason"].to_str().unwrap().to_owned();
        assert_eq!(parts.headers["x-jverify-mode"], "shadow");
        assert_eq!(parts.extensions.get::<Decision>().unwrap().is_verified(), reason == "verified");
        let length = body.collect().await.unwrap().to_bytes().len();
        sleep(works).await;
        let mut response = Response::new(Full::<Bytes>::default());
        response.extensions_mut().insert((reason, ran, length));
        Ok::<_, Infallible>(response)
    });
    let response = layer.layer(application).oneshot(post_json("/login", body)).await.unwrap();
    let (reason, ran, length) = response.extensions().get::<(String, Duration, usize)>().cloned().expect("it passes");
    assert_eq!(length, body.len());
    (reason, ran)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn the_application_runs_after_the_shadow_deadline_and_the_judgement_is_finished_for_the_record() {
    let (layer, verifier, records) = slow(seconds(3), |it| it.rule(watched()));
    let (reason, ran) = send(&layer, Duration::ZERO, LOGIN).await;
    assert_eq!((reason.as_str(), ran.as_millis() / 10), ("unavailable", 150));
    assert!(records.take().is_empty(), "the record waits for the judgement");
    layer.drained().await;
    assert_eq!(records.take(), ["shadow allow verified late"]);
    assert_eq!(verifier.calls(), 1);

    // In time there is one record at once.
    let (layer, _, records) = slow(seconds(1), |it| it.rule(watched()));
    assert_eq!(send(&layer, Duration::ZERO, LOGIN).await.0, "verified");
    assert_eq!(records.take(), ["shadow allow verified"]);
    layer.drained().await;
    assert!(records.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_a_setting() {
    let (layer, _, _) = slow(seconds(3), |it| it.rule(watched()).shadow_deadline(Duration::from_millis(200)));
    let (reason, ran) = send(&layer, Duration::ZERO, LOGIN).await;
    assert_eq!((reason.as_str(), ran.as_millis() / 10), ("unavailable", 20));
    let (layer, _, _) = slow(seconds(3), |it| it.rule(watched().shadow_deadline(seconds(4))));
    assert_eq!(send(&layer, Duration::ZERO, LOGIN).await.0, "verified");
}

#[tokio::test(start_paused = true)]
async fn the_next_checks_are_asked_within_the_layers_deadline() {
    let rule = || Rule::post("/login", captcha().then(number())).mode(Mode::Shadow);
    // 5 s: the number check starts with 2 s left.
    let (layer, verifier, records) = slow(seconds(2), |it| it.rule(rule()));
    assert_eq!(send(&layer, Duration::ZERO, BOTH).await.0, "unavailable");
    layer.drained().await;
    assert_eq!(verifier.kinds(), [CheckKind::Captcha, CheckKind::Number]);
    assert_eq!(records.take(), ["shadow allow verified late"]);
    // With less than 1 s left it does not start.
    let (layer, verifier, records) = slow(Duration::from_millis(4_500), |it| it.rule(rule()));
    assert_eq!(send(&layer, Duration::ZERO, BOTH).await.0, "unavailable");
    layer.drained().await;
    assert_eq!(verifier.kinds(), [CheckKind::Captcha]);
    assert_eq!(records.take(), ["shadow would-deny unavailable late"]);
}

#[tokio::test(start_paused = true)]
async fn if_the_client_leaves_only_the_check_that_has_started_is_finished() {
    for (leaves_after, works) in [(1, 10), (2, 10)] {
        let rule = Rule::post("/login", captcha().then(number())).mode(Mode::Shadow);
        let (layer, verifier, records) = slow(Duration::from_millis(2_500), |it| it.rule(rule));
        let left = tokio::time::timeout(seconds(leaves_after), send(&layer, seconds(works), BOTH)).await;
        assert!(left.is_err());
        layer.drained().await;
        assert_eq!(verifier.kinds(), [CheckKind::Captcha], "left after {leaves_after} s");
        assert_eq!(records.take(), ["shadow abandoned -"], "left after {leaves_after} s");
    }
    // A client that has its answer has not left.
    let rule = Rule::post("/login", captcha().then(number())).mode(Mode::Shadow);
    let (layer, verifier, records) = slow(seconds(2), |it| it.rule(rule));
    assert_eq!(send(&layer, Duration::ZERO, BOTH).await.0, "unavailable");
    layer.drained().await;
    assert_eq!((verifier.calls(), records.take()), (2, vec!["shadow allow verified late".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn the_place_and_the_claim_are_held_until_the_judgement_is_finished() {
    let (layer, verifier, records) = slow(seconds(3), |it| it.rule(watched()).in_flight(1));
    assert_eq!(send(&layer, Duration::ZERO, LOGIN).await.0, "unavailable");
    let other = r#"{"token":"another","phone":"13812345678"}"#;
    assert_eq!(send(&layer, Duration::ZERO, other).await.0, "overloaded");
    assert_eq!(send(&layer, Duration::ZERO, LOGIN).await.0, "replayed");
    layer.drained().await;
    assert_eq!(send(&layer, Duration::ZERO, LOGIN).await.0, "replayed", "the claim stays");
    assert_eq!(send(&layer, Duration::ZERO, other).await.0, "unavailable", "the place is free again");
    layer.drained().await;
    assert_eq!(verifier.calls(), 2);
    assert_eq!(records.take().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_verifier_that_never_answers_is_recorded_at_the_layers_deadline() {
    let (layer, verifier, records) = slow(seconds(3_600), |it| it.rule(watched()));
    assert_eq!(send(&layer, Duration::ZERO, LOGIN).await.0, "unavailable");
    let began = Instant::now();
    layer.drained().await;
    assert_eq!(began.elapsed().as_millis() / 100, 35);
    assert_eq!((verifier.calls(), records.take()), (1, vec!["shadow would-deny unavailable late".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_passes_at_the_shadow_deadline_with_what_follows() {
    let records = Records::default();
    let shadow = super::guarded(Class::Passed, |it| it.rule(watched()).on_decision(records.listen()));
    let ran = Arc::new(Notify::new());
    let started = Arc::clone(&ran);
    let (first, second) = LOGIN.split_at(10);
    let frames = futures_util::stream::unfold(0, move |at| {
        let ran = Arc::clone(&ran);
        async move {
            let frame = match at {
                0 => first,
                1 => {
                    // Until the application reads it.
                    ran.notified().await;
                    second
                }
                _ => return None,
            };
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(frame.as_bytes()))), at + 1))
        }
    });
    let application = shadow.application.clone();
    let service = shadow.layer.layer(service_fn(move |request: Request<RequestBody<_>>| {
        started.notify_one();
        application.clone().oneshot(request)
    }));
    let began = Instant::now();
    let request = Request::post("/login").header("content-type", "application/json");
    let response = service.oneshot(request.body(StreamBody::new(frames)).unwrap()).await.unwrap();
    assert_eq!((response.status().as_u16(), began.elapsed().as_millis() / 10), (200, 150));
    assert_eq!(shadow.application.last().body.unwrap(), LOGIN);
    assert_eq!(decision(&shadow.application).would_deny().unwrap().as_str(), "body_timeout");
    assert_eq!((records.take(), shadow.verifier.calls()), (vec!["shadow would-deny body_timeout".to_owned()], 0));
}

#[tokio::test(start_paused = true)]
async fn what_reading_the_body_took_is_not_left_for_the_checks() {
    let (layer, _, _) = slow(seconds(1), |it| it.rule(watched()));
    let frames = futures_util::stream::once(async {
        sleep(seconds(1)).await;
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(LOGIN.as_bytes())))
    });
    let began = Instant::now();
    let service = layer.layer(service_fn(|request: Request<RequestBody<_>>| async move {
        let reason = request.headers()["x-jverify-reason"].clone();
        Ok::<_, Infallible>(Response::builder().header("reason", reason).body(Full::<Bytes>::default()).unwrap())
    }));
    let request = Request::post("/login").header("content-type", "application/json");
    let body = StreamBody::new(Box::pin(frames));
    let response = service.oneshot(request.body(body).unwrap()).await.unwrap();
    assert_eq!(
        (response.headers()["reason"].to_str().unwrap(), began.elapsed().as_millis() / 10),
        ("unavailable", 150)
    );
}

#[tokio::test(start_paused = true)]
async fn a_verifier_whose_clone_or_call_panics_loses_nothing() {
    struct Panics;
    impl Clone for Panics {
        fn clone(&self) -> Self {
            panic!("a clone panics")
        }
    }
    impl tower::Service<Check> for Panics {
        type Response = Verdict;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Verdict, Infallible>>;

        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
            std::task::Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Check) -> Self::Future {
            panic!("a call panics")
        }
    }
    let layer = JVerifyLayer::builder(Panics).rule(watched()).build().unwrap();
    let application = crate::support::Application::default();
    let response = crate::support::send(&layer, &application, post_json("/login", LOGIN)).await;
    assert_eq!(response.status(), 200);
    assert_eq!(application.last().body.unwrap(), LOGIN);
    assert_eq!(decision(&application).would_deny().unwrap().as_str(), "panicked");

    let panics = Verifier::answering(|_| panic!("a call panics"));
    let shadow = Guarded::asking(panics, |verifier| builder(verifier).rule(watched()).build().unwrap());
    would_be_denied(&shadow, post_json("/login", LOGIN), "panicked", "a call").await;
    // A closure that finds the client.
    let rule = watched().client_ip(tower_jverify::ClientIp::from_fn(|_| panic!("a closure panics")));
    let shadow = super::guarded(Class::Passed, |it| it.rule(rule));
    would_be_denied(&shadow, post_json("/login", LOGIN), "panicked", "a closure").await;
}
