//! Every other method is refused, also one in a parameter.

use http::{Method, Request};
use http_body_util::Full;
use tower_jverify::{Denial, DenialReason, Field, ForeignBackend, Rule, Suspicion, captcha, number};

use super::{Bodiless, any, bare, before, login, passes, refuses};
use crate::matching::kinds_asked;
use crate::support::{Guarded, LOGIN, builder, code, post_json};

#[tokio::test]
async fn a_get_with_a_body_and_every_other_method_gets_405_with_allow() {
    let guarded = any([login(), Rule::method(Method::PATCH, "/login", captcha())]);
    for method in ["PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "POSTS", "put"] {
        refuses(&guarded, bare(method, "/login"), "method_not_allowed").await;
    }
    for method in ["GET", "HEAD"] {
        let request = bare(method, "/login").header("content-type", "application/json");
        guarded.refuses(request.body(Full::from(LOGIN)).unwrap(), "method_not_allowed", "a body").await;
        let request = bare(method, "/login").header("transfer-encoding", "chunked");
        refuses(&guarded, request, "method_not_allowed").await;
        refuses(&guarded, bare(method, "/login").header("content-length", "3"), "method_not_allowed").await;
    }
    let request = bare("GET", "/login").header("x-http-method-override", "POST");
    guarded.refuses(request.body(Full::from(LOGIN)).unwrap(), "method_not_allowed", "an override with a body").await;
    refuses(&guarded, bare("GET", "/login").header("upgrade", "websocket"), "upgrade_refused").await;

    let response = guarded.send(bare("PUT", "/login").body(Bodiless::new()).unwrap()).await;
    assert_eq!(response.headers()["allow"], "PATCH, POST, GET, HEAD, OPTIONS");
    let denial = response.extensions().get::<Denial>().unwrap();
    assert_eq!((denial.reason(), denial.grpc_code()), (DenialReason::MethodNotAllowed, 12));
    assert_eq!(denial.suspicion(), Some(Suspicion::OtherMethod));
}

#[tokio::test]
async fn allow_is_in_a_users_own_answer_too() {
    let guarded = Guarded::with(|verifier| {
        let respond = |_: &http::request::Parts, denial: &Denial| {
            let mut response = http::Response::new(bytes::Bytes::from_static(b"own"));
            *response.status_mut() = denial.status();
            response
        };
        builder(verifier).rule(login().respond(respond)).foreign_backend(ForeignBackend::any()).build().unwrap()
    });
    let response = guarded.send(bare("PUT", "/login").body(Bodiless::new()).unwrap()).await;
    assert_eq!((response.status().as_u16(), &response.body()[..]), (405, &b"own"[..]));
    assert_eq!(response.headers()["allow"], "POST, GET, HEAD, OPTIONS");
}

#[tokio::test]
async fn a_method_that_a_less_specific_pattern_names_is_guarded_by_that_rule() {
    let guarded = any([login(), Rule::method(Method::PUT, "/{page}", captcha())]);
    assert_eq!(kinds_asked(&guarded, "PUT", "/login").await, [tower_jverify::CheckKind::Captcha]);
    assert_eq!(kinds_asked(&guarded, "POST", "/login").await, [tower_jverify::CheckKind::Number]);
    refuses(&guarded, bare("DELETE", "/login"), "method_not_allowed").await;
    refuses(&guarded, bare("POST", "/other"), "method_not_allowed").await;
    refuses(&guarded, bare("GET", "/login?captchaContent=1"), "proof_malformed").await;
    passes(&guarded, bare("POST", "/a/b"), "no pattern").await;
    let response = guarded.send(bare("DELETE", "/login").body(Bodiless::new()).unwrap()).await;
    assert_eq!(response.headers()["allow"], "POST, PUT, GET, HEAD, OPTIONS");
}

#[tokio::test]
async fn patterns_that_no_one_table_holds_are_all_guarded() {
    let guarded = any([
        Rule::post("/a/{x}", number()),
        Rule::method(Method::PUT, "/a/{y}", captcha()),
        Rule::method(Method::PATCH, "/a/{*rest}", captcha()),
        Rule::post("/b", number()),
    ]);
    for path in ["/a/1", "/a/1/2", "/b"] {
        refuses(&guarded, bare("DELETE", path), "method_not_allowed").await;
        passes(&guarded, bare("GET", path), path).await;
    }
    passes(&guarded, bare("DELETE", "/c"), "no pattern").await;
}

#[tokio::test]
async fn a_rule_for_any_method_or_any_request_names_all() {
    let guarded = any([Rule::any_method("/login", number()), login()]);
    for method in ["GET", "PUT", "OPTIONS", "BREW"] {
        assert_eq!(kinds_asked(&guarded, method, "/login").await.len(), 1, "{method}");
    }
    let guarded = any([Rule::any_request(captcha()), login()]);
    for method in ["GET", "PUT", "OPTIONS"] {
        let kinds = kinds_asked(&guarded, method, "/login").await;
        assert_eq!(kinds, [tower_jverify::CheckKind::Captcha], "{method}");
    }
}

#[tokio::test]
async fn a_rule_for_get_guards_get_and_head_and_names_them() {
    let guarded = any([Rule::method(Method::GET, "/login", number())]);
    for method in ["GET", "HEAD", "get"] {
        assert_eq!(kinds_asked(&guarded, method, "/login").await.len(), 1, "{method}");
    }
    let response = guarded.send(bare("POST", "/login").body(Bodiless::new()).unwrap()).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["allow"]),
        (405, &"GET, HEAD, OPTIONS".parse().unwrap())
    );
}

#[tokio::test]
async fn under_a_nested_router_either_path_counts() {
    use axum::{Router, routing::any as route};
    use tower::ServiceExt;

    for path in ["/api/login", "/login"] {
        let guarded = any([Rule::post(path, number())]);
        let inside = Router::new().route("/login", route(|| async { "in" })).layer(guarded.layer.clone());
        let app = Router::new().nest("/api", inside);
        for (method, status) in [("PUT", 405), ("GET", 200)] {
            let request = bare(method, "/api/login").body(axum::body::Body::empty()).unwrap();
            assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status, "{path} {method}");
        }
    }
}

#[tokio::test]
async fn a_grpc_call_gets_12() {
    let guarded =
        any([Rule::post("/accounts.Accounts/Login", number().token(Field::body("/1")).phone(Field::body("/2")))
            .accept([tower_jverify::Media::Grpc])]);
    let request = bare("PUT", "/accounts.Accounts/Login")
        .version(http::Version::HTTP_2)
        .header("content-type", "application/grpc");
    let response = guarded.send(request.body(Bodiless::new()).unwrap()).await;
    assert_eq!(response.extensions().get::<Denial>().unwrap().grpc_code(), 12, "{}", code(&response));
    assert_eq!(guarded.application.runs(), 0);
}

fn typed(content_type: &str, body: String) -> Request<Full<bytes::Bytes>> {
    let mut request = post_json("/account", body);
    request.headers_mut().insert("content-type", content_type.parse().unwrap());
    request
}

/// Rails, Laravel and Express's `method-override` run a POST as the method that `_method` names, so the rule for POST would be proven
/// and the handler of PUT would run.
#[tokio::test]
async fn a_parameter_that_names_another_method_is_refused_where_rules_differ_in_their_methods() {
    const FORM: &str = "application/x-www-form-urlencoded";
    let rules = || [Rule::post("/account", captcha()), Rule::method(Method::PUT, "/account", number())];
    let guarded = any(rules());
    let form = |pair: &str| typed(FORM, format!("captchaContent=c&phone=13999998888&{pair}"));
    let json = |member: &str| typed("application/json", format!(r#"{{"captchaContent":"c",{member}}}"#));
    let is_suspected = async |request, what: &str| {
        let response = guarded.send(request).await;
        let denial = response.extensions().get::<Denial>().unwrap_or_else(|| panic!("let in: {what}"));
        assert_eq!((denial.code(), denial.suspicion()), ("proof_malformed", Some(Suspicion::OtherMethod)), "{what}");
    };
    for name in [
        "_method",
        "_METHOD",
        "%5Fmethod",
        ".method",
        "_method[]",
        "[_method]",
        "_method%00x",
        "+_method",
        "x-tunneled-method",
    ] {
        is_suspected(form(&format!("{name}=PUT")), name).await;
        let mut request = form("x=1");
        *request.uri_mut() = format!("/account?a=1&{name}=PUT").parse().unwrap();
        is_suspected(request, name).await;
    }
    for member in [r#""_method":"PUT""#, r#""x":[{}],"\u005fmethod":"put""#, r#""X-HTTP-Method-Override":"PUT""#] {
        is_suspected(json(member), member).await;
    }
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
    for request in [form("method=PUT"), form("x=_method"), json(r#""x":{"_method":"PUT"}"#), json(r#""method":"PUT""#)]
    {
        guarded.verifies(request, "another name").await;
    }
    // Where one rule guards the path, each method that passes requires the same.
    let one = any([Rule::post("/account", captcha())]);
    one.verifies(form("_method=PUT"), "one rule").await;
    let other_path = any([Rule::post("/account", captcha()), Rule::method(Method::PUT, "/login", number())]);
    other_path.verifies(form("_method=PUT"), "another path").await;
    let off = before(ForeignBackend::any().without_other_methods(), rules());
    off.verifies(form("_method=PUT"), "switched off").await;
}
