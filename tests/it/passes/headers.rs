//! The header that carries a pass: read once, and never handed on.

use http::{HeaderName, HeaderValue};
use serde_json::json;
use tower_jverify::{DenialReason, Field, ForeignBackend, Rule, number};

use super::{Desk, PASS, PHONE, denial_reason, login, passes, solved, with_pass};
use crate::support::post_json;

#[tokio::test]
async fn a_pass_never_reaches_the_application() {
    for is_foreign in [false, true] {
        let desk = Desk::set(|builder| {
            let builder = builder.passes(passes()).rule(login());
            if is_foreign { builder.foreign_backend(ForeignBackend::any()) } else { builder }
        });
        let pass = desk.earned().await;
        // With a token, for a path that no rule guards, and as itself.
        for request in [
            with_pass(&pass, post_json("/login", json!({"token": "100 t", "phone": PHONE}).to_string())),
            with_pass(&pass, post_json("/elsewhere", "{}")),
            with_pass(&pass, post_json("/login", solved().to_string())),
        ] {
            assert_eq!(desk.send(request).await.status(), 200);
            assert_eq!(desk.application.header(PASS), None);
        }
    }
}

#[tokio::test]
async fn a_pass_twice_or_in_another_spelling_is_malformed() {
    let desk = Desk::new();
    let pass = desk.earned().await;
    let value = || HeaderValue::from_str(&pass).unwrap();
    let before = desk.verifier.calls();
    for (extra, what) in [(PASS, "twice"), ("x_jverify_pass", "an alias"), ("x-jverify_pass", "half an alias")] {
        let mut request = with_pass(&pass, post_json("/login", solved().to_string()));
        request.headers_mut().append(HeaderName::from_static(extra), value());
        assert_eq!(denial_reason(&desk.send(request).await), Some(DenialReason::ProofMalformed), "{what}");
        let mut request = post_json("/login", solved().to_string());
        request.headers_mut().append(HeaderName::from_static("x_jverify_pass"), value());
        assert_eq!(denial_reason(&desk.send(request).await), Some(DenialReason::ProofMalformed), "an alias alone");
    }
    let mut request = post_json("/login", solved().to_string());
    request.headers_mut().insert(PASS, HeaderValue::from_bytes(b"\xff\xff").unwrap());
    assert_eq!(denial_reason(&desk.send(request).await), Some(DenialReason::ProofMalformed), "outside of ASCII");
    assert_eq!(desk.verifier.calls(), before);
    let empty = desk.by_pass("", &solved()).await;
    assert_eq!(denial_reason(&empty), Some(DenialReason::ProofMissing), "empty is absent");
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
}

#[tokio::test]
async fn a_pass_may_be_in_a_header_of_the_applications_choice() {
    let rule = Rule::post("/login", number()).name("login").pass_field(Field::header("X-Login-Pass"));
    let desk = Desk::set(|builder| builder.passes(passes()).rule(rule));
    let pass = desk.earned().await;
    let request = |names: &[&'static str]| {
        let mut request = post_json("/login", solved().to_string());
        for name in names {
            request.headers_mut().append(HeaderName::from_static(name), pass.parse().unwrap());
        }
        request
    };
    let usual = desk.send(request(&[PASS])).await;
    assert_eq!(denial_reason(&usual), Some(DenialReason::ProofMissing));
    let both = desk.send(request(&[PASS, "x-login-pass"])).await;
    assert_eq!(denial_reason(&both), Some(DenialReason::ProofMalformed));
    assert_eq!(desk.send(request(&["x-login-pass"])).await.status(), 200);
    assert_eq!(desk.application.header("x-login-pass"), None);
}

#[tokio::test]
async fn the_header_has_the_prefix_of_the_layer() {
    let desk = Desk::set(|builder| builder.header_prefix("x-acme").passes(passes()).rule(login()));
    let response = desk.login(&json!({"token": "650 t", "phone": PHONE})).await;
    let pass = response.headers()["x-acme-pass"].clone();
    assert!(pass.is_sensitive());
    let mut request = post_json("/login", solved().to_string());
    request.headers_mut().insert("x-acme-pass", pass);
    assert_eq!(desk.send(request).await.status(), 200);
    assert_eq!(desk.application.header("x-acme-pass"), None);
}

#[tokio::test]
async fn an_answer_of_a_closure_carries_the_pass_as_well() {
    let rule = login().respond(|_, denial| {
        assert!(denial.pass().is_some());
        Some(http::Response::builder().status(303).body(bytes::Bytes::new()).unwrap())
    });
    let desk = Desk::set(|builder| builder.passes(passes()).rule(rule));
    let response = desk.login(&json!({"token": "650 t", "phone": PHONE})).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let pass = response.headers()[PASS].to_str().unwrap().to_owned();
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
}

#[tokio::test]
async fn a_refused_grpc_call_has_the_pass_among_its_metadata() {
    let fields = number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    let rule = Rule::post("/a.B/Login", fields.step_up_captcha(Field::header("x-captcha"))).grpc_answers(true);
    let desk = Desk::set(|builder| builder.passes(passes()).rule(rule));
    let call = |headers: &[(&'static str, &str)]| {
        let mut request = http::Request::post("/a.B/Login").body(http_body_util::Full::default()).unwrap();
        request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        for (name, value) in headers {
            request.headers_mut().insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        request
    };
    let response = desk.send(call(&[("x-token", "650 t"), ("x-phone", PHONE)])).await;
    assert_eq!((response.status().as_u16(), response.headers()["grpc-status"].to_str().unwrap()), (200, "7"));
    let pass = response.headers()[PASS].to_str().unwrap().to_owned();
    let response = desk.send(call(&[(PASS, &pass), ("x-phone", PHONE), ("x-captcha", "solved")])).await;
    assert_eq!((response.status().as_u16(), response.headers().get("grpc-status")), (200, None));
}
