//! A request to which several rules may apply is in shadow only if all of them are: shadow does not weaken an enforced rule.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower_jverify::{Class, Coding, Field, ForeignBackend, HandOn, Mode, Rollout, Rule, Secret, captcha, number};

use super::{guarded, watched, would_be_denied};
use crate::support::{LOGIN, post_json};

fn enforced(path: &str) -> Rule {
    Rule::post(path, number())
}

fn bare(method: &str, uri: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(uri).header("content-type", "application/json");
    request.body(Full::from(LOGIN)).unwrap()
}

#[tokio::test]
async fn a_path_with_several_readings_is_refused_if_one_of_them_is_enforced() {
    let both = guarded(Class::Passed, |it| it.rule(watched()).rule(enforced("/register")));
    would_be_denied(&both, bare("POST", "/login%2F"), "path_ambiguous", "the rule in shadow alone").await;
    would_be_denied(&both, bare("POST", "/x/%2e%2e%2Flogin"), "path_ambiguous", "the rule in shadow alone").await;
    both.refuses(bare("POST", "/register%2F"), "path_ambiguous", "the enforced rule").await;
    both.refuses(bare("POST", "/login/..%2Fregister"), "path_ambiguous", "the enforced rule").await;
    would_be_denied(&both, bare("POST", "/register/..%2Flogin"), "path_ambiguous", "the rule in shadow alone").await;

    // Where no path of a rule is meant, the rule for all paths guards.
    let every = guarded(Class::Passed, |it| it.rule(watched()).rule(Rule::any_request(number())));
    every.refuses(bare("POST", "/login%2F"), "path_ambiguous", "the rule for every path is enforced").await;
    let all = |it: tower_jverify::JVerifyBuilder<_>| it.rule(watched()).rule(Rule::any_request(number()));
    let every = guarded(Class::Passed, |it| all(it).mode(Mode::Shadow));
    would_be_denied(&every, bare("POST", "/login%2F"), "path_ambiguous", "all of them are in shadow").await;
}

#[tokio::test]
async fn many_rules_do_not_make_a_path_unclear() {
    let many = guarded(Class::Passed, |it| {
        let other = |it: tower_jverify::JVerifyBuilder<_>, at| it.rule(enforced(&format!("/other/{at}/path")));
        (0..40).fold(it.rule(watched()), other)
    });
    would_be_denied(&many, bare("POST", "/login%2F"), "path_ambiguous", "the rule in shadow alone").await;
    many.refuses(bare("POST", "/other/7/path%2F"), "path_ambiguous", "an enforced rule").await;
}

#[tokio::test]
async fn a_body_that_chooses_between_rules_is_refused_if_it_cannot_be_read() {
    let when = |ask: tower_jverify::Ask, value: &str| Rule::post("/login", ask).when(Field::body("/type"), value);
    let of = |set: fn(Rule) -> Rule| {
        guarded(Class::Rejected, move |it| {
            it.rule(set(when(number().into(), "number")).mode(Mode::Shadow))
                .rule(set(when(captcha().into(), "captcha")))
        })
    };
    let number = r#"{"type":"number","token":"t","phone":"13812345678"}"#;
    let both = of(|rule| rule);
    would_be_denied(&both, post_json("/login", number), "rejected", "the rule in shadow").await;
    for body in ["{", r#"{"type":"other"}"#, r#"{"type":"number","type":"captcha"}"#, "{}"] {
        let response = both.send(post_json("/login", body)).await;
        assert_eq!(response.status(), 400, "{body}");
    }
    let captcha = r#"{"type":"captcha","captchaContent":"c"}"#;
    assert_eq!(both.send(post_json("/login", captcha)).await.status(), 403);

    // The body that a backend gets is not the one that chose the rule.
    for set in
        [(|rule| rule.canonical_body(true)) as fn(Rule) -> Rule, |rule| rule.decode([Coding::Gzip], HandOn::Decoded)]
    {
        assert_eq!(of(set).send(post_json("/login", number)).await.status(), 403);
    }
    // All of them are in shadow.
    let all = guarded(Class::Rejected, |it| {
        let rules = [when(tower_jverify::number().into(), "number"), when(tower_jverify::captcha().into(), "captcha")];
        rules.into_iter().fold(it, |it, rule| it.rule(rule.canonical_body(true))).mode(Mode::Shadow)
    });
    would_be_denied(&all, post_json("/login", "{"), "body_malformed", "all in shadow").await;
    would_be_denied(&all, post_json("/login", number), "rejected", "all in shadow").await;
}

#[tokio::test]
async fn before_a_foreign_backend_a_method_opens_no_other_rule_of_the_path() {
    let foreign = |rules: [Rule; 2]| {
        guarded(Class::Rejected, |it| {
            rules.into_iter().fold(it, tower_jverify::JVerifyBuilder::rule).foreign_backend(ForeignBackend::any())
        })
    };
    let any = || Rule::any_method("/login", captcha()).mode(Mode::Shadow);
    let captcha_body = r#"{"captchaContent":"c"}"#;
    let put =
        || Request::put("/login").header("content-type", "application/json").body(Full::from(captcha_body)).unwrap();

    // PHP runs the script of POST.
    let both = foreign([any(), enforced("/login")]);
    assert_eq!(both.send(put()).await.status(), 403);
    let wide = foreign([Rule::any_method("/{x}", captcha()).mode(Mode::Shadow), enforced("/login")]);
    assert_eq!(wide.send(put()).await.status(), 403);
    let apart = foreign([any(), enforced("/register")]);
    would_be_denied(&apart, put(), "rejected", "no other rule of the path").await;

    // A method that no rule of the path names.
    let named = foreign([watched(), Rule::method(http::Method::PATCH, "/login", number())]);
    named.refuses(bare("PUT", "/login"), "method_not_allowed", "one is enforced").await;
    let named = foreign([watched(), enforced("/register")]);
    would_be_denied(&named, bare("PUT", "/login"), "method_not_allowed", "all of the path in shadow").await;
    named.refuses(bare("PUT", "/register"), "method_not_allowed", "another path").await;

    // A routing parameter.
    would_be_denied(&named, bare("POST", "/?s=/login"), "path_ambiguous", "the rule in shadow").await;
    named.refuses(bare("POST", "/?s=/register"), "path_ambiguous", "the enforced rule").await;
    named.refuses(bare("POST", "/register?s=/login"), "path_ambiguous", "either").await;
    named.refuses(bare("POST", "/login?s=/register"), "path_ambiguous", "either").await;
    // A spelling of the enforced path on a path in shadow.
    let wide = foreign([Rule::post("/{x}", number()).mode(Mode::Shadow), enforced("/login")]);
    wide.refuses(bare("POST", "/login.php"), "path_ambiguous", "the enforced rule").await;
}

#[tokio::test]
async fn rules_of_a_rollout_are_in_shadow_together_or_not_at_all() {
    let rollout =
        |percent| Mode::Rollout(Rollout::percent(percent).key(Secret::from("0123456789abcdef0123456789abcdef")));
    let when = |value: &str, percent| {
        Rule::post("/login", number())
            .name(format!("login {value}").replace(' ', "-"))
            .when(Field::body("/type"), value)
            .mode(rollout(percent))
    };
    let both = guarded(Class::Rejected, |it| it.rule(when("a", 0.0)).rule(when("b", 100.0)));
    let body = |value: &str| format!(r#"{{"type":"{value}","token":"t","phone":"13812345678"}}"#);
    would_be_denied(&both, post_json("/login", body("a")), "rejected", "0 %").await;
    assert_eq!(both.send(post_json("/login", body("b"))).await.status(), 403);
    assert_eq!(both.send(post_json("/login", "{")).await.status(), 400);
}
