//! `guard_unless`: which requests pass, what the closure sees, and what does not change.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, header::CONTENT_TYPE, request::Parts};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tower::{Layer, ServiceExt};
use tower_jverify::{Decision, Field, ForeignBackend, Rule, captcha, number};

use crate::support::{Application, Guarded, LOGIN, Verifier, builder, login_layer, post_json};

/// What a session layer outside inserts.
#[derive(Clone)]
struct Session {
    checked: bool,
}

fn is_checked(head: &Parts) -> bool {
    head.extensions.get::<Session>().is_some_and(|session| session.checked)
}

fn login() -> Rule {
    Rule::post("/login", number())
}

fn in_session(checked: bool, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request.extensions_mut().insert(Session { checked });
    request
}

#[tokio::test]
async fn a_request_with_a_session_passes_and_all_others_are_guarded() {
    let guarded = Guarded::by([login().guard_unless(is_checked)]);
    for body in [LOGIN, "{}", "no json", ""] {
        let seen = guarded.passes_not_guarded(in_session(true, post_json("/login", body)), body).await;
        assert_eq!(seen.body.unwrap(), body);
        assert_eq!(seen.size_hint.exact(), Some(body.len() as u64));
        assert!(seen.parts.extensions.get::<Decision>().is_none());
        let ours = seen.parts.headers.keys().filter(|name| name.as_str().starts_with("x-jverify"));
        assert_eq!(ours.count(), 1);
    }
    guarded.refuses(in_session(false, post_json("/login", "{}")), "proof_missing", "not checked").await;
    guarded.refuses(post_json("/login", "{}"), "proof_missing", "no session").await;
    guarded.verifies(in_session(false, post_json("/login", LOGIN)), "not checked").await;
    guarded.verifies(post_json("/login", LOGIN), "no session").await;
    // In every spelling of the path, and by no rule elsewhere.
    guarded.passes_not_guarded(in_session(true, post_json("/LOGIN/", "")), "spelling").await;
    guarded.leaves_alone(in_session(true, post_json("/health", "")), "unmatched").await;
}

#[tokio::test]
async fn the_closure_sees_no_header_that_the_client_wrote_under_our_prefix() {
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let heads = Arc::clone(&seen);
    let guarded = Guarded::by([login().guard_unless(move |head| {
        *heads.lock().unwrap() = head.headers.clone();
        head.headers.keys().any(|name| name.as_str().contains("jverify"))
    })]);
    for name in ["x-jverify-decision", "X_Jverify_Decision", "x.jverify.phone", "x-jverify", "x_jverify~reason"] {
        let mut request = post_json("/login", "{}");
        request
            .headers_mut()
            .append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static("allow"));
        request.headers_mut().append("connection", HeaderValue::from_static("x-jverify-decision, keep-alive"));
        request.headers_mut().append("x-other", HeaderValue::from_static("stays"));
        guarded.refuses(request, "proof_missing", name).await;
        let seen = seen.lock().unwrap();
        assert_eq!(seen["x-other"], "stays");
        assert_eq!(seen["connection"], "keep-alive", "{name}");
    }
}

#[tokio::test]
async fn forged_headers_and_trailers_are_removed_from_a_request_that_guard_unless_lets_through() {
    let guarded = Guarded::by([login().guard_unless(is_checked)]);
    let mut trailers = HeaderMap::new();
    trailers.insert("x-jverify-decision", HeaderValue::from_static("allow"));
    trailers.insert("x_jverify_phone", HeaderValue::from_static("13800000000"));
    trailers.insert("x-checksum", HeaderValue::from_static("1"));
    let frames =
        [Frame::data(Bytes::from_static(b"a")), Frame::data(Bytes::from_static(b"b")), Frame::trailers(trailers)];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>)));
    let request = Request::post("/login").header(CONTENT_TYPE, "x/y").header("x-jverify-phone", "13800000000");
    let request = request.header("x-jverify-decision", "allow").header("x_jverify_decision", "allow");
    let seen =
        guarded.passes_not_guarded(request.extension(Session { checked: true }).body(body).unwrap(), "forged").await;
    assert_eq!(seen.body.unwrap(), "ab");
    assert!(
        !seen.parts.headers.contains_key("x-jverify-phone") && !seen.parts.headers.contains_key("x_jverify_decision")
    );
    let trailers = seen.trailers.unwrap();
    assert_eq!(trailers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["x-checksum"]);
}

#[tokio::test]
async fn a_panic_means_guarded() {
    let guarded = Guarded::by([login().guard_unless(|_| panic!("of the closure"))]);
    guarded.refuses(post_json("/login", "{}"), "proof_missing", "a panic").await;
    guarded.verifies(post_json("/login", LOGIN), "a panic").await;
}

/// The decision is made on the head: a body that never comes is not waited for.
#[tokio::test]
async fn the_closure_runs_once_before_the_body_is_read() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let verifier = Verifier::passing();
    let rule = login().guard_unless(move |head| {
        counted.fetch_add(1, Ordering::Relaxed);
        is_checked(head)
    });
    let layer = builder(&verifier).rule(rule).body_limit(4).buffered(64).build().unwrap();
    let application = tower::service_fn(|request: Request<_>| async {
        // Not read to its end.
        drop(request);
        Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::default()))
    });
    let body = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, io::Error>>());
    let request = Request::post("/login").extension(Session { checked: true }).body(body).unwrap();
    assert_eq!(layer.layer(application).oneshot(request).await.unwrap().status(), 200);
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    // A body over the limit is the application's.
    let application = Application::default();
    let large = in_session(true, post_json("/login", vec![b'x'; 100_000]));
    layer.layer(application.clone()).oneshot(large).await.unwrap();
    assert_eq!(application.last().body.unwrap().len(), 100_000);
    assert_eq!((runs.load(Ordering::Relaxed), verifier.calls()), (2, 0));
}

#[tokio::test]
async fn rules_of_one_path_let_a_request_by_only_together() {
    let of = |value: &str| Rule::post("/login", number()).when(Field::body("/type"), value);
    let (yes, no) = (|_: &Parts| true, |_: &Parts| false);
    let body = r#"{"type":"sms","token":"t","phone":"13812345678"}"#;
    let both = Guarded::by([of("sms").guard_unless(yes), of("password").guard_unless(is_checked)]);
    both.verifies(post_json("/login", body), "one of two").await;
    both.verifies(in_session(false, post_json("/login", body)), "one of two").await;
    both.passes_not_guarded(in_session(true, post_json("/login", body)), "both").await;
    let neither = Guarded::by([of("sms").guard_unless(yes), of("x").guard_unless(yes), login().guard_unless(no)]);
    neither.verifies(post_json("/login", body), "the last says no").await;
    // Where other values pass anyway.
    let others = Guarded::by([of("sms").otherwise_pass().guard_unless(is_checked)]);
    others.verifies(post_json("/login", body), "guarded").await;
    others.passes_not_guarded(in_session(true, post_json("/login", "no json")), "let by").await;
    // A rule for POST and a rule for any method: the rule for POST alone decides.
    let methods = Guarded::by([login(), Rule::any_method("/login", captcha()).guard_unless(yes)]);
    methods.verifies(post_json("/login", LOGIN), "its own rule").await;
    let put = Request::put("/login").body(Full::<Bytes>::default()).unwrap();
    methods.passes_not_guarded(put, "the other rule").await;
}

#[test]
fn a_closure_that_could_never_let_a_request_by_is_refused_with_its_rule() {
    let of = |value: &str| Rule::post("/login", number()).when(Field::body("/type"), value);
    let yes = |_: &Parts| true;
    let verifier = Verifier::passing();
    let build = |rules: Vec<Rule>| builder(&verifier).rules(rules).build();
    for rules in [
        vec![of("sms").guard_unless(yes), of("password")],
        vec![of("sms").guard_unless(yes), login()],
        vec![of("sms"), login().guard_unless(yes)],
    ] {
        let error = build(rules).unwrap_err();
        assert_eq!(error.setting(), "rule.guard_unless");
        assert!(error.rule().is_some_and(|rule| rule.starts_with("POST /login")), "{error}");
    }
    assert!(build(vec![of("sms").guard_unless(yes), login().guard_unless(yes)]).is_ok());
    assert!(build(vec![Rule::any_request(number()).guard_unless(yes), login()]).is_ok());
    // The rule for any method still lets other methods by.
    assert!(build(vec![of("sms"), Rule::any_method("/login", captcha().or(number())).guard_unless(yes)]).is_ok());
}

#[tokio::test]
async fn what_is_refused_by_its_path_or_method_stays_refused() {
    let yes = |_: &Parts| true;
    let guarded =
        Guarded::by([login().guard_unless(yes), Rule::post("/v1/{tenant}/login", number()).guard_unless(yes)]);
    for path in ["/login%2F", "/login%00", "/%256cogin", "/login%5C", "/v1/a%2fb/login", "/v1/mine;x/login"] {
        guarded.refuses(post_json(path, LOGIN), "path_ambiguous", path).await;
    }
    let verifier = Verifier::passing();
    let guarded = Guarded::asking(verifier, |verifier| {
        builder(verifier).rule(login().guard_unless(yes)).foreign_backend(ForeignBackend::any()).build().unwrap()
    });
    guarded.refuses(post_json("/login.json", LOGIN), "path_ambiguous", "foreign").await;
    let put = Request::put("/login").body(Full::<Bytes>::default()).unwrap();
    guarded.refuses(put, "method_not_allowed", "another method").await;
}

#[tokio::test]
async fn before_a_foreign_backend_its_headers_and_cookies_are_removed_all_the_same() {
    let guarded = Guarded::with(|verifier| {
        let rule = login().guard_unless(|head| {
            assert!(!head.headers.contains_key("x-http-method-override"), "the closure sees what the backend gets");
            true
        });
        builder(verifier).rule(rule).foreign_backend(ForeignBackend::any()).build().unwrap()
    });
    let mut request = post_json("/login", LOGIN);
    for (name, value) in [
        ("x-http-method-override", "PUT"),
        ("x-original-url", "/other"),
        ("cookie", "phone=13900000000; a=b"),
        ("http2-settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
        ("x-jverify-phone", "13900000000"),
    ] {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let seen = guarded.passes_not_guarded(request, "foreign").await.parts.headers;
    for gone in ["x-http-method-override", "x-original-url", "http2-settings", "x-jverify-phone"] {
        assert!(!seen.contains_key(gone), "{gone}");
    }
    assert_eq!(seen["cookie"], "a=b");
}

#[tokio::test]
async fn the_decision_of_an_outer_layer_stays() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let inner = builder(&verifier).rule(Rule::post("/login", captcha()).guard_unless(|_| true)).build().unwrap();
    let service = login_layer(&verifier).layer(inner.layer(application.clone()));
    let response = service.oneshot(post_json("/login", LOGIN)).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "application");
    assert_eq!(application.header("x-jverify-decision").as_deref(), Some("allow"));
    assert_eq!(application.header("x-jverify-checks").as_deref(), Some("number"));
    assert_eq!(verifier.calls(), 1);
}
