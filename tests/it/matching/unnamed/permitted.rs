//! Methods that `other_methods` lists, preflights, and layers without this class of suspicion.

use http::Method;
use http_body_util::Full;
use tower_jverify::{Field, ForeignBackend, Rule, number};

use super::{Bodiless, any, bare, before, login, passes, refuses};
use crate::support::{Guarded, LOGIN, Verifier, builder, post_json};

#[tokio::test]
async fn what_a_rule_lists_is_handled_elsewhere() {
    let guarded = any([login().other_methods([Method::DELETE, "Purge".parse().unwrap()])]);
    for method in ["DELETE", "delete", "PURGE"] {
        let request = bare(method, "/login?phone=1").header("cookie", "phone=1; a=2");
        let seen = guarded.leaves_alone(request.body(Full::from("a body")).unwrap(), method).await;
        assert_eq!(seen.parts.headers["cookie"], "a=2");
    }
    refuses(&guarded, bare("DELETE", "/login.json"), "path_ambiguous").await;
    // Laravel and others run a request as the method in its query.
    for uri in ["/login?_method=POST", "/login?a=1&%5Fmethod=PUT", "/login?x-tunneled-method=POST"] {
        refuses(&guarded, bare("DELETE", uri), "proof_malformed").await;
    }
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
