//! The same layer mounted twice, one service inside of the other: a request is paid for once.

use axum::{Router, routing::post};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_jverify::{
    Ask, CheckKind, Class, Decision, Field, JVerifyLayer, Media, Phone, Policy, Rule, Verdict, captcha, number, one_tap,
};

use super::PHONE;
use crate::support::{Application, Guarded, LOGIN, Sandboxed, Verifier, builder, post_json, send_through, unchanged};

const BOTH: &str = r#"{"captchaContent":"c","token":"t","phone":"13812345678"}"#;

/// Sends a request through two services, with a middleware between them. Returns the status.
async fn through<M>(outer: &Guarded, between: M, inner: &Guarded, request: Request<Full<Bytes>>) -> u16
where
    M: Fn(Request<Full<Bytes>>) -> Request<Full<Bytes>> + Clone + Send + 'static,
{
    send_through(&outer.layer, between, inner.service(), request).await
}

/// As [`through`], twice through the same layer.
async fn twice<M>(guarded: &Guarded, between: M, request: Request<Full<Bytes>>) -> u16
where
    M: Fn(Request<Full<Bytes>>) -> Request<Full<Bytes>> + Clone + Send + 'static,
{
    through(guarded, between, guarded, request).await
}

fn decision(application: &Application) -> Decision {
    application.last().parts.extensions.get::<Decision>().cloned().unwrap()
}

/// A verifier that passes everything, and a layer with one rule for `POST /login`.
fn login(ask: impl Into<Ask>) -> Guarded {
    let verifier = Verifier::answering(|check| {
        let verdict = Verdict::new(check.kind(), Class::Passed);
        let is_one_tap = check.kind() == CheckKind::OneTap;
        Some(if is_one_tap { verdict.with_phone(Phone::parse(PHONE)?) } else { verdict })
    });
    Guarded::asking(verifier, |verifier| builder(verifier).rule(Rule::post("/login", ask)).build().unwrap())
}

#[tokio::test]
async fn every_kind_of_proof_is_asked_about_once() {
    let cases: [(Ask, &str, &[CheckKind]); 6] = [
        (number().into(), LOGIN, &[CheckKind::Number]),
        (captcha().into(), r#"{"captchaContent":"c"}"#, &[CheckKind::Captcha]),
        (captcha().then(number()), BOTH, &[CheckKind::Captcha, CheckKind::Number]),
        (captcha().or(number()).into(), LOGIN, &[CheckKind::Number]),
        (number().with_risk().into(), LOGIN, &[CheckKind::Number, CheckKind::Risk]),
        (one_tap().into(), r#"{"loginToken":"l"}"#, &[CheckKind::OneTap]),
    ];
    for (ask, body, kinds) in cases {
        let guarded = login(ask);
        assert_eq!(twice(&guarded, unchanged, post_json("/login", body)).await, 200, "{body}");
        assert_eq!(guarded.verifier.kinds(), kinds, "{body}");
        assert_eq!(decision(&guarded.application).verdicts().len(), kinds.len(), "{body}");
        let seen = guarded.application.last();
        assert_eq!(seen.body.unwrap(), body);
        assert_eq!(seen.parts.headers.get_all("x-jverify-decision").iter().count(), 1, "{body}");
        assert_eq!(guarded.application.header("x-jverify-checks").unwrap().split(',').count(), kinds.len(), "{body}");
    }
}

#[tokio::test]
async fn around_a_router_and_on_the_one_nested_in_it() {
    let desk = Sandboxed::new(Rule::post("/api/login", number()).forward_phone(true));
    let login = post(|decision: axum::Extension<Decision>| async move { format!("{:?}", decision.phone().is_some()) });
    let inside = Router::new().route("/login", login).layer(desk.layer.clone());
    let app = desk.layer.around(Router::new().nest("/api", inside));
    // The sandbox takes this token once, as JPush takes every token.
    let body = format!(r#"{{"token":"sandbox-once-9000","phone":"{PHONE}"}}"#);
    let request = || post_json("/api/login", body.clone()).map(axum::body::Body::new);
    let response = app.clone().oneshot(request()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "true");
    assert_eq!(desk.asked(), [CheckKind::Number]);

    assert_eq!(app.oneshot(request()).await.unwrap().status(), 403, "a second request with the same token");
    assert!(desk.asked().is_empty(), "which is refused without a call");
}

#[tokio::test]
async fn a_captcha_that_a_risk_asked_for_is_solved_once() {
    let desk = Sandboxed::new(Rule::post("/login", number()).policy(Policy::default()));
    let service = desk.layer.layer(desk.layer.layer(desk.application.clone()));
    let body = format!(r#"{{"captchaContent":"sandbox-pass","token":"sandbox-9000-risk-700","phone":"{PHONE}"}}"#);
    let response = service.oneshot(post_json("/login", body)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(desk.asked(), [CheckKind::Number, CheckKind::Captcha]);
}

#[tokio::test]
async fn a_body_that_the_layer_rewrites_means_the_same_check() {
    for rule in [Rule::post("/login", number()).pin_phone(true), Rule::post("/login", number()).canonical_body(true)] {
        let guarded = Guarded::by([rule]);
        let body = r#"{ "token": "t", "phone": "13812345678" }"#;
        assert_eq!(twice(&guarded, unchanged, post_json("/login", body)).await, 200);
        assert_eq!(guarded.verifier.calls(), 1);
    }
}

#[tokio::test]
async fn what_the_middleware_between_has_changed_is_asked_about() {
    type Change = fn(Request<Full<Bytes>>) -> Request<Full<Bytes>>;
    let changes: [(&str, Change); 4] = [
        ("the phone", |request| request.map(|_| Full::from(r#"{"token":"tok-canary-7f3a","phone":"13912345678"}"#))),
        ("the token", |request| request.map(|_| Full::from(r#"{"token":"another","phone":"13812345678"}"#))),
        ("where one part ends", |request| {
            request.map(|_| Full::from(r#"{"token":"tok-canary-7f3a1","phone":"3812345678"}"#))
        }),
        ("the decision", |mut request| {
            request.extensions_mut().remove::<Decision>();
            request
        }),
    ];
    for (what, change) in changes {
        let guarded = Guarded::login();
        let status = twice(&guarded, change, post_json("/login", LOGIN)).await;
        let (calls, expected) = if what == "where one part ends" { (1, 400) } else { (2, 200) };
        assert_eq!((status, guarded.verifier.calls()), (expected, calls), "{what}");
    }
}

#[tokio::test]
async fn another_claim_with_the_same_login_token_is_compared_with_the_answer_again() {
    let guarded = login(one_tap());
    let claims = |phone: &str| Full::from(format!(r#"{{"loginToken":"l","phone":"{phone}"}}"#));
    let request = post_json("/login", "").map(|_| claims(PHONE));
    assert_eq!(twice(&guarded, unchanged, request.clone()).await, 200);
    assert_eq!(guarded.verifier.calls(), 1);
    let change = move |request: Request<Full<Bytes>>| request.map(|_| claims("13999998888"));
    assert_eq!(twice(&guarded, change, request).await, 403, "the answer is another phone");
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (3, 1));
}

#[tokio::test]
async fn another_rule_of_the_layer_asks_although_the_checks_are_equal() {
    let guarded = Guarded::by([Rule::post("/login", number()), Rule::post("/pay", number())]);
    let to_pay = |mut request: Request<Full<Bytes>>| {
        *request.uri_mut() = "/pay".parse().unwrap();
        request
    };
    assert_eq!(twice(&guarded, to_pay, post_json("/login", LOGIN)).await, 200);
    assert_eq!(guarded.verifier.calls(), 2);
}

#[tokio::test]
async fn another_layer_with_the_same_rule_asks() {
    let rule = Rule::post("/login", number());
    let (outer, inner) = (Guarded::by([rule.clone()]), Guarded::by([rule]));
    // Each layer also wraps a second service, so a mark of the layer itself could be expected inside.
    let _others = [outer.service(), inner.service()];
    assert_eq!(through(&outer, unchanged, &inner, post_json("/login", LOGIN)).await, 200);
    assert_eq!((outer.verifier.calls(), inner.verifier.calls()), (1, 1));
}

#[tokio::test]
async fn with_another_layer_between_each_layer_asks_once() {
    let (numbers, captchas) = (login(number()), login(captcha()));
    let application = &captchas.application;
    let inner = captchas.layer.layer(numbers.layer.layer(application.clone()));
    let service = numbers.layer.layer(captchas.layer.layer(inner));
    assert_eq!(service.oneshot(post_json("/login", BOTH)).await.unwrap().status(), 200);
    assert_eq!((numbers.verifier.calls(), captchas.verifier.calls()), (1, 1));
    assert_eq!(application.header("x-jverify-checks").as_deref(), Some("number,captcha"));
    assert_eq!(decision(application).phone(), Phone::parse("13812345678"));
}

#[tokio::test]
async fn a_refusal_by_the_outer_service_is_the_only_call() {
    let verifier = Verifier::of_class(Class::Rejected);
    let guarded = Guarded::asking(verifier, |verifier: &Verifier| -> JVerifyLayer<Verifier> {
        builder(verifier).rule(Rule::post("/login", number())).build().unwrap()
    });
    assert_eq!(twice(&guarded, unchanged, post_json("/login", LOGIN)).await, 403);
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (1, 0));
}

#[tokio::test]
async fn a_form_is_read_again_like_json() {
    let guarded = Guarded::by([Rule::post("/login", number().token(Field::body("/token"))).accept([Media::Form])]);
    let request = Request::post("/login").header("content-type", "application/x-www-form-urlencoded");
    let request = request.body(Full::from("token=t&phone=13812345678")).unwrap();
    assert_eq!(twice(&guarded, unchanged, request).await, 200);
    assert_eq!(guarded.verifier.calls(), 1);
}
