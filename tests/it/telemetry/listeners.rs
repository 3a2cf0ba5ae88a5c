//! `on_decision`: one call for every guarded request. A closure cannot change the request.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_jverify::{
    CallError, Check, Class, Decided, DenialReason, Fallback, Field, JVerifyBuilder, JVerifyLayer, Policy, RequestBody,
    Rule, Verdict, captcha, number, sandbox::Fault,
};

use super::Log;
use crate::support::{Application, LOGIN, Sandboxed, Verifier, builder, post_json, quick_to_notice, send};

/// What a closure was called with, as lines.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    pub(super) fn listen(&self) -> impl Fn(&Decided<'_>) + Send + Sync + 'static {
        let heard = Arc::clone(&self.0);
        move |decided| {
            let word = |text: Option<&str>| text.unwrap_or("-").to_owned();
            let classes: Vec<&str> = decided.verdicts().iter().map(|verdict| verdict.class().as_str()).collect();
            let line = [word(decided.rule()), decided.decision().to_owned(), word(decided.reason()), classes.join(",")];
            heard.lock().unwrap().push(line.join(" | "));
        }
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn listening(
    verifier: &Verifier,
    set: impl FnOnce(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>,
) -> (JVerifyLayer<Verifier>, Heard) {
    let heard = Heard::default();
    (set(builder(verifier)).on_decision(heard.listen()).build().unwrap(), heard)
}

/// Panics when anything is written.
fn panicking_subscriber() -> impl tracing::Subscriber + Send + Sync {
    tracing_subscriber::fmt().with_writer(|| -> std::io::Sink { panic!("a subscriber panics") }).finish()
}

#[tokio::test]
async fn a_closure_is_called_exactly_where_the_event_is_written() {
    let heard = Heard::default();
    let desk = Sandboxed::set(|builder| {
        builder
            .rule(Rule::post("/login", captcha().or(number())))
            .rule(Rule::post("/open", number()).policy(Policy::default().on(Class::Unavailable, Fallback::Open)))
            .rule(Rule::post("/sms", number()).when(Field::header("x-kind"), "login").otherwise_pass().name("sms"))
            .rule(Rule::post("/unless", number()).guard_unless(|head| head.headers.contains_key("x-by")))
            .rule(Rule::post("/later", number()).on_demand())
            .on_decision(heard.listen())
            .guards(&quick_to_notice())
    });
    let (log, _listening) = Log::listen();
    let proof = |token: &str| json!({"token": token, "phone": "13800000000"}).to_string();
    let with = |path: &str, name: &'static str, value: &'static str| {
        let mut request = post_json(path, proof("sandbox-9000"));
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    for (request, expected) in [
        (post_json("/login", proof("sandbox-9000")), Some("POST /login | allow | verified | passed")),
        (post_json("/login", proof("sandbox-9000-risk-300")), Some("POST /login | flag | risk | passed")),
        (post_json("/login", proof("sandbox-9001")), Some("POST /login | deny | rejected | rejected")),
        (post_json("/login", "{}"), Some("POST /login | deny | proof_missing | ")),
        (post_json("/login%2F", "{}"), Some("- | deny | path_ambiguous | ")),
        (post_json("/open", proof("sandbox-9000")), Some("POST /open | unverified | unavailable | unavailable")),
        (with("/sms", "x-kind", "other"), Some("sms | not-guarded | - | ")),
        (with("/unless", "x-by", "1"), Some("POST /unless | not-guarded | - | ")),
        (post_json("/later", proof("sandbox-9000")), Some("POST /later | not-asked | not_asked | ")),
        (post_json("/elsewhere", "{}"), None),
    ] {
        let shown = format!("{request:?}");
        desk.sandbox.fault((request.uri() == "/open").then_some(Fault::Refuse));
        // Dropped at once: the request's extensions hold what a rule on demand waits for.
        send(&desk.layer, &Application::default(), request).await;
        assert_eq!(heard.take(), expected.into_iter().collect::<Vec<_>>(), "{shown}");
        let events = log.take_events();
        let of_requests = events.iter().filter(|event| !event.contains("the breaker is"));
        assert_eq!(of_requests.count(), usize::from(expected.is_some()), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_whose_client_left_is_reported_when_it_has_ended() {
    let heard = Heard::default();
    let desk = Sandboxed::set(|builder| builder.rule(Rule::post("/login", number())).on_decision(heard.listen()));
    let (layer, application) = (desk.layer.clone(), desk.application.clone());
    let body = json!({"token": "sandbox-delay-1500-9000", "phone": "13800000000"}).to_string();
    let request = tokio::spawn(async move { drop(send(&layer, &application, post_json("/login", body)).await) });
    while desk.sandbox.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    request.abort();
    assert!(request.await.is_err());
    assert_eq!(heard.take(), Vec::<String>::new());
    desk.layer.drained().await;
    assert_eq!(heard.take(), ["POST /login | abandoned | - | passed"]);
}

#[tokio::test]
async fn a_decision_that_is_taken_over_is_reported_once() {
    let (layer, heard) = listening(&Verifier::passing(), |builder| builder.rule(Rule::post("/login", number())));
    let twice = layer.layer(layer.layer(Application::default()));
    assert_eq!(twice.oneshot(post_json("/login", LOGIN)).await.unwrap().status(), 200);
    assert_eq!(heard.take(), ["POST /login | allow | verified | passed"]);
}

#[tokio::test]
async fn a_panic_of_a_closure_or_a_subscriber_reaches_no_request_and_no_other_closure() {
    for class in [Class::Passed, Class::Rejected] {
        let verifier = Verifier::of_class(class);
        let (layer, heard) = listening(&verifier, |builder| {
            builder.rule(Rule::post("/login", number())).on_decision(|_| panic!("a closure panics"))
        });
        let expected = if class.is_pass() { 200 } else { 403 };
        assert_eq!(send(&layer, &Application::default(), post_json("/login", LOGIN)).await.status(), expected);
        assert_eq!(heard.take().len(), 1, "{class}");
        let _panicking = tracing_subscriber::util::SubscriberInitExt::set_default(panicking_subscriber());
        assert_eq!(send(&layer, &Application::default(), post_json("/login", LOGIN)).await.status(), expected);
        assert_eq!(heard.take().len(), 1, "{class}: the closure after an event that panicked");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_task_of_an_abandoned_check_ends_no_count() {
    let (layer, heard) = listening(&Verifier::silent(), |builder| {
        builder.rule(Rule::post("/login", number())).on_decision(|_| panic!("a closure panics"))
    });
    let client = layer.clone();
    let request =
        tokio::spawn(async move { drop(send(&client, &Application::default(), post_json("/login", LOGIN)).await) });
    tokio::time::sleep(Duration::from_millis(1)).await;
    request.abort();
    assert!(request.await.is_err());
    layer.drained().await;
    assert_eq!(heard.take(), ["POST /login | abandoned | - | unavailable"]);
}

#[tokio::test]
async fn after_a_reload_the_new_layers_closures_are_called() {
    let verifier = Verifier::passing();
    let rule = || Rule::post("/login", number());
    let (layer, old) = listening(&verifier, |builder| builder.rule(rule()));
    let (new, newest) = listening(&verifier, |builder| builder.rule(rule()));
    let service = layer.layer(Application::default());
    layer.reload(new);
    assert_eq!(service.clone().oneshot(post_json("/login", LOGIN)).await.unwrap().status(), 200);
    assert_eq!((old.take().len(), newest.take().len()), (0, 1));
    layer.reload(builder(&verifier).rule(rule()).build().unwrap());
    assert_eq!(service.oneshot(post_json("/login", LOGIN)).await.unwrap().status(), 200);
    assert_eq!((old.take().len(), newest.take().len()), (0, 0));
}

#[tokio::test]
async fn a_record_says_what_the_event_says_and_shows_no_person() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let teller = Arc::clone(&told);
    let layer = builder(&Verifier::of_class(Class::Rejected))
        .rule(Rule::post("/login", number()).name("login"))
        .account("main")
        .on_decision(move |decided| {
            assert_eq!((decided.rule(), decided.account()), (Some("login"), Some("main")));
            assert_eq!(decided.denial_reason(), Some(DenialReason::Verdict(Class::Rejected)));
            assert!(!decided.is_verified() && !decided.is_sandbox());
            assert_eq!(decided.ex_ids().count(), 1);
            assert_eq!(decided.phone().map(|phone| phone.masked().to_string()).as_deref(), Some("138****5678"));
            assert!(decided.duration() < Duration::from_secs(60) && decided.suspicion().is_none());
            teller.lock().unwrap().push(format!("{decided:?} {decided:#?}"));
        })
        .build()
        .unwrap();
    send(&layer, &Application::default(), post_json("/login", LOGIN)).await;
    let told = told.lock().unwrap();
    let [shown] = &told[..] else { panic!("{told:?}") };
    assert!(shown.contains("rejected") && shown.contains("login"), "{shown}");
    assert!(!shown.contains("13812345678") && !shown.contains("canary"), "{shown}");
}

#[tokio::test]
async fn a_refusal_before_the_inner_service_is_reported_before_it_is_answered() {
    let refused = service_fn(|_: Check| async { Err::<Verdict, _>(CallError::no_connection("dns error")) });
    let heard = Heard::default();
    let layer = JVerifyLayer::builder(refused)
        .rule(Rule::post("/login", number()))
        .on_decision(heard.listen())
        .build()
        .unwrap();
    let inner = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    assert_eq!(layer.layer(inner).oneshot(post_json("/login", LOGIN)).await.unwrap().status(), 503);
    assert_eq!(heard.take(), ["POST /login | deny | unavailable | unavailable"]);
}
