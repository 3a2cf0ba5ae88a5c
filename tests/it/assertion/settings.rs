//! What `build()` refuses, and which rule signs.

use serde_json::json;
use tower_jverify::{Assertions, Rule, number};

use super::{HEADER, assertions, claims, login, part, passed, pkcs8, text, verified};
use crate::support::{Guarded, LOGIN, Verifier, builder, post_json};

#[test]
fn what_cannot_sign_is_refused_by_name() {
    let key = |kid: &str, pkcs8: &[u8]| Assertions::ed25519(kid, pkcs8).audience("accounts");
    let good = pkcs8(1);
    let nine = (1..9).fold(key("0", &good), |assertions, at| assertions.also(at.to_string(), &good));
    for (set, setting) in [
        (Assertions::ed25519("one", &good), "assertion.audience"),
        (key("one", &good).audience(""), "assertion.audience"),
        (key("one", &good).audience("a b"), "assertion.audience"),
        (key("one", &good).audience("a\""), "assertion.audience"),
        (key("one", &good).audience("a".repeat(129)), "assertion.audience"),
        (key("one", &good).issuer(""), "assertion.issuer"),
        (key("one", &good).issuer("验"), "assertion.issuer"),
        (key("", &good), "assertion"),
        (key("a b", &good), "assertion"),
        (key("one", &good[1..]), "assertion"),
        (key("one", &[]), "assertion"),
        (key("one", b"-----BEGIN PRIVATE KEY-----"), "assertion"),
        (key("one", &good).also("one", pkcs8(2)), "assertion"),
        (key("one", &good).also("two", [1, 2, 3]), "assertion"),
        (nine, "assertion"),
    ] {
        let verifier = Verifier::passing();
        let on_the_layer = builder(&verifier).rule(login()).assertion(set.clone()).build().err().unwrap();
        assert_eq!(on_the_layer.setting(), setting, "{set:?}");
        let on_the_rule = builder(&verifier).rule(login().assertion(set.clone())).build().err().unwrap();
        assert_eq!((on_the_rule.setting(), on_the_rule.rule()), (setting, Some("POST /login")), "{set:?}");
    }
    let long = Rule::post(format!("/{}", "p".repeat(128)), number());
    let error = builder(&Verifier::passing()).rule(long.clone()).assertion(assertions()).build().err().unwrap();
    assert!(error.setting() == "assertion" && error.to_string().contains("name"), "{error}");
    assert!(builder(&Verifier::passing()).rule(long.name("long")).assertion(assertions()).build().is_ok());
}

#[tokio::test]
async fn a_rule_signs_with_its_own_key_in_place_of_the_layers() {
    let own = Assertions::ed25519("own", pkcs8(3)).audience("payments").issuer("edge");
    let guarded = Guarded::with(|verifier| {
        let pay = Rule::post("/pay", number()).name("pay").assertion(own.clone());
        builder(verifier).rules([login(), pay]).assertion(assertions()).build().unwrap()
    });
    let seen = passed(&guarded, post_json("/pay", LOGIN)).await;
    assert_eq!(part(&text(&seen), 0)["kid"], "own");
    let said = claims(&seen);
    assert_eq!([&said["aud"], &said["iss"], &said["rule"]], [&json!("payments"), &json!("edge"), &json!("pay")]);
    let seen = passed(&guarded, post_json("/login", LOGIN)).await;
    assert!(verified(&seen).is_ok());
}

#[tokio::test]
async fn a_rule_signs_alone_where_the_layer_does_not() {
    let guarded = Guarded::by([login().assertion(assertions()), Rule::post("/pay", number())]);
    assert!(verified(&passed(&guarded, post_json("/login", LOGIN)).await).is_ok());
    assert!(!passed(&guarded, post_json("/pay", LOGIN)).await.parts.headers.contains_key(HEADER));

    let guarded = super::asserting(|builder| builder.rules([login(), Rule::post("/pay", number()).assertion(None)]));
    assert!(verified(&passed(&guarded, post_json("/login", LOGIN)).await).is_ok());
    assert!(!passed(&guarded, post_json("/pay", LOGIN)).await.parts.headers.contains_key(HEADER));
}

#[tokio::test]
async fn it_has_the_prefix_of_the_layer() {
    let guarded = super::asserting(|builder| builder.rule(login()).header_prefix("x-edge"));
    let seen = passed(&guarded, post_json("/login", LOGIN)).await;
    assert!(seen.parts.headers.contains_key("x-edge-assertion") && !seen.parts.headers.contains_key(HEADER));
    let verifier = tower_jverify::pass::Verifier::new(assertions().jwks().unwrap()).audience("accounts");
    assert!(verifier.header_prefix("x-edge").build().unwrap().verify(&seen.parts, LOGIN.as_bytes()).is_ok());
}
