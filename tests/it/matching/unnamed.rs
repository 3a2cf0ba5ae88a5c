//! In front of a foreign backend: methods that no rule of a guarded path names.

use http::{Method, Request, request::Builder};
use http_body_util::{Empty, Full};
use tower_jverify::{Denial, DenialReason, Field, ForeignBackend, JVerifyBuilder, Rule, Suspicion, captcha, number};

use super::kinds_asked;
use crate::support::{Guarded, LOGIN, Verifier, builder, code, post_json};

type Bodiless = Empty<bytes::Bytes>;

fn before(backend: ForeignBackend, rules: impl IntoIterator<Item = Rule>) -> Guarded {
    Guarded::with(|verifier| {
        rules.into_iter().fold(builder(verifier), JVerifyBuilder::rule).foreign_backend(backend).build().unwrap()
    })
}

fn any(rules: impl IntoIterator<Item = Rule>) -> Guarded {
    before(ForeignBackend::any(), rules)
}

fn login() -> Rule {
    Rule::post("/login", number())
}

fn bare(method: &str, uri: &str) -> Builder {
    Request::builder().method(method).uri(uri)
}

async fn passes(guarded: &Guarded, request: Builder, what: &str) {
    guarded.leaves_alone(request.body(Bodiless::new()).unwrap(), what).await;
}

async fn refuses(guarded: &Guarded, request: Builder, expected: &str) {
    let what = format!("{request:?}");
    guarded.refuses(request.body(Bodiless::new()).unwrap(), expected, &what).await;
}

#[tokio::test]
async fn a_bare_get_or_head_brings_the_page() {
    let guarded = any([login()]);
    for method in ["GET", "HEAD", "get", "Head"] {
        for uri in
            ["/login", "/LOGIN/", "/login?next=/home&lang=zh", "/login?token=invitation", "/login?phones=1", "/login?"]
        {
            passes(&guarded, bare(method, uri), uri).await;
        }
    }
    passes(&guarded, bare("GET", "/login").header("content-length", "0"), "no bytes").await;
    passes(&guarded, bare("GET", "/login").header("cookie", "session=1"), "a session").await;
    passes(&guarded, bare("GET", "/login").header("x-http-method-override", "POST"), "an override that is removed")
        .await;
    passes(&guarded, bare("GET", "/login").header("upgrade", "h2c"), "an upgrade that is removed").await;
}

#[tokio::test]
async fn a_get_with_a_login_in_its_query_is_refused() {
    let guarded = any([login(), Rule::post("/signin", captcha().or(number()))]);
    for query in [
        "phone=13999998888&token=x",
        "phone=13999998888",
        "Phone=1",
        "%70hone=1",
        "+phone=1",
        "phone[]=1",
        "phone[x]=1",
        "phone%5B%5D=1",
        "user.phone=1",
        "user[phone]=1",
        "a;phone=1",
        "?phone=1",
        "phone",
        "x=%zz&%zz=1",
        "_method=POST",
        "_METHOD=POST",
        "%5Fmethod=POST",
        "a=1&_method[]=POST",
        "X-HTTP-Method-Override=POST",
    ] {
        for method in ["GET", "HEAD"] {
            refuses(&guarded, bare(method, &format!("/login?{query}")), "proof_malformed").await;
        }
    }
    refuses(&guarded, bare("GET", "/signin?captchaContent=1"), "proof_malformed").await;
    passes(&guarded, bare("GET", "/other?phone=1"), "another path").await;

    let response = guarded.send(bare("GET", "/login?phone=1").body(Bodiless::new()).unwrap()).await;
    assert_eq!(response.extensions().get::<Denial>().unwrap().suspicion(), Some(Suspicion::OtherMethod));
}

#[tokio::test]
async fn ignore_query_permits_the_query() {
    let guarded = any([login().ignore_query(true)]);
    passes(&guarded, bare("GET", "/login?phone=13999998888"), "ignored").await;
    let from_query = number().token(Field::query("t")).phone(Field::query("mobile"));
    let guarded = any([Rule::post("/login", from_query).ignore_query(true)]);
    passes(&guarded, bare("GET", "/login?phone=1&t=2"), "not read").await;
    refuses(&guarded, bare("GET", "/login?mobile=1"), "proof_malformed").await;
}

#[tokio::test]
async fn a_get_with_a_header_that_the_rule_reads_is_refused() {
    let rule = || {
        let ask = number().token(Field::header("x-token")).phone(Field::header("x-phone"));
        Rule::post("/login", ask).when(Field::header("x-kind"), "sms").otherwise_pass()
    };
    let guarded = any([rule()]);
    for name in ["x-token", "X_Phone", "x.token", "x-kind"] {
        refuses(&guarded, bare("GET", "/login").header(name, "1"), "proof_malformed").await;
        passes(&guarded, bare("GET", "/other").header(name, "1"), "another path").await;
    }
    passes(&guarded, bare("GET", "/login").header("x-tokens", "1"), "another name").await;
}

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
async fn what_a_rule_lists_is_handled_elsewhere() {
    let guarded = any([login().other_methods([Method::DELETE, "Purge".parse().unwrap()])]);
    for method in ["DELETE", "delete", "PURGE"] {
        let request = bare(method, "/login?phone=1").header("cookie", "phone=1; a=2");
        let seen = guarded.leaves_alone(request.body(Full::from("a body")).unwrap(), method).await;
        assert_eq!(seen.parts.headers["cookie"], "a=2");
    }
    refuses(&guarded, bare("DELETE", "/login.json"), "path_ambiguous").await;
    let response = guarded.send(bare("PUT", "/login").body(Bodiless::new()).unwrap()).await;
    assert_eq!(response.headers()["allow"], "POST, GET, HEAD, OPTIONS, DELETE, Purge");
}

#[test]
fn a_method_that_the_rule_guards_is_not_handled_elsewhere() {
    for rule in [
        login().other_methods([Method::POST]),
        login().other_methods([Method::DELETE, "post".parse().unwrap()]),
        Rule::method(Method::GET, "/login", number()).other_methods([Method::HEAD]),
        Rule::any_method("/login", number()).other_methods([Method::DELETE]),
        Rule::any_request(number()).other_methods([Method::DELETE]),
    ] {
        let error = builder(&Verifier::passing()).rule(rule).build().unwrap_err();
        assert_eq!(error.setting(), "rule.other_methods");
    }
}

#[tokio::test]
async fn a_preflight_passes_and_nothing_that_only_claims_to_be_one() {
    let guarded = any([login()]);
    let preflight = |uri: &str| {
        bare("OPTIONS", uri).header("origin", "https://app.example").header("access-control-request-method", "POST")
    };
    passes(&guarded, preflight("/login"), "a preflight").await;
    for request in [
        preflight("/login?_method=POST"),
        preflight("/login?phone=13999998888&token=x"),
        preflight("/login").header("content-length", "3"),
        preflight("/login").method("options"),
        bare("OPTIONS", "/login").header("origin", "https://app.example"),
    ] {
        refuses(&guarded, request, "method_not_allowed").await;
    }
    let body = post_json("/login", LOGIN).into_body();
    guarded.refuses(preflight("/login").body(body).unwrap(), "method_not_allowed", "a body").await;
}

#[tokio::test]
async fn a_preflight_that_may_pass_a_rule_for_any_method_brings_no_login_in_its_head() {
    let token = || number().token(Field::header("x-token").or(Field::body("/token")));
    let guarded = any([Rule::any_method("/login", token()).preflight_passes()]);
    let preflight = |uri: &str| {
        bare("OPTIONS", uri).header("origin", "https://app.example").header("access-control-request-method", "POST")
    };
    passes(&guarded, preflight("/login"), "a preflight").await;
    // They are guarded like any other request: without a body there is nothing to read.
    refuses(&guarded, preflight("/login?phone=13999998888&token=x"), "proof_missing").await;
    refuses(&guarded, preflight("/login").header("x-token", "x"), "proof_missing").await;
}

#[tokio::test]
async fn on_a_path_that_only_may_be_guarded_a_bare_get_goes_on_and_nothing_else() {
    let guarded = any([login()]);
    for path in ["/%256Cogin", "/login%2Fx%2F..", "/login.json", "/index.php/login"] {
        for method in ["GET", "HEAD"] {
            passes(&guarded, bare(method, path), path).await;
            refuses(&guarded, bare(method, &format!("{path}?phone=1")), "path_ambiguous").await;
        }
        for method in ["PUT", "POST", "DELETE", "OPTIONS"] {
            refuses(&guarded, bare(method, path), "path_ambiguous").await;
        }
    }
    let response = guarded.send(bare("PUT", "/login.json").body(Bodiless::new()).unwrap()).await;
    assert_eq!(response.extensions().get::<Denial>().unwrap().suspicion(), Some(Suspicion::PathSpelling));
}

#[tokio::test]
async fn a_routing_parameter_that_names_a_guarded_path_is_for_bare_gets_only() {
    let guarded = any([login(), Rule::post("/signin", captcha())]);
    for (method, uri) in
        [("GET", "/?s=login"), ("HEAD", "/?s=/login"), ("GET", "/search?r=login&page=2"), ("GET", "/login?s=login")]
    {
        passes(&guarded, bare(method, uri), uri).await;
    }
    for (method, uri) in [
        ("POST", "/?s=/login"),
        ("POST", "/index.php?s=login"),
        ("PUT", "/?r=login"),
        ("OPTIONS", "/?r=login"),
        ("GET", "/?s=login&phone=1"),
        ("GET", "/?s=login&captchaContent=1"),
        ("POST", "/signin?s=/login"),
        ("POST", "/login?s=/login"),
    ] {
        refuses(&guarded, bare(method, uri), "path_ambiguous").await;
    }
    let request = bare("GET", "/?s=login").body(Full::from("phone=1")).unwrap();
    guarded.refuses(request, "path_ambiguous", "a GET with a body").await;
    for uri in ["/?next=/login", "/?s=other"] {
        guarded.leaves_alone(post_json(uri, LOGIN), uri).await;
    }
    let response = guarded.send(bare("POST", "/?s=login").body(Bodiless::new()).unwrap()).await;
    assert_eq!(response.extensions().get::<Denial>().unwrap().suspicion(), Some(Suspicion::RouteParameter));
}

#[tokio::test]
async fn a_routing_parameter_that_names_a_path_guarded_for_get_lets_no_bare_get_through() {
    let rules = [Rule::method(http::Method::GET, "/report", number()), Rule::any_method("/any", number()), login()];
    for foreign in [ForeignBackend::any(), ForeignBackend::any().without_other_methods()] {
        let guarded = before(foreign, rules.clone());
        for (method, uri) in [
            ("GET", "/?s=/report"),
            ("HEAD", "/?s=/report"),
            ("get", "/?s=report"),
            ("GET", "/index.php?r=any"),
            ("GET", "/login?s=/report"),
        ] {
            refuses(&guarded, bare(method, uri), "path_ambiguous").await;
        }
        passes(&guarded, bare("GET", "/?s=login"), "a path guarded for POST alone").await;
    }
}

#[tokio::test]
async fn without_the_class_or_the_backend_other_methods_pass() {
    for guarded in [before(ForeignBackend::any().without_other_methods(), [login()]), Guarded::by([login()])] {
        for (method, uri) in [("PUT", "/login"), ("GET", "/login?phone=1"), ("DELETE", "/%256Cogin")] {
            guarded.leaves_alone(bare(method, uri).body(Full::from("a body")).unwrap(), uri).await;
        }
    }
    // The other classes hold on.
    let guarded = before(ForeignBackend::any().without_other_methods(), [login()]);
    refuses(&guarded, bare("POST", "/?s=/login"), "path_ambiguous").await;
    let put = bare("PUT", "/login").header("cookie", "phone=1; a=2").header("script_name", "/zz");
    let seen = guarded.leaves_alone(put.body(Bodiless::new()).unwrap(), "a PUT").await;
    assert_eq!(
        seen.parts.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect::<Vec<_>>(),
        [("cookie", "a=2")]
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
    for name in ["_method", "_METHOD", "%5Fmethod", ".method", "_method[]", "[_method]", "_method%00x", "+_method"] {
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
