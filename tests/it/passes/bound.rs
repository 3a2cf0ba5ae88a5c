//! A pass is for one request: its method, its path, and the phone that the application reads.

use axum::{Router, routing::post};
use http::Method;
use serde_json::json;
use tower_jverify::{
    Action, DenialReason, Field, Guards, JVerifyLayer, Level, Policy, Question, Rule, Verdict, number, one_tap,
};

use super::{Desk, OTHER, PASS, PHONE, denial_reason, issued, login, next, passes, solved, verifier, with_pass};
use crate::support::{Verifier, post_json};

#[tokio::test]
async fn a_pass_of_one_path_is_refused_on_another() {
    let desk = Desk::set(|builder| builder.passes(passes()).rule(Rule::any_request(number())));
    let at = |path: &str, body: &serde_json::Value| post_json(path, body.to_string());
    let pass = issued(&desk.send(at("/newsletter", &json!({"token": "650 t", "phone": PHONE}))).await);
    for path in ["/transfer", "/newsletter/", "/Newsletter", "/n%65wsletter", "/"] {
        let response = desk.send(with_pass(&pass, at(path, &solved()))).await;
        assert_eq!(denial_reason(&response), Some(DenialReason::PassInvalid), "{path}");
    }
    // The query is not the path.
    assert_eq!(desk.send(with_pass(&pass, at("/newsletter?from=app", &solved()))).await.status(), 200);
}

#[tokio::test]
async fn a_pass_of_one_method_is_refused_for_another() {
    let rule = Rule::any_method("/login", number()).name("login");
    let desk = Desk::set(|builder| builder.passes(passes()).rule(rule));
    let pass = desk.earned().await;
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        let mut request = with_pass(&pass, post_json("/login", solved().to_string()));
        *request.method_mut() = method.clone();
        let response = desk.send(request).await;
        assert_eq!(denial_reason(&response), Some(DenialReason::PassInvalid), "{method}");
    }
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
}

/// Rules without a name have the same one in two layers.
#[tokio::test]
async fn a_pass_of_one_layer_is_refused_on_another_path_of_another_layer() {
    let guards = Guards::new();
    let rule = || Rule::any_request(number());
    let cheap = Desk::set(|builder| builder.guards(&guards).passes(passes()).retry_pass([401]).rule(rule()));
    let strict = Desk::set(|builder| builder.guards(&guards).passes(passes()).rule(rule()));
    cheap.answers(401);
    let response = cheap.send(post_json("/guess", json!({"token": "100 t", "phone": PHONE}).to_string())).await;
    let pass = response.headers()[PASS].to_str().unwrap().to_owned();
    let response = strict.send(with_pass(&pass, post_json("/transfer", json!({"phone": PHONE}).to_string()))).await;
    assert_eq!(denial_reason(&response), Some(DenialReason::PassInvalid));
}

/// Both routers see `/login`.
#[tokio::test]
async fn a_pass_of_one_nested_router_is_refused_in_another() {
    let guards = Guards::new();
    let nested = || {
        let layer = JVerifyLayer::builder(verifier()).guards(&guards).passes(passes()).rule(login()).build().unwrap();
        Router::new().route("/login", post(|| async { "logged in" })).layer(layer)
    };
    let router = Router::new().nest("/one", nested()).nest("/two", nested());
    let send = |path: &str, pass: Option<&str>, body: serde_json::Value| {
        let request = post_json(path, body.to_string());
        let request = pass.map_or(request.clone(), |pass| with_pass(pass, request));
        tower::ServiceExt::oneshot(router.clone(), request.map(axum::body::Body::new))
    };
    let response = send("/one/login", None, json!({"token": "650 t", "phone": PHONE})).await.unwrap();
    let pass = response.headers()[PASS].to_str().unwrap().to_owned();
    let response = send("/two/login", Some(&pass), solved()).await.unwrap();
    assert_eq!(denial_reason(&response), Some(DenialReason::PassInvalid));
    assert_eq!(send("/one/login", Some(&pass), solved()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_pass_is_for_the_phone_that_the_application_reads() {
    let policy = Policy::default().band(600, Level::Medium, Action::Flag);
    let desk = Desk::set(|builder| builder.passes(passes()).rule(login().policy(policy)).retry_pass([401]));
    let earn = || async {
        desk.answers(401);
        let response = desk.login(&json!({"token": format!("100 {}", next()), "phone": PHONE})).await;
        desk.answers(200);
        response.headers()[PASS].to_str().unwrap().to_owned()
    };
    let pass = earn().await;
    for (body, what) in [
        (format!(r#"{{"phone":"{PHONE}","phone":"{OTHER}"}}"#), "twice"),
        (format!(r#"{{"phone":"{PHONE}","Phone":"{OTHER}"}}"#), "in another case"),
        (format!(r#"{{"phone":"{PHONE}","pho\u006ee":"{OTHER}"}}"#), "escaped"),
        (format!(r#"{{"phone":["{PHONE}","{OTHER}"]}}"#), "a list"),
        (format!(r#"{{"phone":{{"phone":"{PHONE}"}}}}"#), "an object"),
        (format!(r#"{{"phone":"{OTHER}"}}"#), "another"),
        (r#"{"phone":null}"#.to_owned(), "null"),
        (r#"{"phone":""}"#.to_owned(), "empty"),
        ("{}".to_owned(), "absent"),
        (format!(r#"{{"token":[],"phone":"{PHONE}"}}"#), "a token that is a list"),
        (format!(r#"{{"token":1,"phone":"{PHONE}"}}"#), "a token that is a number"),
    ] {
        let response = desk.send(with_pass(&pass, post_json("/login", body))).await;
        assert!(response.status().is_client_error(), "{what}: {}", response.status());
    }
    assert_eq!(desk.application.runs(), 1);
    let body = format!(r#"{{"token":null,"phone":"{PHONE}"}}"#);
    assert_eq!(desk.send(with_pass(&pass, post_json("/login", body))).await.status(), 200);
    assert_eq!(desk.decision().phone().unwrap().as_str(), PHONE);
}

#[tokio::test]
async fn a_pass_and_a_one_tap_login_of_another_phone_are_a_mismatch() {
    let verifier = Verifier::answering(|check| {
        let verdict = Verdict::new(check.kind(), tower_jverify::Class::Passed);
        Some(match check.question() {
            Question::OneTap { .. } => verdict.with_phone(OTHER.parse().unwrap()),
            _ => verdict,
        })
    });
    let rule = Rule::post("/login", number().then(one_tap().phone(Field::body("/claimed")))).name("login");
    let desk = Desk::asking(verifier, |builder| builder.passes(passes()).retry_pass([401]).rule(rule));
    let earn = |phone: &'static str| {
        let desk = &desk;
        async move {
            desk.answers(401);
            let token = format!("t{}", next());
            let body = json!({"token": token, "phone": phone, "loginToken": token, "claimed": phone});
            let response = desk.login(&body).await;
            desk.answers(200);
            response.headers().get(PASS).map(|pass| pass.to_str().unwrap().to_owned())
        }
    };
    assert_eq!(earn(PHONE).await, None, "the first two do not agree");
    let pass = earn(OTHER).await.unwrap();
    // Alone it is not enough, and not for another phone.
    let alone = desk.by_pass(&pass, &json!({"phone": OTHER})).await;
    assert_eq!(denial_reason(&alone), Some(DenialReason::ProofMissing));
    let other = desk.by_pass(&pass, &json!({"phone": PHONE, "loginToken": "m"})).await;
    assert_eq!(denial_reason(&other), Some(DenialReason::PassInvalid));
    assert_eq!(desk.by_pass(&pass, &json!({"phone": OTHER, "loginToken": "n"})).await.status(), 200);
}
