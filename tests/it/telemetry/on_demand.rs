//! The events of rules whose checks the application starts.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_jverify::{Class, Decision, JVerifyLayer, Prove, RequestBody, Rule, Verdict, captcha, number};

use super::Log;
use crate::{
    load::{Slow, leave},
    support::{Application, LOGIN, Sandboxed, Verifier, builder, post_json, send},
};

const PROOF: &str = r#"{"token":"tok-canary-7f3a","phone":"13812345678"}"#;

fn rule() -> Rule {
    Rule::post("/login", number()).on_demand()
}

fn layer() -> JVerifyLayer<Verifier> {
    builder(&Verifier::passing()).rule(rule()).account("main").build().unwrap()
}

/// Asserts that exactly one event says that nothing was asked, and that it names no person.
fn assert_not_asked(log: &Log, what: &str) {
    let events = log.take_events();
    let [event] = &events[..] else { panic!("{what}: {events:#?}") };
    let parts =
        ["WARN", "rule=\"POST /login\"", "account=\"main\"", "decision=\"not-asked\"", "reason=\"not_asked\"", " ms="];
    assert!(parts.iter().all(|part| event.contains(part)), "{what}: {event}");
    for personal in ["138", "5678", "canary", "phone"] {
        assert!(!event.contains(personal), "{what}: {event}");
    }
}

fn assert_silent(text: &str) {
    assert!(!text.contains("canary") && !text.contains("13812345678") && !text.contains("13800000000"), "{text}");
}

type Next = Result<Response<Full<Bytes>>, Infallible>;

/// Sends a login to an application.
async fn login<F: Future<Output = Next> + Send + 'static>(
    layer: &JVerifyLayer<Verifier>,
    application: impl Fn(Request<RequestBody<Full<Bytes>>>) -> F + Clone + Send + 'static,
) {
    let _ = layer.layer(service_fn(application)).oneshot(post_json("/login", PROOF)).await;
}

fn answer() -> Response<Full<Bytes>> {
    Response::new(Full::default())
}

#[tokio::test]
async fn a_handler_that_never_asks_is_a_warning() {
    let (log, _listening) = Log::listen();
    let layer = layer();
    log.take_events();
    login(&layer, |_| async { Ok(answer()) }).await;
    assert_not_asked(&log, "the handler looks at nothing");
    login(&layer, |request| async move {
        let prove = request.extensions().get::<Prove>().cloned();
        let clones = [prove.clone(), prove.clone(), prove];
        drop(request);
        drop(clones);
        Ok(answer())
    })
    .await;
    assert_not_asked(&log, "clones that are not used");
    login(&layer, |mut request| async move {
        request.extensions_mut().remove::<Prove>();
        request.extensions_mut().remove::<Decision>();
        Ok(answer())
    })
    .await;
    assert_not_asked(&log, "the extensions are removed");
    login(&layer, |request| async move {
        let prove = request.extensions().get::<Prove>().cloned().unwrap();
        drop(prove.now());
        Ok(answer())
    })
    .await;
    assert_not_asked(&log, "a call that is never awaited");
    assert_silent(&log.text());
}

#[tokio::test]
async fn an_application_that_never_runs_is_the_same_warning() {
    /// Never ready.
    #[derive(Clone)]
    struct Busy;

    impl tower::Service<Request<RequestBody<Full<Bytes>>>> for Busy {
        type Response = Response<Full<Bytes>>;
        type Error = &'static str;
        type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), &'static str>> {
            std::task::Poll::Pending
        }

        fn call(&mut self, _: Request<RequestBody<Full<Bytes>>>) -> Self::Future {
            std::future::ready(Err("not ready"))
        }
    }

    let (log, _listening) = Log::listen();
    let layer = layer();
    log.take_events();
    let waits = layer.layer(Busy).oneshot(post_json("/login", PROOF));
    assert!(tokio::time::timeout(Duration::from_millis(50), waits).await.is_err());
    assert_not_asked(&log, "the application is not ready, and the client leaves");
    let shed = tower::load_shed::LoadShed::new(Busy);
    let shed = tower::ServiceBuilder::new().map_err(|_: tower::BoxError| "shed").service(shed);
    assert!(layer.layer(shed).oneshot(post_json("/login", PROOF)).await.is_err());
    assert_not_asked(&log, "the application sheds load");
    let application = Application::default();
    let response = send(&layer, &application, post_json("/login", "{}")).await;
    assert_eq!(response.status(), 400);
    let events = log.take_events();
    assert!(events.len() == 1 && events[0].contains("decision=\"deny\""), "refused by the layer: {events:#?}");
}

#[tokio::test]
async fn a_handler_that_panics_is_the_same_warning_and_not_the_end() {
    let (log, _listening) = Log::listen();
    let layer = layer();
    log.take_events();
    let running = layer.clone();
    let panicked = tokio::spawn(async move {
        login(&running, |request| async move {
            let _prove = request.extensions().get::<Prove>().cloned();
            panic!("the handler panics")
        })
        .await;
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_not_asked(&log, "a panic");
}

#[tokio::test]
async fn a_call_is_one_event_as_of_any_rule() {
    let (log, _listening) = Log::listen();
    for (token, level, parts) in [
        (
            "sandbox-9000#canary",
            "INFO",
            ["decision=\"allow\"", "reason=\"verified\"", "codes=9000", "phone=138****0000"],
        ),
        (
            "sandbox-9001#canary",
            "INFO",
            ["decision=\"deny\"", "reason=\"rejected\"", "codes=9001", "phone=138****0000"],
        ),
        ("sandbox-9018#canary", "ERROR", ["decision=\"deny\"", "reason=\"account\"", "codes=9018", "balance"]),
    ] {
        let desk = Sandboxed::new(rule());
        let body = format!(r#"{{"token":"{token}","phone":"13800000000"}}"#);
        log.take_events();
        let response = send(&desk.layer, &desk.application, post_json("/login", body)).await;
        assert_eq!((response.status().as_u16(), log.take_events()), (200, Vec::new()), "nothing yet");
        let prove = desk.application.last().parts.extensions.get::<Prove>().cloned().unwrap();
        let (one, other) = tokio::join!(prove.now(), prove.now());
        assert_eq!(one.is_ok(), other.is_ok());
        drop((prove, desk));
        // The other lines are those of the client and of the layer's end.
        let events: Vec<_> = log.take_events().into_iter().filter(|event| event.contains("decision=")).collect();
        let [event] = &events[..] else { panic!("{events:#?}") };
        assert!(event.starts_with(level) && event.contains("rule=\"POST /login\""), "{event}");
        assert!(parts.iter().all(|part| event.contains(part)), "{event}\nwants {parts:?}");
    }
    assert_silent(&log.text());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_leaves_during_a_check_is_an_abandoned_one() {
    let slow = Slow::taking(2_000);
    let rule = Rule::post("/login", captcha().then(number())).on_demand();
    let layer = JVerifyLayer::builder(slow.clone()).rule(rule).build().unwrap();
    let (log, _listening) = Log::listen();
    let application = Application::default();
    let body = r#"{"captchaContent":"c-canary","token":"t-canary","phone":"13812345678"}"#;
    send(&layer, &application, post_json("/login", body)).await;
    let prove = application.last().parts.extensions.get::<Prove>().cloned().unwrap();
    drop(application);
    let handler = tokio::spawn(async move { prove.now().await.is_ok() });
    while slow.started() == 0 {
        tokio::task::yield_now().await;
    }
    leave(handler).await;
    layer.drained().await;
    let events = log.take_events();
    let [event] = &events[..] else { panic!("{events:#?}") };
    assert!(event.contains("decision=\"abandoned\"") && event.contains("checks=captcha "), "{event}");
    assert!(event.contains("classes=passed") && event.contains(" ms=2"), "{event}");
    assert_silent(event);
}

#[tokio::test(start_paused = true)]
async fn the_time_is_that_of_the_checks() {
    let (log, _listening) = Log::listen();
    let layer = layer();
    let application = Application::default();
    send(&layer, &application, post_json("/login", LOGIN)).await;
    let prove = application.last().parts.extensions.get::<Prove>().cloned().unwrap();
    drop(application);
    tokio::time::sleep(Duration::from_secs(9)).await;
    log.take_events();
    prove.now().await.unwrap();
    let events = log.take_events();
    assert!(events.len() == 1 && events[0].ends_with(" ms=0"), "{events:#?}");
    drop(prove);
    assert_eq!(log.take_events(), Vec::<String>::new(), "a `Prove` that was used is dropped in silence");
}

#[tokio::test]
async fn an_enforcing_layer_inside_says_what_it_decided_and_the_outer_one_what_was_not_asked() {
    let (log, _listening) = Log::listen();
    let outer = layer();
    let verifier = Verifier::answering(|check| Some(Verdict::new(check.kind(), Class::Passed)));
    let inner = builder(&verifier).rule(Rule::post("/login", number()).name("inner")).build().unwrap();
    log.take_events();
    let service = outer.layer(inner.layer(Application::default()));
    service.oneshot(post_json("/login", PROOF)).await.unwrap();
    let events = log.take_events();
    let [inner, outer] = &events[..] else { panic!("{events:#?}") };
    assert!(inner.contains("rule=\"inner\"") && inner.contains("classes=passed"), "{inner}");
    assert!(!inner.contains("decision=\"allow\""), "{inner}");
    assert!(
        outer.starts_with("WARN") && outer.contains("rule=\"POST /login\"") && outer.contains("not_asked"),
        "{outer}"
    );
    assert_eq!(verifier.calls(), 1);
}

#[tokio::test]
async fn an_inner_layer_that_is_not_asked_because_the_outer_one_refuses_is_not_a_warning() {
    let (log, _listening) = Log::listen();
    let refusing = Verifier::of_class(Class::Rejected);
    let outer = builder(&refusing).rule(rule().name("outer")).build().unwrap();
    let inner = layer();
    log.take_events();
    let application = Application::default();
    outer.layer(inner.layer(application.clone())).oneshot(post_json("/login", PROOF)).await.unwrap();
    let prove = application.last().parts.extensions.get::<Prove>().cloned().unwrap();
    drop(application);
    for _ in 0..2 {
        assert_eq!(prove.now().await.unwrap_err().rule(), Some("outer"));
    }
    drop(prove);
    let events: Vec<_> = log.take_events().into_iter().filter(|event| event.contains("decision=")).collect();
    assert!(events.len() == 1 && events[0].contains("rule=\"outer\""), "{events:#?}");
}
