//! Which of several rules guards a request.

use bytes::Bytes;
use http::{Method, Response};
use tower_jverify::{CheckKind, Denial, Field, Rule, captcha, number};

use super::kinds_asked;
use crate::support::{Application, Guarded, LOGIN, Verifier, builder, post_json, send};

const NUMBER: &[CheckKind] = &[CheckKind::Number];
const CAPTCHA: &[CheckKind] = &[CheckKind::Captcha];
const BOTH: &[CheckKind] = &[CheckKind::Captcha, CheckKind::Number];
const REVERSED: &[CheckKind] = &[CheckKind::Number, CheckKind::Captcha];

#[tokio::test]
async fn the_most_specific_pattern_wins() {
    let guarded = Guarded::by([
        Rule::post("/v1/{tenant}/login", number()),
        Rule::post("/v1/acme/login", captcha()),
        Rule::post("/{*rest}", captcha().then(number())),
        Rule::any_request(number().then(captcha())),
    ]);
    for (path, kinds) in [
        ("/v1/acme/login", CAPTCHA),
        ("/V1/ACME/login/", CAPTCHA),
        ("/v1/other/login", NUMBER),
        ("/v1/other/LOGIN", NUMBER),
        ("/v1/other/%6cogin", NUMBER),
        ("/v1/other/logout", BOTH),
        ("/v1/a/b/c", BOTH),
        ("/v1", BOTH),
        ("/v1/acme", BOTH),
        ("/v1/acme/login/more", BOTH),
        ("/", REVERSED),
    ] {
        assert_eq!(kinds_asked(&guarded, "POST", path).await, kinds, "{path}");
    }
}

#[tokio::test]
async fn a_parameter_is_never_empty_and_never_two_segments() {
    let guarded = Guarded::by([Rule::post("/v1/{tenant}/login", number())]);
    for path in ["/v1/login", "/v1/a/b/login", "/v1/a/login/b"] {
        assert_eq!(kinds_asked(&guarded, "POST", path).await, [], "{path}");
    }
}

#[tokio::test]
async fn a_method_that_no_rule_of_a_path_names_falls_through_to_the_next_pattern() {
    let guarded = Guarded::by([
        Rule::method(Method::GET, "/v1/acme/login", captcha()),
        Rule::post("/v1/{tenant}/login", number()),
        Rule::any_method("/{*rest}", captcha().then(number())),
    ]);
    for (method, path, kinds) in [
        ("GET", "/v1/acme/login", CAPTCHA),
        ("HEAD", "/v1/acme/login", CAPTCHA),
        ("POST", "/v1/acme/login", NUMBER),
        ("PUT", "/v1/acme/login", BOTH),
        ("GET", "/v1/other/login", BOTH),
    ] {
        assert_eq!(kinds_asked(&guarded, method, path).await, kinds, "{method} {path}");
    }
}

#[tokio::test]
async fn a_path_whose_readings_are_two_different_rules_is_refused() {
    let guarded = Guarded::by([Rule::post("/login", number()), Rule::post("/a/login", captcha())]);
    for path in ["/a/..%2flogin", "/a//../login"] {
        guarded.refuses(post_json(path, super::BOTH), "path_ambiguous", path).await;
    }
}

#[tokio::test]
async fn the_order_of_rules_never_matters() {
    let rules = || {
        [
            Rule::post("/v1/{tenant}/login", number()),
            Rule::any_method("/v1/acme/login", captcha()),
            Rule::post("/v1/acme/login", captcha().then(number())),
            Rule::any_request(number().then(captcha())),
        ]
    };
    for order in permutations(4) {
        let guarded = Guarded::by(order.iter().map(|at| rules()[*at].clone()));
        for (method, path, kinds) in [
            ("POST", "/v1/acme/login", BOTH),
            ("GET", "/v1/acme/login", CAPTCHA),
            ("POST", "/v1/other/login", NUMBER),
            ("GET", "/v1/other/login", REVERSED),
        ] {
            assert_eq!(kinds_asked(&guarded, method, path).await, kinds, "{method} {path}, {order:?}");
        }
    }
}

#[tokio::test]
async fn nor_does_it_where_a_value_has_yet_to_choose_among_them() {
    let rule = |value: &'static str| {
        let respond = move |_: &http::request::Parts, _: &Denial| Response::new(Bytes::from(value));
        Rule::post("/login", number()).when(Field::body("/type"), value).respond(respond)
    };
    for values in [["a", "b"], ["b", "a"]] {
        let layer = builder(&Verifier::passing()).rule(rule(values[0])).rule(rule(values[1])).build().unwrap();
        let response = send(&layer, &Application::default(), post_json("/login", "no JSON")).await;
        assert_eq!(response.body(), "a", "{values:?}");
    }
}

fn permutations(of: usize) -> Vec<Vec<usize>> {
    if of == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(of - 1);
    let inserted =
        |order: &Vec<usize>| (0..of).map(|at| [&order[..at], &[of - 1], &order[at..]].concat()).collect::<Vec<_>>();
    shorter.iter().flat_map(inserted).collect()
}

#[tokio::test]
async fn an_escaped_segment_and_a_colon_inside_of_one_are_texts() {
    for (rule, path, other) in [
        (r"/\:id/login", "/:id/login", "/7/login"),
        (r"/\*", "/*", "/x"),
        (r"/odata/Users\(1\)", "/odata/Users(1)", "/odata/Users(2)"),
        ("/v1/accounts:signIn", "/v1/accounts:signIn", "/v1/accounts:signOut"),
        ("/$batch", "/$batch", "/batch"),
        (r"/\:id/{x}", "/:id/7", "/id/7"),
    ] {
        let guarded = Guarded::by([Rule::post(rule, number())]);
        guarded.verifies(post_json(path, LOGIN), path).await;
        guarded.leaves_alone(post_json(other, LOGIN), other).await;
    }
}
