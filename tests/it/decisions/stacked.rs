//! Two layers of this crate. In one process they recognise each other; over a network the inner one treats the outer one as a
//! stranger.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_jverify::{
    Action, Class, Decision, DecisionReason, Fallback, JPush, JVerifyLayer, Level, Phone, Policy, Rule, Sandbox,
    captcha, number, sandbox::Fault,
};

use super::PHONE;
use crate::support::{Application, jpush, noticing, post_json, serve};

fn layer(sandbox: &Sandbox, rule: Rule) -> JVerifyLayer<JPush<Sandbox>> {
    noticing(jpush(sandbox)).rule(rule).build().unwrap()
}

/// A captcha outside, a number inside.
async fn through_both(outer: Rule, inner: Rule, body: &Value) -> (Response<()>, Application, usize) {
    through_both_over(Sandbox::new(), outer, inner, body).await
}

async fn through_both_over(
    sandbox: Sandbox,
    outer: Rule,
    inner: Rule,
    body: &Value,
) -> (Response<()>, Application, usize) {
    let application = Application::default();
    let service = layer(&sandbox, outer).layer(layer(&sandbox, inner).layer(application.clone()));
    let response = service.oneshot(post_json("/login", body.to_string())).await.unwrap();
    (response.map(drop), application, sandbox.calls().len())
}

fn decision(application: &Application) -> Decision {
    application.last().parts.extensions.get::<Decision>().cloned().unwrap()
}

#[tokio::test]
async fn the_worst_action_the_highest_risk_and_both_lists_are_shown() {
    let numbers = |token: &str| json!({"captchaContent": "sandbox-pass", "token": token, "phone": PHONE});
    for (outer, inner, body, word, score, checks) in [
        (
            Rule::post("/login", captcha()),
            Rule::post("/login", number()),
            numbers("sandbox-9000-risk-450"),
            "flag",
            "450",
            "captcha,number",
        ),
        // What the outer one flagged stays flagged, whatever the inner one found.
        (
            Rule::post("/login", number()),
            Rule::post("/login", captcha()),
            numbers("sandbox-9000-risk-450"),
            "flag",
            "450",
            "number,captcha",
        ),
        (
            Rule::post("/login", captcha()),
            Rule::post("/login", number().with_risk()),
            numbers("sandbox-9000-risk-0"),
            "allow",
            "0",
            "captcha,number,risk",
        ),
    ] {
        let (response, application, calls) = through_both(outer, inner, &body).await;
        assert_eq!(response.status(), 200, "{checks}");
        let header = |name: &str| application.header(name);
        assert_eq!(header("x-jverify-decision").as_deref(), Some(word), "{checks}");
        assert_eq!(header("x-jverify-risk-score").as_deref(), Some(score), "{checks}");
        assert_eq!(header("x-jverify-checks").as_deref(), Some(checks));
        assert_eq!(header("x-jverify-id").unwrap().split(',').count(), calls, "{checks}");
        let decision = decision(&application);
        assert_eq!(decision.verdicts().len(), calls, "{checks}");
        assert_eq!(decision.phone(), Phone::parse(PHONE), "{checks}");
        assert!(decision.is_verified() && decision.is_sandbox(), "{checks}");
        let headers = application.last().parts.headers;
        assert_eq!(headers.get_all("x-jverify-decision").iter().count(), 1, "{checks}");
    }
}

#[tokio::test]
async fn a_risk_that_either_does_not_know_is_unknown() {
    let (unknown, low) = ("sandbox-9000-risk-unknown", "sandbox-9000-risk-0");
    for (outer_token, inner_token) in [(unknown, low), (low, unknown)] {
        use tower_jverify::Field;
        let outer = Rule::post("/login", number().token(Field::body("/outer")));
        let inner = Rule::post("/login", number().token(Field::body("/inner")));
        let body = json!({"outer": outer_token, "inner": inner_token, "phone": PHONE});
        let (response, application, _) = through_both(outer, inner, &body).await;
        assert_eq!(response.status(), 200, "{body}");
        let decision = decision(&application);
        assert_eq!((decision.level(), decision.action()), (Some(Level::Unknown), Action::Flag), "{body}");
        assert_eq!(application.header("x-jverify-risk-level").as_deref(), Some("unknown"), "{body}");
    }
}

#[tokio::test]
async fn two_layers_that_prove_different_phones_hand_on_no_phone() {
    use tower_jverify::Field;
    let outer = Rule::post("/login", number().token(Field::body("/a")).phone(Field::body("/b")));
    let inner = Rule::post("/login", number()).forward_phone(true);
    let body = json!({"a": "sandbox-9000", "b": "13900000000", "token": "sandbox-9000", "phone": PHONE});
    let (response, application, _) = through_both(outer, inner, &body).await;
    assert_eq!(response.status(), 200);
    assert_eq!(decision(&application).phone(), None);
    assert_eq!(application.header("x-jverify-phone"), None);
}

#[tokio::test]
async fn what_one_of_them_opened_is_unverified() {
    let open = |rule: Rule| rule.policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    let body = json!({"captchaContent": "sandbox-pass", "token": "sandbox-9000", "phone": PHONE});
    for answered in [0, 1] {
        let (outer, inner) = (open(Rule::post("/login", captcha())), open(Rule::post("/login", number())));
        let sandbox = Sandbox::new();
        sandbox.fault_next(answered, &Fault::Delay(std::time::Duration::ZERO));
        // A dial that fails is tried once more.
        sandbox.fault_next(2, &Fault::Refuse);
        let (response, application, _) = through_both_over(sandbox, outer, inner, &body).await;
        assert_eq!(response.status(), 200, "{body}");
        assert_eq!(application.header("x-jverify-decision").as_deref(), Some("unverified"), "{body}");
        assert_eq!(decision(&application).reason(), DecisionReason::Unavailable, "{body}");
    }
}

#[tokio::test]
async fn an_inner_layer_that_guards_nothing_here_leaves_the_outer_ones_word() {
    let (sandbox, application) = (Sandbox::new(), Application::default());
    let inner = layer(&sandbox, Rule::post("/elsewhere", captcha()));
    let service = layer(&sandbox, Rule::post("/login", number())).layer(inner.layer(application.clone()));
    let mut request = post_json("/login", json!({"token": "sandbox-9000-risk-300", "phone": PHONE}).to_string());
    request.headers_mut().insert("x-jverify-anything", "forged".parse().unwrap());
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
    assert_eq!(application.header("x-jverify-decision").as_deref(), Some("flag"));
    assert_eq!(application.header("x-jverify-anything"), None);
}

#[tokio::test]
async fn over_a_network_the_outer_ones_headers_are_a_strangers() {
    let (sandbox, application) = (Sandbox::new(), Application::default());
    let backend = serve(layer(&sandbox, Rule::post("/register", number())).layer(application.clone())).await;

    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let hop = service_fn(move |request: Request<_>| {
        let client = client.clone();
        async move {
            let (mut parts, body) = Request::into_parts(request);
            assert_eq!(parts.headers["x-jverify-decision"], "allow");
            parts.uri = format!("http://{backend}{}", parts.uri.path()).parse()?;
            let body = tower_jverify::RequestBody::collect(body).await.map_err(|_| "no body")?.to_bytes();
            let response = client.request(Request::from_parts(parts, Full::new(body))).await?;
            Ok::<_, BoxError>(response.map(|_| Full::<Bytes>::default()))
        }
    });
    let outer = layer(&sandbox, Rule::any_method("/{*all}", number())).layer(hop);
    let proof = || json!({"token": "sandbox-9000", "phone": PHONE}).to_string();

    assert_eq!(outer.clone().oneshot(post_json("/login", proof())).await.unwrap().status(), 200);
    let seen = application.last().parts;
    assert!(!seen.headers.keys().any(|name| name.as_str().contains("jverify")), "{seen:?}");
    assert!(seen.extensions.get::<Decision>().is_none());

    assert_eq!(outer.oneshot(post_json("/register", proof())).await.unwrap().status(), 200);
    assert_eq!(application.header("x-jverify-checks").as_deref(), Some("number"), "only its own");
    assert_eq!(application.last().parts.headers.get_all("x-jverify-decision").iter().count(), 1);
}

#[tokio::test]
async fn a_client_cannot_ask_for_the_phones_header() {
    let (sandbox, application) = (Sandbox::new(), Application::default());
    let outer = noticing(jpush(&sandbox)).rule(Rule::post("/login", captcha())).header_prefix("x-edge");
    let inner = layer(&sandbox, Rule::post("/login", number())).layer(application.clone());
    let body = json!({"captchaContent": "sandbox-pass", "token": "sandbox-9000", "phone": PHONE});
    let mut request = post_json("/login", body.to_string());
    request.headers_mut().insert("x-jverify-phone", "1".parse().unwrap());
    let response = outer.build().unwrap().layer(inner).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(application.header("x-jverify-phone"), None);
}
