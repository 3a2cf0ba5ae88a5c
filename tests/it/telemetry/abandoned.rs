//! The event of a request whose client left during a check.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::Full;
use tokio::task::JoinHandle;
use tower::Service;
use tower_jverify::{
    Check, CheckKind, Class, DenialReason, Field, JVerifyLayer, Media, Mode, Rule, Verdict, captcha, number,
};

use super::Log;
use crate::support::{Application, Guarded, LOGIN, Sandboxed, Verifier, denial, login_layer, post_json, send};

const BOTH: &str = r#"{"captchaContent":"c-canary","token":"t-canary","phone":"13812345678"}"#;

async fn leave<T>(request: JoinHandle<T>) {
    request.abort();
    assert!(request.await.is_err_and(|error| error.is_cancelled()));
}

fn assert_holds(event: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| event.contains(part)), "{event}\nwants {parts:?}");
    assert!(!event.contains("canary") && !event.contains("13812345678") && !event.contains("13800000000"), "{event}");
}

#[tokio::test(start_paused = true)]
async fn it_has_the_checks_their_codes_and_ids_and_is_written_when_the_check_has_ended() {
    let desk = Sandboxed::new(Rule::post("/login", captcha().then(number())));
    let (log, _listening) = Log::listen();
    let (layer, application) = (desk.layer.clone(), desk.application.clone());
    let body =
        r#"{"captchaContent":"sandbox-pass#canary","token":"sandbox-delay-1500-9000#canary","phone":"13800000000"}"#;
    let request = tokio::spawn(async move { send(&layer, &application, post_json("/login", body)).await });
    while desk.sandbox.calls().len() < 2 {
        tokio::task::yield_now().await;
    }
    leave(request).await;
    assert_eq!(log.take_events(), Vec::<String>::new(), "nothing is written inside of a drop");
    desk.layer.drained().await;
    let events = log.take_events();
    let [event] = &events[..] else { panic!("{events:#?}") };
    let rule = ["rule=\"POST /login\"", "decision=\"abandoned\"", "checks=captcha,number", "classes=passed,passed"];
    assert_holds(event, &rule);
    assert_holds(event, &["codes=6000,9000", "ids=", " ex_ids=", "phone=138****0000", " ms=150", "sandbox=true"]);
    let ex_ids = event.split(" ex_ids=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert_eq!(ex_ids.split(',').map(str::len).collect::<Vec<_>>(), [32, 32], "{event}");
    assert!(event.starts_with("INFO"), "{event}");
    assert_eq!(desk.application.runs(), 0);
}

#[tokio::test(start_paused = true)]
async fn before_the_first_check_no_event_is_written() {
    let guarded = Guarded::login();
    let (log, _listening) = Log::listen();
    let never = http_body_util::StreamBody::new(futures_util::stream::pending::<Result<_, Infallible>>());
    let request = post_json("/login", LOGIN).map(|_| never);
    let layer = guarded.layer.clone();
    let request = tokio::spawn(async move { send(&layer, &Application::default(), request).await });
    tokio::task::yield_now().await;
    leave(request).await;
    guarded.layer.drained().await;
    assert_eq!((log.take_events(), guarded.verifier.calls()), (Vec::new(), 0));
}

/// Ready for one check.
#[derive(Clone, Default)]
struct Once(Arc<AtomicUsize>);

impl Once {
    /// Never ready.
    fn spent() -> Self {
        Self(Arc::new(AtomicUsize::new(1)))
    }
}

impl Service<Check> for Once {
    type Response = Verdict;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Verdict, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.0.load(Ordering::SeqCst) == 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn call(&mut self, check: Check) -> Self::Future {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(Verdict::new(check.kind(), Class::Passed).with_code(6000)))
    }
}

#[tokio::test(start_paused = true)]
async fn between_two_checks_what_was_spent_is_written() {
    let once = Once::default();
    let rule = Rule::post("/login", captcha().then(number()));
    let layer = JVerifyLayer::builder(once.clone()).rule(rule).in_flight(1).build().unwrap();
    let (log, _listening) = Log::listen();
    let asked = layer.clone();
    let request = tokio::spawn(async move { send(&asked, &Application::default(), post_json("/login", BOTH)).await });
    while once.0.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    leave(request).await;
    layer.drained().await;
    let events = log.take_events();
    let [event] = &events[..] else { panic!("{events:#?}") };
    assert_holds(event, &["decision=\"abandoned\"", "checks=captcha ", "codes=6000 "]);
    assert_eq!(once.0.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_goes_off_and_a_panic_is_a_warning() {
    for (class, level, holds) in [(Some(Class::Account), "ERROR", "balance"), (None, "WARN", "classes=unavailable")] {
        let started = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&started);
        let verifier = tower::service_fn(move |check: Check| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok::<_, Infallible>(Verdict::new(check.kind(), class.expect("canary: the verifier panics")))
            }
        });
        let layer = JVerifyLayer::builder(verifier).rule(Rule::post("/login", number())).build().unwrap();
        let (log, _listening) = Log::listen();
        let asked = layer.clone();
        let request =
            tokio::spawn(async move { send(&asked, &Application::default(), post_json("/login", LOGIN)).await });
        while started.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        leave(request).await;
        layer.drained().await;
        let events = log.take_events();
        let [event] = &events[..] else { panic!("{events:#?}") };
        assert!(event.starts_with(level), "{event}");
        assert_holds(event, &["decision=\"abandoned\"", holds]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_verdict_on_another_kind_of_check_is_no_pass_in_it() {
    let started = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&started);
    let verifier = tower::service_fn(move |_: Check| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>(Verdict::new(CheckKind::Captcha, Class::Passed))
        }
    });
    let layer = JVerifyLayer::builder(verifier).rule(Rule::post("/login", number())).build().unwrap();
    let (log, _listening) = Log::listen();
    let asked = layer.clone();
    let request = tokio::spawn(async move { send(&asked, &Application::default(), post_json("/login", LOGIN)).await });
    while started.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    leave(request).await;
    layer.drained().await;
    let events = log.take_events();
    let [event] = &events[..] else { panic!("{events:#?}") };
    assert_holds(event, &["decision=\"abandoned\"", "checks=number ", "classes=unavailable"]);
}

#[tokio::test(start_paused = true)]
async fn while_the_first_check_waits_for_the_verifier_no_event_is_written() {
    let (verifier, rule) = (Once::spent(), Rule::post("/login", number()));
    let layer = JVerifyLayer::builder(verifier).rule(rule).in_flight(1).build().unwrap();
    let (log, _listening) = Log::listen();
    for _ in 0..2 {
        let asked = layer.clone();
        let request =
            tokio::spawn(async move { send(&asked, &Application::default(), post_json("/login", LOGIN)).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!request.is_finished(), "its place is free once the client has left");
        leave(request).await;
        layer.drained().await;
        assert_eq!(log.take_events(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn in_shadow_one_is_written_while_the_first_check_waits_for_the_verifier_too() {
    let rule = Rule::post("/login", number()).mode(Mode::Shadow);
    let layer = JVerifyLayer::builder(Once::spent()).rule(rule).build().unwrap();
    let (log, _listening) = Log::listen();
    let asked = layer.clone();
    let request = tokio::spawn(async move { send(&asked, &Application::default(), post_json("/login", LOGIN)).await });
    tokio::time::sleep(Duration::from_millis(1)).await;
    leave(request).await;
    layer.drained().await;
    let events = log.take_events();
    let [event] = &events[..] else { panic!("{events:#?}") };
    assert_holds(event, &["decision=\"abandoned\"", "mode=\"shadow\""]);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_the_layers_deadline_ends_is_not_abandoned() {
    let guarded = Guarded::asking(Verifier::silent(), login_layer);
    let (log, _listening) = Log::listen();
    assert_eq!(guarded.send(post_json("/login", LOGIN)).await.status(), 503);
    guarded.layer.drained().await;
    let events = log.take_events();
    let [event] = &events[..] else { panic!("{events:#?}") };
    assert_holds(event, &["decision=\"deny\"", "classes=unavailable"]);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_has_not_started_at_the_clients_deadline_is_not_abandoned() {
    let ask =
        captcha().content(Field::header("x-captcha")).then(number().token(Field::body("/1")).phone(Field::body("/2")));
    let rule = Rule::post("/accounts.Accounts/Login", ask).accept([Media::Grpc]);
    let layer = JVerifyLayer::builder(Once::default()).rule(rule).build().unwrap();
    let (log, _listening) = Log::listen();
    // One frame with the token `t` and a phone.
    let call = Request::post("/accounts.Accounts/Login").version(Version::HTTP_2);
    let call = call.header("content-type", "application/grpc").header("te", "trailers");
    let call = call.header("grpc-timeout", "2S").header("x-captcha", "c");
    let call = call.body(Full::new(Bytes::from_static(b"\0\0\0\0\x10\x0a\x01t\x12\x0b13812345678"))).unwrap();
    let response = send(&layer, &Application::default(), call).await;
    assert_eq!(denial(&response).reason(), DenialReason::DeadlineExceeded);
    layer.drained().await;
    let events = log.take_events();
    let [event] = &events[..] else { panic!("{events:#?}") };
    assert_holds(event, &["decision=\"deny\"", "checks=captcha "]);
}
