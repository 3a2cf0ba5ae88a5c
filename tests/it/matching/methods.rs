//! Which methods a rule guards.

use http::{Method, Request};
use http_body_util::Empty;
use tower_jverify::{CheckKind, Field, ForeignBackend, Rule, captcha, number};

use super::kinds_asked;
use crate::support::{Guarded, LOGIN, builder, post_json};

type Bodiless = Empty<bytes::Bytes>;

#[tokio::test]
async fn methods_compare_without_case() {
    let guarded = Guarded::login();
    for method in ["POST", "post", "Post", "pOsT"] {
        assert_eq!(kinds_asked(&guarded, method, "/login").await, [CheckKind::Number], "{method}");
    }
    for method in ["GET", "PUT", "OPTIONS", "POSTS", "get"] {
        assert_eq!(kinds_asked(&guarded, method, "/login").await, [], "{method}");
    }
    let lower = Guarded::by([Rule::method("purge".parse().unwrap(), "/login", number())]);
    for method in ["PURGE", "purge"] {
        assert_eq!(kinds_asked(&lower, method, "/login").await, [CheckKind::Number], "{method}");
    }
}

#[tokio::test]
async fn a_rule_for_any_method_guards_every_method() {
    let guarded = Guarded::by([Rule::any_method("/login", number())]);
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post", "PROPFIND", "BREW"] {
        assert_eq!(kinds_asked(&guarded, method, "/login").await, [CheckKind::Number], "{method}");
    }
}

#[tokio::test]
async fn a_header_that_overrides_the_method_is_no_way_around_a_rule_for_any_method() {
    let guarded = Guarded::by([Rule::any_method("/login", number())]);
    let request = Request::get("/login?_method=POST").header("x-http-method-override", "POST");
    let request = request.body(Bodiless::new()).unwrap();
    guarded.refuses(request, "proof_missing", "an override").await;
}

#[tokio::test]
async fn a_rule_for_get_guards_head_too() {
    let guarded = Guarded::by([Rule::method(Method::GET, "/login", number())]);
    for method in ["GET", "HEAD", "head"] {
        assert_eq!(kinds_asked(&guarded, method, "/login").await, [CheckKind::Number], "{method}");
    }
    assert_eq!(kinds_asked(&guarded, "POST", "/login").await, []);
}

#[tokio::test]
async fn a_rule_for_head_comes_before_one_for_get() {
    let guarded =
        Guarded::by([Rule::method(Method::GET, "/login", number()), Rule::method(Method::HEAD, "/login", captcha())]);
    assert_eq!(kinds_asked(&guarded, "HEAD", "/login").await, [CheckKind::Captcha]);
    assert_eq!(kinds_asked(&guarded, "GET", "/login").await, [CheckKind::Number]);
}

#[tokio::test]
async fn a_named_method_comes_before_any() {
    let guarded = Guarded::by([Rule::any_method("/login", captcha()), Rule::post("/login", number())]);
    assert_eq!(kinds_asked(&guarded, "POST", "/login").await, [CheckKind::Number]);
    assert_eq!(kinds_asked(&guarded, "post", "/login").await, [CheckKind::Number]);
    assert_eq!(kinds_asked(&guarded, "PUT", "/login").await, [CheckKind::Captcha]);
}

fn preflight() -> http::request::Builder {
    Request::builder()
        .method(Method::OPTIONS)
        .uri("/login")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
}

#[tokio::test]
async fn a_preflight_on_a_rule_for_every_method_is_refused_and_the_detail_names_cors_layer() {
    for rule in [Rule::any_method("/login", number()), Rule::any_request(captcha())] {
        let guarded = Guarded::by([rule]);
        let response = guarded.send(preflight().body(Bodiless::new()).unwrap()).await;
        let denial = crate::support::denial(&response);
        assert_eq!((response.status().as_u16(), denial.code(), denial.grpc_code()), (403, "preflight_refused", 7));
        assert!(denial.detail().unwrap().contains("CorsLayer"));
        assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
    }
}

#[tokio::test]
async fn a_request_without_a_body_lacks_a_proof_unless_it_names_a_media_type() {
    let guarded = Guarded::by([Rule::any_request(number())]);
    for method in [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS] {
        for media in [None, Some("text/plain"), Some("application/json; charset=gbk")] {
            let mut request = Request::builder().method(&method).uri("/login");
            if let Some(media) = media {
                request = request.header("content-type", media);
            }
            let response = guarded.send(request.body(Bodiless::new()).unwrap()).await;
            let denial = crate::support::denial(&response);
            assert_eq!((response.status().as_u16(), denial.code()), (400, "proof_missing"), "{method} {media:?}");
            assert!(denial.detail().unwrap().contains("MethodRouter::layer"), "{method} {media:?}");
        }
    }
    for method in [Method::POST, Method::PUT, Method::PATCH] {
        let request = || Request::builder().method(&method).uri("/login");
        let typed = request().header("content-type", "text/plain").body(Bodiless::new()).unwrap();
        guarded.refuses(typed, "unsupported_media_type", method.as_str()).await;
        guarded.refuses(request().body(Bodiless::new()).unwrap(), "proof_missing", method.as_str()).await;
    }
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
}

#[tokio::test]
async fn on_a_shared_path_a_request_without_a_body_is_another_call() {
    for foreign in [false, true] {
        let by = |when: Field| {
            Guarded::with(|verifier| {
                let rule = Rule::any_method("/rpc", number()).when(when, "login").otherwise_pass();
                let builder =
                    if foreign { builder(verifier).foreign_backend(ForeignBackend::any()) } else { builder(verifier) };
                builder.rule(rule).build().unwrap()
            })
        };
        let (by_body, by_both) = (by(Field::body("/method")), by(Field::header("x-method").or(Field::body("/method"))));
        for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
            let request =
                || Request::builder().method(method).uri("/rpc?page=1").header("content-type", "application/json");
            by_body.passes_not_guarded(request().body(Bodiless::new()).unwrap(), method).await;
            let login = Request::builder().method(method).uri("/rpc").header("x-method", "login");
            let login = login.body(Bodiless::new()).unwrap();
            by_both.refuses(login, "proof_missing", method).await;
            let in_query = request().uri("/rpc?method=login").body(Bodiless::new()).unwrap();
            by_body.refuses(in_query, "proof_malformed", method).await;
            let with_body = request().body(post_json("/rpc", r#"{"method":"login"}"#).into_body()).unwrap();
            by_body.refuses(with_body, "proof_missing", method).await;
        }
        for method in ["POST", "PUT", "PATCH"] {
            let request = Request::builder().method(method).uri("/rpc").body(Bodiless::new()).unwrap();
            by_body.refuses(request, "unsupported_media_type", method).await;
        }
    }
}

#[tokio::test]
async fn a_preflight_may_be_let_pass() {
    let guarded = Guarded::by([Rule::any_method("/login", number()).preflight_passes()]);
    for request in [preflight(), preflight().header("content-length", "0"), preflight().header("x-other", "1")] {
        guarded.leaves_alone(request.body(Bodiless::new()).unwrap(), "a preflight").await;
    }
    assert_eq!(kinds_asked(&guarded, "POST", "/login").await, [CheckKind::Number]);
}

#[tokio::test]
async fn only_a_preflight_that_can_be_nothing_else_passes() {
    let rule = || Rule::any_method("/login", number().token(Field::header("x-token")).phone(Field::header("x-phone")));
    let guarded = Guarded::by([rule().preflight_passes()]);
    for (what, request) in [
        ("another method", preflight().method(Method::POST)),
        ("_method", preflight().uri("/login?_method=POST")),
        ("_METHOD", preflight().uri("/login?_METHOD=POST")),
        ("_method, escaped", preflight().uri("/login?_%6dethod=POST")),
        ("lower case", preflight().method("options")),
        ("x-http-method-override", preflight().header("X-HTTP-Method-Override", "POST")),
        ("x-http-method", preflight().header("x-http-method", "POST")),
        ("x-method-override", preflight().header("x-method-override", "POST")),
        ("x_method_override", preflight().header("x_method_override", "POST")),
        ("content-length", preflight().header("content-length", "3")),
        ("chunked", preflight().header("transfer-encoding", "chunked")),
        ("no origin", Request::options("/login").header("access-control-request-method", "POST")),
        ("no method asked for", Request::options("/login").header("origin", "https://app.example")),
    ] {
        guarded.refuses(request.body(Bodiless::new()).unwrap(), "proof_missing", what).await;
    }
    let body = post_json("/login", LOGIN).into_body();
    guarded.refuses(preflight().body(body).unwrap(), "proof_missing", "a body").await;
}
