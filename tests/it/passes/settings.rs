//! Settings that cannot work are refused by name.

use std::time::Duration;

use http::HeaderName;
use tower_jverify::{
    ClientIp, ConfigError, Field, Guards, JVerifyBuilder, PassKey, Passes, Rule, captcha, number, one_tap,
};

use super::{SECRET, forged::pkcs8, login, passes, verifier};
use crate::support::Verifier;

fn refused(set: impl FnOnce(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>) -> ConfigError {
    let error = set(tower_jverify::JVerifyLayer::builder(verifier())).build().map(drop).expect_err("it is refused");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    error
}

#[test]
fn passes_that_cannot_work_are_refused() {
    let many = |count: u8| (0..count).fold(passes(), |passes, n| passes.also(format!("b{n}"), PassKey::hs256(SECRET)));
    let cases: [(&str, Passes); 16] = [
        ("passes.audience", Passes::hs256("a", SECRET)),
        ("passes.audience", passes().audience("")),
        ("passes.audience", passes().audience("a b")),
        ("passes.audience", passes().audience("a\"")),
        ("passes.audience", passes().audience("a".repeat(65))),
        ("passes.lifetime", passes().lifetime(Duration::from_millis(29_999))),
        ("passes.lifetime", passes().lifetime(Duration::from_millis(900_001))),
        ("passes.also", passes().also("a", PassKey::hs256(SECRET))),
        ("passes.also", many(8)),
        ("passes.bind_client", passes().bind_client()),
        ("passes", Passes::hs256("a", "canary-secret-of-31-bytes------").audience("accounts")),
        ("passes", Passes::hs256("", SECRET).audience("accounts")),
        ("passes", Passes::hs256("a b", SECRET).audience("accounts")),
        ("passes", Passes::ed25519("a", SECRET).audience("accounts")),
        ("passes", passes().also("b", PassKey::ed25519([]))),
        ("passes", passes().also("b", PassKey::hs256("canary"))),
    ];
    for (setting, passes) in cases {
        let (of_layer, of_rule) = (passes.clone(), passes.clone());
        assert_eq!(refused(|builder| builder.passes(of_layer).rule(login())).setting(), setting, "{passes:?}");
        let error = refused(|builder| builder.rule(login().passes(of_rule)));
        assert_eq!((error.setting(), error.rule()), (setting, Some("login")), "{passes:?}");
    }
    for fine in [many(7), passes().lifetime(Duration::from_secs(30)), passes().lifetime(Duration::from_secs(900))] {
        let builder = tower_jverify::JVerifyLayer::builder(verifier()).passes(fine);
        assert!(builder.rule(login()).build().is_ok());
    }
    let fine = Passes::ed25519("a", pkcs8()).audience("accounts").bind_client();
    let builder = tower_jverify::JVerifyLayer::builder(verifier()).passes(fine).client_ip(ClientIp::forwarded(1));
    assert!(builder.rule(login()).build().is_ok());
}

#[test]
fn a_place_where_no_pass_can_be_is_refused() {
    for field in [
        Field::query("pass"),
        Field::header("x-jverify-token"),
        Field::header("authorization"),
        Field::header("not a name"),
        Field::header("x-pass").or(Field::body("/pass")),
        Field::body("/pass").or(Field::body("/passe")),
        Field::body("/token"),
        Field::body("/phone"),
    ] {
        let error = refused(|builder| builder.passes(passes()).rule(login().pass_field(field.clone())));
        assert_eq!((error.setting(), error.rule()), ("pass_field", Some("login")), "{field}");
    }
    let token = number().token(Field::header("x-token"));
    let error = refused(|builder| {
        builder.passes(passes()).rules([
            Rule::post("/login", token),
            Rule::post("/register", number()).pass_field(Field::header("x-token")),
        ])
    });
    assert_eq!(error.setting(), "field", "the token's header would be removed");
    let error = refused(|builder| builder.rule(login().pass_field(Field::body("/pass"))));
    assert_eq!(error.setting(), "pass_field", "without passes");
}

#[test]
fn what_has_no_effect_on_a_rule_is_refused_on_the_rule_and_ignored_of_the_layer() {
    for rule in [Rule::post("/a", captcha()), Rule::post("/b", one_tap())] {
        assert_eq!(refused(|builder| builder.rule(rule.clone().passes(passes()))).setting(), "passes");
        assert!(tower_jverify::JVerifyLayer::builder(verifier()).passes(passes()).rule(rule).build().is_ok());
    }
    let on_demand = || login().on_demand();
    let error = refused(|builder| builder.passes(passes()).rule(on_demand().retry_pass([401])));
    assert_eq!(error.setting(), "retry_pass");
    let layer = tower_jverify::JVerifyLayer::builder(verifier()).passes(passes()).retry_pass([401]);
    assert!(layer.rule(on_demand()).build().is_ok());
    assert_eq!(refused(|builder| builder.rule(login().retry_pass([401]))).setting(), "retry_pass");
    for status in [200, 302, 399, 500, 503, 1000] {
        let error = refused(|builder| builder.passes(passes()).retry_pass([401, status]).rule(login()));
        assert_eq!((error.setting(), error.value()), ("retry_pass", Some(&*status.to_string())));
    }
    // A rule that wants no passes.
    let layer = tower_jverify::JVerifyLayer::builder(verifier()).passes(passes()).retry_pass([401]);
    assert!(layer.rule(login().passes(None)).build().is_ok());
}

#[test]
fn guards_that_claim_nothing_cannot_take_a_pass_once() {
    let guards = Guards::builder().without_replay_guard().build().unwrap();
    let error = refused(|builder| builder.guards(&guards).passes(passes()).rule(login()));
    assert_eq!(error.setting(), "passes");
}

#[test]
fn a_header_for_testers_may_be_set_together_with_a_header_for_passes() {
    let tester = HeaderName::from_static("x-tester");
    let rule = login().mode(tower_jverify::Mode::Shadow).enforce_when(tester, "0123456789abcdef");
    let layer = tower_jverify::JVerifyLayer::builder(verifier()).passes(passes());
    assert!(layer.rule(rule.pass_field(Field::header("x-pass"))).build().is_ok());
}

#[test]
fn a_name_is_refused_in_either_order() {
    for rules in [
        [Rule::post("/a", number()).name("POST /b"), Rule::post("/b", number())],
        [Rule::post("/b", number()), Rule::post("/a", number()).name("POST /b")],
    ] {
        assert!(tower_jverify::JVerifyLayer::builder(verifier()).passes(passes()).rules(rules).build().is_err());
    }
}
