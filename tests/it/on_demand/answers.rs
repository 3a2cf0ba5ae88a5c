//! The results of checks are the same as without `on_demand`, in every form.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::response::{IntoResponse, Redirect};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version, request::Parts};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_jverify::{
    CallError, Check, CheckKind, Class, ClientIp, Denial, DenialReason, Fallback, Field, JVerifyLayer, Level, Media,
    Phone, Policy, Prove, Rule, Sandbox, Verdict, number, sandbox::Fault,
};

use super::{asks_at_once, passed_on, rule};
use crate::support::{
    Application, Guarded, LOGIN, Sandboxed, Verifier, asking, builder, denial, jpush, post_json, send,
};

const PHONE: &str = "13800000000";

/// Status, headers, body, and what the operator gets to know of a refusal.
type Shape = (u16, HeaderMap, Bytes, Option<String>);

fn shape(response: Response<Bytes>) -> Shape {
    let (parts, body) = response.into_parts();
    let about = parts.extensions.get::<Denial>().map(|denial| {
        let reasons = (denial.reason(), denial.detail().map(ToOwned::to_owned), denial.retry_after(), denial.is_grpc());
        let verdicts: Vec<_> = denial.verdicts().iter().map(|verdict| (verdict.kind(), verdict.class())).collect();
        format!("{reasons:?} {:?} {verdicts:?} {:?}", denial.rule(), denial.phone())
    });
    (parts.status.as_u16(), parts.headers, body, about)
}

/// Sets a closure on a rule.
type Set = fn(Rule) -> Rule;

/// The answer to a request: of the layer, and of a handler that asks at once.
async fn both(set: impl Fn(&Sandbox) -> Rule, request: &Request<Full<Bytes>>) -> [Shape; 2] {
    let mut shapes = Vec::new();
    for on_demand in [false, true] {
        let sandbox = Sandbox::new();
        let rule = set(&sandbox);
        let rule = if on_demand { rule.on_demand() } else { rule };
        let layer = JVerifyLayer::builder(jpush(&sandbox)).rule(rule).build().unwrap();
        let response = if on_demand {
            let service = layer.layer(service_fn(asks_at_once::<Full<Bytes>>));
            let (parts, body) = service.oneshot(request.clone()).await.unwrap().into_parts();
            Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
        } else {
            send(&layer, &Application::default(), request.clone()).await
        };
        shapes.push(shape(response));
    }
    shapes.try_into().unwrap()
}

fn login(token: &str, headers: &[(&'static str, &str)]) -> Request<Full<Bytes>> {
    let mut request = post_json("/login", json!({"token": token, "phone": PHONE}).to_string());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn a_denial_is_the_answer_that_the_layer_would_give() {
    for token in [
        "sandbox-9001",
        "sandbox-9003",
        "sandbox-9005",
        "sandbox-9012",
        "sandbox-9013",
        "sandbox-9018",
        "sandbox-4711",
        "sandbox-status-500-9000",
        "sandbox-9000-risk-900",
        "sandbox-9000-risk-700",
    ] {
        for language in ["en", "zh-CN"] {
            let policies = [Policy::default(), Policy::default().disclose_risk()];
            for policy in policies {
                let rule = |_: &Sandbox| Rule::post("/login", number()).policy(policy.clone());
                let [layers, handlers] = both(rule, &login(token, &[("accept-language", language)])).await;
                assert!(layers.0 >= 400, "{token}");
                assert_eq!(layers, handlers, "{token} {language}");
            }
        }
    }
}

#[tokio::test]
async fn a_call_gets_a_grpc_status_and_only_where_the_rule_says() {
    let head = || number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    for (version, content_type) in [
        (Version::HTTP_2, "application/grpc"),
        (Version::HTTP_2, "application/grpc+proto"),
        (Version::HTTP_2, "application/json"),
        (Version::HTTP_11, "application/grpc"),
    ] {
        for grpc_answers in [None, Some(true), Some(false)] {
            let mut request =
                login("", &[("x-token", "sandbox-9001"), ("x-phone", PHONE), ("content-type", content_type)]);
            *request.version_mut() = version;
            let rule = |_: &Sandbox| {
                let rule = Rule::post("/login", head());
                grpc_answers.map_or(rule.clone(), |set| rule.grpc_answers(set))
            };
            let [layers, handlers] = both(rule, &request).await;
            assert_eq!(layers, handlers, "{version:?} {content_type} {grpc_answers:?}");
            let is_call = content_type.starts_with("application/grpc");
            let is_grpc = is_call && grpc_answers.unwrap_or(version == Version::HTTP_2);
            assert_eq!(
                (handlers.0, handlers.1.contains_key("grpc-status")),
                (if is_grpc { 200 } else { 403 }, is_grpc)
            );
        }
    }
}

#[tokio::test]
async fn the_closure_of_the_rule_answers() {
    fn teapot(head: &Parts, denial: &Denial) -> Response<Bytes> {
        assert!(head.headers.keys().all(|name| !name.as_str().starts_with("x-jverify")), "{head:?}");
        let id = head.headers["x-request-id"].clone();
        Response::builder()
            .status(418)
            .header("x-mine", denial.code())
            .header("x-request-id", id)
            .body("mine".into())
            .unwrap()
    }
    let request = login("sandbox-9001", &[("x-request-id", "abc"), ("x-jverify-phone", "1")]);
    let closures: [(u16, Set); 6] = [
        (418, |rule| rule.respond(teapot)),
        (403, |rule| rule.respond(|_, _| None)),
        (503, |rule| rule.respond(|_, _| -> Response<Bytes> { panic!("the user's closure panics") })),
        (418, |rule| {
            rule.respond_async(|head, denial| {
                let response = teapot(head, denial);
                async move {
                    tokio::task::yield_now().await;
                    response
                }
            })
        }),
        (303, |rule| rule.respond_into(|_, denial| Redirect::to(&format!("/login?error={}", denial.code())))),
        (503, |rule| {
            rule.respond_async(|_, _| async {
                tokio::task::yield_now().await;
                panic!("the user's future panics") as Response<Bytes>
            })
        }),
    ];
    for (status, set) in closures {
        let [layers, handlers] = both(|_| set(Rule::post("/login", number())), &request).await;
        assert_eq!(layers.0, status);
        assert_eq!(layers, handlers, "{status}");
    }
}

#[tokio::test]
async fn a_closure_answers_once_for_all_clones() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let rule = rule().respond(move |_, denial| {
        counted.fetch_add(1, Ordering::SeqCst);
        denial.response()
    });
    let (guarded, prove) = passed_on(rule, Verifier::of_class(Class::Rejected), LOGIN).await;
    let (one, other) = tokio::join!(prove.now(), async { prove.clone().now().await });
    for refused in [one, other, prove.now().await] {
        let refused = refused.unwrap_err();
        assert_eq!((refused.code(), refused.rule()), ("verification_failed", Some("POST /login")));
        let response = refused.into_response();
        assert_eq!(response.status(), 403);
        assert!(response.extensions().get::<Denial>().is_some());
    }
    assert_eq!((guarded.verifier.calls(), runs.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test]
async fn the_decision_has_the_phone_and_the_risk_and_the_policy_applies() {
    let desk = Sandboxed::new(rule().policy(Policy::default()));
    let ask = |body: serde_json::Value| {
        let desk = &desk;
        async move {
            assert_eq!(desk.login(&body).await.status(), 200);
            let prove = desk.application.last().parts.extensions.get::<Prove>().cloned().unwrap();
            let answer = prove.now().await;
            (answer, desk.asked())
        }
    };
    let (flagged, _) = ask(json!({"token": "sandbox-9000-risk-300-tags-F24004", "phone": PHONE})).await;
    let flagged = flagged.unwrap();
    assert_eq!(
        (flagged.phone(), flagged.level(), flagged.score()),
        (Phone::parse(PHONE), Some(Level::Medium), Some(300))
    );
    assert!(flagged.is_sandbox() && flagged.passed(CheckKind::Number));

    // The captcha that a risk asks for is in the same request, and is asked last.
    let stepped = json!({"token": "sandbox-9000-risk-700", "phone": PHONE, "captchaContent": "sandbox-pass"});
    let (stepped, asked) = ask(stepped).await;
    assert_eq!(stepped.unwrap().verdicts().len(), 2);
    assert_eq!(asked, [CheckKind::Number, CheckKind::Captcha]);
    let (refused, _) = ask(json!({"token": "sandbox-9000-risk-700", "phone": PHONE})).await;
    assert_eq!(refused.unwrap_err().reason(), DenialReason::CaptchaRequired);
    let (refused, asked) = ask(json!({"token": "sandbox-for-13900000000", "phone": PHONE})).await;
    assert_eq!((refused.unwrap_err().reason(), asked.len()), (DenialReason::Verdict(Class::Rejected), 1));
}

#[tokio::test]
async fn what_a_policy_opens_is_not_verified() {
    let opens = || rule().policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    let desk = Sandboxed::noticing(opens());
    desk.sandbox.fault(Fault::Refuse);
    assert_eq!(desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await.status(), 200);
    let prove = desk.application.last().parts.extensions.get::<Prove>().cloned().unwrap();
    let decision = prove.decision().await.unwrap();
    assert!(!decision.is_verified() && decision.phone().is_none());
    let calls = desk.sandbox.calls().len();
    let refused = prove.now().await.unwrap_err();
    assert_eq!((refused.reason(), refused.status().as_u16()), (DenialReason::Verdict(Class::Unavailable), 503));
    assert_eq!(refused.verdicts().len(), 1);
    assert_eq!(desk.sandbox.calls().len(), calls, "the same answer");

    // What a client could bring about opens nothing.
    for fault in [Fault::Reset, Fault::Html] {
        let desk = Sandboxed::noticing(opens());
        desk.sandbox.fault(fault);
        assert_eq!(desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await.status(), 200);
        let prove = desk.application.last().parts.extensions.get::<Prove>().cloned().unwrap();
        assert_eq!(prove.decision().await.unwrap_err().status(), 503);
    }
}

/// Panics when the `n`th clone is made.
struct Clones(Arc<AtomicUsize>, usize);

impl Clone for Clones {
    fn clone(&self) -> Self {
        assert_ne!(self.0.fetch_add(1, Ordering::SeqCst), self.1, "a verifier that cannot be cloned");
        Self(Arc::clone(&self.0), self.1)
    }
}

impl tower::Service<Check> for Clones {
    type Response = Verdict;
    type Error = CallError;
    type Future = std::future::Ready<Result<Verdict, CallError>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), CallError>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, check: Check) -> Self::Future {
        std::future::ready(Ok(Verdict::new(check.kind(), Class::Passed)))
    }
}

#[tokio::test]
async fn a_panic_of_the_verifier_lets_nothing_through_and_holds_nothing() {
    let panics = Verifier::answering(|check| match check.question() {
        tower_jverify::Question::Number { token, .. } if token.expose() == "panic" => panic!("the verifier panics"),
        _ => Some(Verdict::new(check.kind(), Class::Passed)),
    });
    let one_place = rule().in_flight(1);
    let (guarded, prove) = passed_on(one_place, panics, r#"{"token":"panic","phone":"13812345678"}"#).await;
    assert_eq!(prove.now().await.unwrap_err().reason(), DenialReason::Panicked);
    assert_eq!(guarded.send(post_json("/login", LOGIN)).await.status(), 200);
    super::prove(&guarded).now().await.unwrap();

    let made = Arc::new(AtomicUsize::new(0));
    let layer = asking(Clones(Arc::clone(&made), 0)).rule(rule().in_flight(1)).build().unwrap();
    for expected in [503, 200] {
        let service = layer.layer(service_fn(asks_at_once::<Full<Bytes>>));
        assert_eq!(service.oneshot(post_json("/login", LOGIN)).await.unwrap().status(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_and_the_place_in_the_bulkhead_begin_with_the_call() {
    let rule = || rule().in_flight(1).deadline(Duration::from_secs(3));
    let (guarded, first) = passed_on(rule(), Verifier::passing(), LOGIN).await;
    guarded.send(post_json("/login", LOGIN)).await;
    let second = super::prove(&guarded);
    tokio::time::sleep(Duration::from_secs(60)).await;
    first.now().await.unwrap();
    second.now().await.unwrap();

    let (guarded, first) = passed_on(rule(), Verifier::silent(), LOGIN).await;
    guarded.send(post_json("/login", LOGIN)).await;
    let second = super::prove(&guarded);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let start = tokio::time::Instant::now();
    let (slow, full) = tokio::join!(first.now(), second.now());
    assert_eq!(slow.unwrap_err().reason(), DenialReason::Verdict(Class::Unavailable));
    assert_eq!(start.elapsed().as_secs(), 3);
    let full = full.unwrap_err();
    assert_eq!((full.reason(), full.retry_after()), (DenialReason::Overloaded, Some(1)));
    assert_eq!(guarded.verifier.calls(), 1);
}

#[tokio::test]
async fn a_denial_becomes_a_response_and_a_status() {
    let made = || Denial::for_test(DenialReason::Overloaded);
    let response = Response::<Bytes>::from(made());
    assert_eq!(denial(&response).reason(), DenialReason::Overloaded);
    assert_eq!((response.status(), response.body()), (made().response().status(), made().response().body()));
    let (parts, body) = made().into_response().into_parts();
    assert_eq!((parts.status.as_u16(), parts.headers["retry-after"].as_bytes()), (503, &b"1"[..]));
    assert_eq!(body.collect().await.unwrap().to_bytes(), response.body());
    let status = tonic::Status::from(made());
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert!(status.message().starts_with("verification_unavailable: "), "{status:?}");
    assert_eq!(status.metadata().get("retry-after").unwrap(), "1");
}

#[tokio::test(start_paused = true)]
async fn what_the_head_says_holds_when_the_checks_are_asked() {
    let ip = std::net::IpAddr::from([8, 8, 8, 8]);
    let rule = || {
        let client = ClientIp::from_fn(move |head| head.headers.contains_key("x-outside").then_some(ip));
        super::rule().client_ip(client).send_client_ip(true).ex_id_from_request_id(true).in_flight(8)
    };
    let guarded = Guarded::by([rule()]);
    let request = || login("t", &[("x-outside", "1"), ("x-request-id", "abc-123")]);
    guarded.send(request()).await;
    super::prove(&guarded).now().await.unwrap();
    let asked = &guarded.verifier.asked()[0];
    assert_eq!((asked.ip(), asked.ex_id().map(ToString::to_string).as_deref()), (Some(ip), Some("abc-123")));

    // One client holds an eighth of the places.
    let guarded = Guarded::asking(Verifier::silent(), |verifier| builder(verifier).rule(rule()).build().unwrap());
    guarded.send(request()).await;
    let one = super::prove(&guarded);
    guarded.send(request()).await;
    let other = super::prove(&guarded);
    let (_, full) = tokio::join!(one.now(), other.now());
    let full = full.unwrap_err();
    assert_eq!(full.reason(), DenialReason::Overloaded);
    assert!(full.detail().unwrap().contains("in_flight"), "{full:?}");
    assert_eq!(guarded.verifier.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_call_goes_on_while_the_handler_works() {
    let ask = number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    let rule = Rule::post("/login", ask).accept([Media::Grpc]).on_demand();
    for (works, reason) in
        [(1, None), (3, Some(DenialReason::DeadlineExceeded)), (9, Some(DenialReason::DeadlineExceeded))]
    {
        let guarded = Guarded::by([rule.clone()]);
        let headers =
            [("x-token", "t"), ("x-phone", PHONE), ("content-type", "application/grpc"), ("grpc-timeout", "3S")];
        let mut request = login("", &headers);
        *request.version_mut() = Version::HTTP_2;
        assert_eq!(guarded.send(request).await.status(), 200);
        tokio::time::sleep(Duration::from_secs(works)).await;
        let answer = super::prove(&guarded).now().await;
        assert_eq!(answer.err().map(|denial| denial.reason()), reason, "{works} s");
        assert_eq!(guarded.verifier.calls(), usize::from(reason.is_none()), "{works} s");
    }
}
