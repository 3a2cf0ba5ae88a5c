//! Rules: their names, their paths, and rules for the same request.

use std::time::Duration;

use http::Method;
use tower_jverify::{Field, JVerifyLayer, Rule, captcha, number};

use super::{error, login, of_rules};
use crate::support::Verifier;

#[test]
fn a_rule_has_the_name_that_is_set_and_else_its_method_path_and_value() {
    let named = || login().name("login");
    let builder = JVerifyLayer::builder(Verifier::passing());
    let layer = builder.rule(named()).rule(Rule::post("/enter", captcha())).build().unwrap();
    assert_eq!(layer.unused_rules(), ["login", "POST /enter"]);
    let error = of_rules([named().in_flight(0)]).unwrap();
    assert_eq!((error.setting(), error.rule()), ("in_flight", Some("login")));

    for name in ["", "two words", "登录", "a\nb", &"x".repeat(65)] {
        let error = of_rules([login().name(name)]).unwrap();
        assert_eq!(error.setting(), "rule.name", "{name:?}");
    }
    assert_eq!(of_rules([login().name("x".repeat(64))]), None);
    let error = of_rules([named(), Rule::post("/signin", number()).name("login")]).unwrap();
    assert_eq!(error.to_string(), "`rule.name` is \"login\": another rule has this name");
}

#[test]
fn a_layer_without_a_rule_is_refused() {
    assert_eq!(of_rules([]).unwrap().setting(), "rule");
}

#[test]
fn a_path_that_is_not_a_canonical_pattern_is_refused() {
    for path in [
        "",
        "login",
        "//login",
        "/a//b",
        "/./login",
        "/x/../login",
        "/login?x",
        "/login#x",
        "/login%2F",
        "/%6cogin",
        "/lo gin",
        "/login;x",
        "/lo\\gin",
        "/{",
        "/}",
        "/{}",
        "/{a}{b}",
        "/{*rest}/x",
        "/login\0",
    ] {
        let error = of_rules([Rule::post(path, number())]).unwrap_or_else(|| panic!("{path:?} was accepted"));
        assert_eq!((error.setting(), error.value()), ("rule.path", Some(path)));
    }
    for path in ["/", "/login", "/v1/{tenant}/login", "/auth/{*rest}", "/登录"] {
        assert_eq!(of_rules([Rule::post(path, number())]), None, "{path:?}");
    }
}

#[test]
fn a_pattern_of_another_router_is_refused_and_the_error_shows_the_spelling_that_is_meant() {
    for (path, meant) in [
        ("/a/:id/login", "`/a/{id}/login`"),
        ("/:id?", "`/{id}`"),
        ("/files/*", "`/files/{*rest}`"),
        ("/<int:id>/login", "`/{id}/login`"),
        ("/<any(about, help):page>", "`/{page}`"),
        ("/{id:[0-9]+}/login", "`/{id}/login`"),
        ("/login/{id?}", "`/login/{id}`"),
        ("/(login|signin)", "`/{name}`"),
        ("/login$", "`/login`"),
    ] {
        let error = of_rules([Rule::post(path, number())]).unwrap();
        assert_eq!((error.setting(), error.value()), ("rule.path", Some(path)));
        assert!(error.to_string().contains(&format!("write {meant}")), "{error}");
    }
    for path in [r"/\:id/login", r"/\*", "/v1/accounts:signIn", "/$batch", "/{{id}}", r"/odata/Users\(1\)"] {
        assert_eq!(of_rules([Rule::post(path, number())]), None, "{path}");
    }
}

#[test]
fn two_rules_for_the_same_request_are_refused_in_every_spelling() {
    let kind = || Field::body("/kind");
    for (one, other) in [
        (login(), login()),
        (login(), Rule::post("/LOGIN", captcha())),
        (login(), Rule::post("/login/", captcha())),
        (login(), Rule::method(Method::from_bytes(b"post").unwrap(), "/login", captcha())),
        (Rule::any_method("/login", number()), Rule::any_method("/login", captcha())),
        (Rule::any_request(number()), Rule::any_request(captcha())),
        (login().when(kind(), "a"), login().when(kind(), "a")),
        (Rule::any_request(number()).when(kind(), "a"), Rule::any_request(captcha()).when(kind(), "a")),
    ] {
        for rules in [[one.clone(), other.clone()], [other, one]] {
            let shown = format!("{rules:?}");
            let error = of_rules(rules).unwrap_or_else(|| panic!("{shown} were accepted"));
            assert_eq!(error.setting(), "rule", "{shown}");
            assert!(error.value().is_some(), "{shown}");
        }
    }
    let tie = [Rule::post("/v1/{a}", number()), Rule::post("/v1/{b}", captcha())];
    let setting = of_rules(tie).expect("two names of one segment tie").setting();
    assert!(setting.starts_with("rule"), "{setting}");
}

#[test]
fn rules_that_do_not_tie_are_taken() {
    let kind = || Field::body("/kind");
    for rules in [
        vec![login(), Rule::any_method("/login", captcha()), Rule::any_request(captcha())],
        vec![login(), Rule::method(Method::PUT, "/login", number())],
        vec![login().when(kind(), "a"), login().when(kind(), "b"), login()],
        vec![Rule::post("/v1/{a}", number()), Rule::post("/v1/login", number()), Rule::post("/{*all}", number())],
    ] {
        let shown = format!("{rules:?}");
        assert_eq!(of_rules(rules), None, "{shown}");
    }
}

#[test]
fn rules_among_which_a_value_chooses_are_read_in_one_way() {
    let (kind, other) = (|| Field::body("/kind"), || Field::body("/other"));
    for rules in [
        [login().when(kind(), "a"), login().when(other(), "b")],
        [login().when(kind(), "a"), login().when(kind(), "b").body_limit(10)],
        [login().when(kind(), "a"), login().when(kind(), "b").body_deadline(Duration::from_secs(1))],
        [login().when(kind(), "a"), login().when(kind(), "b").buffered(1 << 20)],
        [login().when(kind(), "a"), login().when(kind(), "b").accept([tower_jverify::Media::Form])],
        [login().when(kind(), "a"), login().when(kind(), "b").ignore_query(true)],
        [login().when(kind(), "a"), login().when(kind(), "b").canonical_body(true)],
        [login().when(kind(), "a").otherwise_pass(), login()],
    ] {
        let shown = format!("{rules:?}");
        let error = of_rules(rules).unwrap_or_else(|| panic!("{shown} were accepted"));
        assert_eq!(error.setting(), "rule.when", "{shown}");
    }
}

#[test]
fn rules_may_come_as_a_list() {
    let rules = || [login(), Rule::post("/register", number())];
    assert_eq!(error(|builder| builder.rules(rules())), None);
    assert_eq!(error(|builder| builder.rules(rules()).rules(rules())).unwrap().setting(), "rule");
    assert_eq!(error(|builder| builder.rules([])).unwrap().setting(), "rule");
}
