//! Requests of GET and HEAD: the bare ones pass.

use http_body_util::Full;
use tower_jverify::{Denial, Field, ForeignBackend, Rule, Suspicion, captcha, number};

use super::{Bodiless, any, bare, before, login, passes, refuses};
use crate::support::{LOGIN, post_json};

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
