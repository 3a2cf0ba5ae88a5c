//! The user's closures that answer refusals. They may panic.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use http::{Response, request::Parts};
use serde_json::json;
use tower_jverify::{Check, CheckKind, Class, ClientIp, Denial, DenialReason, Rule, Verdict, number};

use super::PHONE;
use crate::{
    support::{Application, LOGIN, Sandboxed, Verifier, asking, code, denial, login_layer, post_json, send},
    telemetry::metrics::Recorded,
};

fn teapot(_: &Parts, denial: &Denial) -> Response<Bytes> {
    Response::builder().status(418).header("x-mine", denial.code()).body("mine".into()).unwrap()
}

#[tokio::test]
async fn a_closure_answers_every_denial_and_the_denial_stays_on_the_response() {
    let desk = Sandboxed::set(|builder| builder.rule(Rule::post("/login", number())).respond(teapot));
    for (path, body, reason, code_) in [
        (
            "/login",
            json!({"token": "sandbox-9001", "phone": PHONE}),
            DenialReason::Verdict(Class::Rejected),
            "verification_failed",
        ),
        ("/login", json!({}), DenialReason::ProofMissing, "proof_missing"),
        ("/login%2F", json!({}), DenialReason::PathAmbiguous, "path_ambiguous"),
    ] {
        let response = desk.send(post_json(path, body.to_string())).await;
        assert_eq!(response.status(), 418, "{path} {body}");
        assert_eq!(response.headers()["x-mine"], code_, "{path} {body}");
        assert_eq!(response.body(), "mine", "{path} {body}");
        assert_eq!(denial(&response).reason(), reason, "{path} {body}");
    }
    assert_eq!(desk.application.runs(), 0);
}

#[tokio::test]
async fn a_rules_own_closure_answers_before_the_layers() {
    let desk = Sandboxed::set(|builder| {
        builder.rule(Rule::post("/login", number()).respond(|_, denial| denial.response())).respond(teapot)
    });
    assert_eq!(code(&desk.login(&json!({})).await), "proof_missing");
}

#[tokio::test]
async fn a_closure_that_panics_is_answered_for_and_the_next_request_is_fine() {
    let panics = AtomicBool::new(true);
    let desk = Sandboxed::set(|builder| {
        builder.rule(Rule::post("/login", number())).in_flight(1).respond(move |_, denial| {
            assert!(!panics.swap(false, Ordering::SeqCst), "the user's closure panics once");
            denial.response()
        })
    });
    let refused = json!({"token": "sandbox-9001", "phone": PHONE});
    let response = desk.login(&refused).await;
    assert_eq!((response.status().as_u16(), code(&response).as_str()), (503, "verification_unavailable"));
    denial(&response);
    assert_eq!(desk.login(&refused).await.status(), 403);
    assert_eq!(desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await.status(), 200);
    assert_eq!(desk.application.runs(), 1);
}

#[tokio::test]
async fn a_client_ip_that_panics_lets_nothing_through_and_holds_nothing() {
    let desk = Sandboxed::set(|builder| {
        let client_ip = ClientIp::from_fn(|parts| {
            assert!(!parts.headers.contains_key("x-panic"), "the user's function panics");
            None
        });
        builder.rule(Rule::post("/login", number())).in_flight(1).client_ip(client_ip)
    });
    let login = || post_json("/login", json!({"token": "sandbox-9000", "phone": PHONE}).to_string());
    for _ in 0..3 {
        let mut request = login();
        request.headers_mut().insert("x-panic", "1".parse().unwrap());
        let response = desk.send(request).await;
        assert_eq!((response.status().as_u16(), denial(&response).reason()), (503, DenialReason::Panicked));
    }
    assert_eq!((desk.sandbox.calls().len(), desk.application.runs()), (0, 0));
    assert_eq!(desk.send(login()).await.status(), 200);
}

#[tokio::test]
async fn a_verifier_that_panics_lets_nothing_through_and_holds_nothing() {
    for late in [false, true] {
        let application = Application::default();
        let panics = Arc::new(AtomicBool::new(true));
        let verifier = tower::service_fn(move |check: Check| {
            let panic = panics.swap(false, Ordering::SeqCst);
            assert!(!panic || late, "the verifier panics when called");
            async move {
                tokio::task::yield_now().await;
                assert!(!panic, "the verifier panics when polled");
                Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
            }
        });
        let (layer, recorded) =
            Recorded::around(|| asking(verifier).rule(Rule::post("/login", number())).in_flight(1).build().unwrap());
        let response = send(&layer, &application, post_json("/login", LOGIN)).await;
        assert_eq!((response.status().as_u16(), denial(&response).reason()), (503, DenialReason::Panicked), "{late}");
        assert_eq!(application.runs(), 0, "{late}");
        let paid = recorded.counted().get("jverify_paid_checks_total{endpoint=number_app}").copied();
        assert_eq!(paid, Some(1), "{late}: it may have been sent");
        assert_eq!(send(&layer, &application, post_json("/login", LOGIN)).await.status(), 200, "{late}");
    }
}

#[tokio::test]
async fn an_answer_to_another_kind_of_check_is_not_an_answer() {
    let (verifier, application) =
        (Verifier::answering(|_| Some(Verdict::new(CheckKind::Captcha, Class::Passed))), Application::default());
    let response = send(&login_layer(&verifier), &application, post_json("/login", LOGIN)).await;
    assert_eq!(denial(&response).reason(), DenialReason::Verdict(Class::Unavailable));
    assert_eq!(application.runs(), 0);
}
