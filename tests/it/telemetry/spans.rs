//! Spans: the stages of a guarded request.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::Full;
use serde_json::json;
use tower::{ServiceExt, service_fn};
use tower_jverify::{Credentials, JPush, JVerifyLayer, Rule, Sandbox, captcha, number};
use tracing_subscriber::{filter::LevelFilter, fmt::format::FmtSpan, util::SubscriberInitExt};

use super::{Log, be_no_lone_subscriber};
use crate::support::{Application, LOGIN, Sandboxed, Verifier, login_layer, post_json, send};

/// The spans that close on this thread, as `parent{fields}:child{fields}`, down to this level.
fn closing(level: LevelFilter) -> (Log, impl Drop) {
    be_no_lone_subscriber();
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .without_time()
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(log.clone())
        .finish();
    (log, subscriber.set_default())
}

fn closed(log: &Log) -> Vec<String> {
    let lines = log.text();
    let closed = lines.lines().filter(|line| line.ends_with(" tower_jverify: close"));
    closed.map(|line| line.split(" tower_jverify: ").next().unwrap().trim().trim_end_matches(':').to_owned()).collect()
}

#[tokio::test]
async fn reading_and_each_check_are_spans_of_the_request() {
    let desk = Sandboxed::new(Rule::post("/{tenant}/login", captcha().then(number())).name("login"));
    let (log, _listening) = closing(LevelFilter::TRACE);
    let body = json!({"captchaContent": "sandbox-pass", "token": "sandbox-9001#canary", "phone": "13812345678"});
    desk.send(post_json("/canary/login", body.to_string())).await;
    let expected = [
        "DEBUG jverify.guard:jverify.read",
        "DEBUG jverify.guard{rule=\"login\"}:jverify.check{endpoint=\"captcha\" class=\"passed\" code=\"6000\"}",
        "DEBUG jverify.guard{rule=\"login\"}:jverify.check{endpoint=\"number_app\" class=\"rejected\" code=\"9001\"}",
        "DEBUG jverify.guard{rule=\"login\"}",
    ];
    assert_eq!(closed(&log), expected);
    assert!(!log.text().contains("canary") && !log.text().contains("13812345678"), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_check_whose_client_left_closes_its_span_with_its_answer() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    let (log, _listening) = closing(LevelFilter::DEBUG);
    let (layer, application) = (desk.layer.clone(), desk.application.clone());
    let body = json!({"token": "sandbox-delay-1500-9000", "phone": "13800000000"}).to_string();
    let request = tokio::spawn(async move { drop(send(&layer, &application, post_json("/login", body)).await) });
    while desk.sandbox.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    request.abort();
    assert!(request.await.is_err());
    desk.layer.drained().await;
    tokio::task::yield_now().await;
    let closed = closed(&log);
    let check = "jverify.check{endpoint=\"number_app\" class=\"passed\" code=\"9000\"}";
    assert_eq!(closed.iter().filter(|line| line.ends_with(check)).count(), 1, "{closed:?}");
}

#[tokio::test]
async fn there_are_no_spans_at_info_or_for_unmatched_requests() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    let (log, _listening) = closing(LevelFilter::INFO);
    desk.login(&json!({"token": "sandbox-9000", "phone": "13800000000"})).await;
    assert_eq!(closed(&log), Vec::<String>::new());
    let (log, _listening) = closing(LevelFilter::TRACE);
    desk.send(post_json("/elsewhere", "{}")).await;
    assert_eq!(closed(&log), Vec::<String>::new());
}

/// Panics at every span.
struct Panicking;

impl tracing::Subscriber for Panicking {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {
        panic!("record")
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        panic!("event")
    }

    fn enter(&self, _: &tracing::span::Id) {
        panic!("enter")
    }

    fn exit(&self, _: &tracing::span::Id) {
        panic!("exit")
    }

    fn try_close(&self, _: tracing::span::Id) -> bool {
        panic!("close")
    }
}

#[tokio::test]
async fn a_subscriber_that_panics_at_spans_reaches_no_request() {
    let layer = login_layer(&Verifier::passing());
    be_no_lone_subscriber();
    let _listening = Panicking.set_default();
    let application = Application::default();
    assert_eq!(send(&layer, &application, post_json("/login", LOGIN)).await.status(), 200);
    assert_eq!(send(&layer, &application, post_json("/login", "{}")).await.status(), 400);
}

#[tokio::test]
async fn traceparent_reaches_the_inner_service_and_not_the_vendor() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let (sandbox, sent) = (Sandbox::new(), Arc::clone(&seen));
    let transport = service_fn(move |request: Request<Full<Bytes>>| {
        sent.lock().unwrap().push(request.headers().clone());
        sandbox.clone().oneshot(request)
    });
    let jpush = JPush::builder(Credentials::new("key", "secret").unwrap()).transport(transport).build().unwrap();
    let layer = JVerifyLayer::builder(jpush).rule(Rule::post("/login", number())).build().unwrap();
    let application = Application::default();
    let mut login = post_json("/login", json!({"token": "sandbox-9000", "phone": "13800000000"}).to_string());
    login.headers_mut().insert("traceparent", TRACE.parse().unwrap());
    login.headers_mut().insert("tracestate", "vendor=1".parse().unwrap());
    assert_eq!(send(&layer, &application, login).await.status(), 200);
    assert_eq!(application.header("traceparent").as_deref(), Some(TRACE));
    assert_eq!(application.header("tracestate").as_deref(), Some("vendor=1"));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert!(!seen[0].keys().any(|name| name.as_str().starts_with("trace")), "{seen:?}");
    assert!(!format!("{seen:?}").contains("0af7651916cd43dd8448eb211c80319c"));
}
