//! Forged `x-jverify-*` headers never reach the application.

use http::{HeaderMap, HeaderName, HeaderValue};
use tower_jverify::{Check, Class, Risk, Rule, Verdict, captcha, number};

use super::FORGED;
use crate::support::{Guarded, LOGIN, Verifier, builder, login_layer, post_json};

/// The `x-jverify-*` names, as an application may spell them, among the headers that reached it.
fn ours(headers: &HeaderMap) -> Vec<&str> {
    let bent = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    headers.keys().map(HeaderName::as_str).filter(|name| bent(name).starts_with("x-jverify")).collect()
}

fn forged(path: &str) -> http::Request<http_body_util::Full<bytes::Bytes>> {
    let mut request = post_json(path, LOGIN);
    for name in FORGED {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().append(name.clone(), HeaderValue::from_static("forged"));
        request.headers_mut().append(name, HeaderValue::from_static("again"));
    }
    request
}

#[tokio::test]
async fn forged_headers_are_gone_on_unmatched_routes() {
    let guarded = Guarded::login();
    let seen = guarded.leaves_alone(forged("/health"), "unmatched").await;
    assert!(ours(&seen.parts.headers).is_empty(), "{:?}", ours(&seen.parts.headers));
    assert_eq!(seen.parts.headers["content-type"], "application/json");
}

#[tokio::test]
async fn forged_headers_are_removed_on_guarded_routes_and_those_of_the_layer_are_there_once() {
    let guarded = Guarded::login();
    let seen = guarded.verifies(forged("/login"), "guarded").await;
    let headers = &seen.parts.headers;
    let mut names = ours(headers);
    names.sort_unstable();
    let expected = [
        "x-jverify-checks",
        "x-jverify-decision",
        "x-jverify-id",
        "x-jverify-reason",
        "x-jverify-risk-level",
        "x-jverify-risk-score",
    ];
    assert_eq!(names, expected);
    for name in expected {
        assert_eq!(headers.get_all(name).iter().count(), 1, "{name}");
        assert!(headers[name] != "forged" && headers[name] != "again", "{name}");
    }
    assert_eq!(headers["x-jverify-decision"], "allow");
    assert_eq!(headers["x-jverify-risk-score"], "0");
}

#[tokio::test]
async fn forged_headers_are_gone_where_another_value_passes() {
    let guarded = Guarded::by([Rule::post("/login", number())
        .when(tower_jverify::Field::body("/loginType"), "oneclick")
        .otherwise_pass()]);
    let seen = guarded.passes_not_guarded(forged("/login"), "another value").await;
    assert_eq!(ours(&seen.parts.headers), ["x-jverify-decision"]);
}

#[tokio::test]
async fn forged_headers_are_gone_from_a_preflight() {
    let guarded = Guarded::by([Rule::any_method("/login", number()).preflight_passes()]);
    let (mut parts, _) = forged("/login").into_parts();
    parts.method = http::Method::OPTIONS;
    parts.headers.insert("origin", HeaderValue::from_static("https://app.example"));
    parts.headers.insert("access-control-request-method", HeaderValue::from_static("POST"));
    let request = http::Request::from_parts(parts, http_body_util::Empty::<bytes::Bytes>::new());
    let seen = guarded.leaves_alone(request, "a preflight").await;
    assert!(ours(&seen.parts.headers).is_empty());
}

#[tokio::test]
async fn forged_headers_are_gone_over_a_real_socket() {
    let guarded = Guarded::login();
    guarded.removes_over_a_socket(&FORGED).await;
    assert_eq!(guarded.application.header("x-jverify-decision").as_deref(), Some("allow"));
}

#[tokio::test]
async fn a_risk_that_jpush_does_not_return_is_unknown_and_not_the_clients() {
    let answer = |check: &Check| Some(Verdict::new(check.kind(), Class::Passed).with_risk(Risk::Unknown));
    let guarded = Guarded::asking(Verifier::answering(answer), login_layer);
    let seen = guarded.verifies(forged("/login"), "no score").await;
    assert_eq!(seen.parts.headers["x-jverify-risk-level"], "unknown");
    assert_eq!(seen.parts.headers["x-jverify-decision"], "flag");
    assert!(!seen.parts.headers.contains_key("x-jverify-risk-score"));
    assert!(!seen.parts.headers.contains_key("x-jverify-risk-tags"));
}

#[tokio::test]
async fn a_risk_that_was_not_requested_is_not_in_the_headers() {
    let guarded = Guarded::by([Rule::post("/login", captcha())]);
    let mut request = forged("/login");
    *request.body_mut() = r#"{"captchaContent":"c"}"#.into();
    let headers = guarded.verifies(request, "a captcha").await.parts.headers;
    assert!(!headers.contains_key("x-jverify-risk-level") && !headers.contains_key("x-jverify-risk-score"));
    assert_eq!(headers["x-jverify-checks"], "captcha");
}

#[tokio::test]
async fn the_phone_is_forwarded_only_where_asked_for() {
    let forwarding = Guarded::with(|verifier| {
        builder(verifier).rule(Rule::post("/login", number()).forward_phone(true)).build().unwrap()
    });
    let headers = forwarding.verifies(forged("/login"), "forwarding").await.parts.headers;
    assert_eq!(headers.get_all("x-jverify-phone").iter().collect::<Vec<_>>(), ["13812345678"]);
    assert!(headers["x-jverify-phone"].is_sensitive());
    let headers = Guarded::login().verifies(forged("/login"), "not forwarding").await.parts.headers;
    assert!(!headers.contains_key("x-jverify-phone"));
}

#[tokio::test]
async fn another_prefix_is_stripped_and_used_instead() {
    let guarded = Guarded::with(|verifier| {
        builder(verifier).header_prefix("x-risk").rule(Rule::post("/login", number())).build().unwrap()
    });
    for path in ["/login", "/health"] {
        let mut request = post_json(path, LOGIN);
        for name in ["x-risk-decision", "x_risk_risk_score", "x-risk"] {
            request.headers_mut().append(name, HeaderValue::from_static("forged"));
        }
        request.headers_mut().append("x-riskier", HeaderValue::from_static("theirs"));
        request.headers_mut().append("x-jverify-decision", HeaderValue::from_static("theirs"));
        guarded.send(request).await;
        let headers = guarded.application.last().parts.headers;
        assert!(!headers.values().any(|value| value == "forged"), "{path}");
        assert_eq!(headers["x-riskier"], "theirs");
        assert_eq!(headers["x-jverify-decision"], "theirs");
        assert_eq!(headers.get("x-risk-decision").is_some_and(|value| value == "allow"), path == "/login");
    }
}
