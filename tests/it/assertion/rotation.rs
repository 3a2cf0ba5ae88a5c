//! Keys change without a restart.

use serde_json::Value;
use tower_jverify::{
    Assertions,
    pass::{AssertionError, Verifier},
};

use super::{HEADER, assertions, login, part, passed, pkcs8, text};
use crate::support::{Guarded, LOGIN, builder, following, post_json};

fn accounts(jwks: &str) -> Verifier {
    Verifier::new(jwks).audience("accounts").build().unwrap()
}

#[tokio::test]
async fn a_reload_signs_with_another_key_and_a_set_of_both_verifies_before_and_after() {
    let guarded = Guarded::with(|asked| builder(asked).assertion(assertions()).rule(login()).build().unwrap());
    let next = Assertions::ed25519("two", pkcs8(2)).also("one", pkcs8(1)).audience("accounts");
    let (old, new, both) = (
        accounts(&assertions().jwks().unwrap()),
        accounts(&Assertions::ed25519("two", pkcs8(2)).audience("accounts").jwks().unwrap()),
        accounts(&next.jwks().unwrap()),
    );
    let before = passed(&guarded, post_json("/login", LOGIN)).await;
    guarded.layer.reload(following(&guarded.verifier).assertion(next).rule(login()).build().unwrap());
    let after = passed(&guarded, post_json("/login", LOGIN)).await;
    for (seen, kid, of_old, of_new) in
        [(before, "one", None, Some(AssertionError::Signature)), (after, "two", Some(AssertionError::Signature), None)]
    {
        assert_eq!(part(&text(&seen), 0)["kid"], kid);
        let refusal = |verifier: &Verifier| verifier.verify(&seen.parts, LOGIN.as_bytes()).err();
        assert_eq!((refusal(&old), refusal(&new), refusal(&both)), (of_old, of_new, None), "{kid}");
    }
    guarded.layer.reload(following(&guarded.verifier).rule(login()).build().unwrap());
    assert!(!passed(&guarded, post_json("/login", LOGIN)).await.parts.headers.contains_key(HEADER));
}

#[test]
fn the_set_of_keys_has_all_of_them_and_nothing_private() {
    let assertions = Assertions::ed25519("two", pkcs8(2)).also("one", pkcs8(1)).also("three", pkcs8(3));
    let jwks: Value = serde_json::from_str(&assertions.jwks().unwrap()).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    let kids: Vec<_> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!(kids, ["two", "one", "three"]);
    for key in keys {
        let key = key.as_object().unwrap();
        let mut names: Vec<_> = key.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
        assert_eq!(
            (&key["kty"], &key["crv"], &key["alg"], &key["use"]),
            (&"OKP".into(), &"Ed25519".into(), &"EdDSA".into(), &"sig".into())
        );
    }
    // RFC 8032, section 7.1, test 1.
    let seed = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
        0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
    ];
    let mut key = pkcs8(0);
    key.truncate(16);
    key.extend(seed);
    let jwks = Assertions::ed25519("rfc", key).jwks().unwrap();
    assert!(jwks.contains(r#""x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#), "{jwks}");
}
