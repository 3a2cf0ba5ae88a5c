//! `build()` refuses settings that contradict `on_demand`.

use http::Method;
use tower_jverify::{
    Class, ConfigError, Fallback, Field, ForeignBackend, JVerifyBuilder, Policy, Rule, captcha, number,
};

use super::rule;
use crate::support::{Verifier, builder};

fn error(set: impl FnOnce(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>) -> Option<ConfigError> {
    set(builder(&Verifier::passing())).build().err()
}

fn when(rule: Rule, value: &str) -> Rule {
    rule.when(Field::body("/type"), value)
}

#[test]
fn what_needs_a_decision_before_the_application_has_the_request_is_refused_by_name() {
    let plain = || Rule::post("/login", captcha());
    for (named, error) in [
        ("pin_phone", error(|builder| builder.rule(rule().pin_phone(true)))),
        ("pin_phone", error(|builder| builder.rule(rule()).pin_phone(true))),
        ("canonical_body", error(|builder| builder.rule(rule().canonical_body(true)))),
        ("canonical_body", error(|builder| builder.rule(rule()).canonical_body(true))),
        ("forward_phone", error(|builder| builder.rule(rule().forward_phone(true)))),
        ("forward_phone", error(|builder| builder.rule(rule()).forward_phone(true))),
        ("foreign_backend", error(|builder| builder.rule(rule()).foreign_backend(ForeignBackend::any()))),
        (
            "foreign_backend",
            error(|builder| builder.rule(rule()).foreign_backend(ForeignBackend::any().without_cookies())),
        ),
        ("guard_unless", error(|builder| builder.rule(rule().guard_unless(|_| false)))),
        ("otherwise_pass", error(|builder| builder.rule(when(rule(), "a").otherwise_pass()))),
        ("otherwise_pass", error(|builder| builder.rule(when(rule(), "a")).rule(when(rule(), "b").otherwise_pass()))),
        ("otherwise_pass", error(|builder| builder.rule(when(plain(), "a").otherwise_pass()).rule(when(rule(), "b")))),
        ("when", error(|builder| builder.rule(when(rule(), "a")).rule(when(plain(), "b")))),
        ("when", error(|builder| builder.rule(when(plain(), "a")).rule(rule()))),
        ("when", error(|builder| builder.rule(when(rule(), "a")).rule(Rule::any_method("/login", captcha())))),
    ] {
        let error = error.unwrap_or_else(|| panic!("on demand with `{named}` was accepted"));
        assert_eq!((error.setting(), error.rule().is_some()), ("rule.on_demand", true), "{error}");
        assert!(error.to_string().contains(&format!("`{named}`")), "{named} is not in: {error}");
    }
}

#[test]
fn everything_else_is_accepted() {
    let open = Policy::default().on(Class::Unavailable, Fallback::Open);
    assert_eq!(error(|builder| builder.rule(rule().policy(open))), None);
    // A rule undoes what the layer sets.
    let undone = || rule().pin_phone(false).canonical_body(false).forward_phone(false);
    assert_eq!(error(|builder| builder.rule(undone()).pin_phone(true).canonical_body(true).forward_phone(true)), None);
    // Rules of other paths, methods and values.
    let others = [
        rule(),
        Rule::method(Method::PUT, "/login", captcha()),
        Rule::post("/pay", number()).pin_phone(true),
        when(Rule::post("/enter", number()).on_demand(), "a"),
        when(Rule::post("/enter", captcha()).on_demand(), "b"),
        when(Rule::post("/rpc", captcha()), "a").otherwise_pass(),
        // Another rule covers POST, so this one covers all other methods.
        Rule::any_method("/login", captcha()),
        Rule::any_request(captcha()),
    ];
    assert_eq!(error(|builder| builder.rules(others)), None);
}
