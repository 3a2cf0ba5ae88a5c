//! What the verifier refuses.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderName, HeaderValue, Method};
use jsonwebtoken::{Algorithm, EncodingKey, crypto::aws_lc::DEFAULT_PROVIDER};
use serde_json::{Value, json};
use tokio::time::advance;
use tower_jverify::{
    Assertions, ConfigError, DecisionReason,
    pass::{AssertionError, Verifier},
};

use super::{HEADER, asserting, assertions, claims, login, passed, pkcs8, text, verified, verifier, with_assertion};
use crate::support::{LOGIN, Sandboxed, post_json};

/// A text with this header and these claims, signed by this key with this algorithm.
fn signed(header: &Value, claims: &str, algorithm: Algorithm, key: &EncodingKey) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims));
    let signer = (DEFAULT_PROVIDER.signer_factory)(&algorithm, key).unwrap();
    let signature = signer.try_sign(message.as_bytes()).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn header() -> Value {
    json!({"typ": "jverify-assertion+jwt", "alg": "EdDSA", "kid": "one"})
}

/// As the layer would sign it.
fn signed_as_ours(claims: &str) -> String {
    signed(&header(), claims, Algorithm::EdDSA, &EncodingKey::from_ed_der(&pkcs8(1)))
}

/// The claims of a login that was allowed.
async fn allowed() -> Value {
    claims(&passed(&asserting(|builder| builder.rule(login())), post_json("/login", LOGIN)).await)
}

/// Why the verifier refuses this text for the login.
fn refusal(text: &str) -> Option<AssertionError> {
    let (parts, body) = with_assertion(LOGIN, text);
    verifier(&assertions()).verify(&parts, &body).err()
}

#[tokio::test]
async fn another_body_method_or_path_is_refused_and_another_query_is_not() {
    let seen = passed(&asserting(|builder| builder.rule(login())), post_json("/login?a=1", LOGIN)).await;
    let verifier = verifier(&assertions());
    assert!(verifier.verify(&seen.parts, LOGIN.as_bytes()).is_ok());
    for at in 0..LOGIN.len() {
        let mut body = LOGIN.as_bytes().to_vec();
        body[at] ^= 1;
        assert_eq!(verifier.verify(&seen.parts, &body).err(), Some(AssertionError::Body), "{at}");
    }
    assert_eq!(verifier.verify(&seen.parts, b"").err(), Some(AssertionError::Body));
    for method in [Method::PUT, Method::GET, Method::from_bytes(b"post").unwrap()] {
        let mut parts = seen.parts.clone();
        parts.method = method;
        assert_eq!(verifier.verify(&parts, LOGIN.as_bytes()).err(), Some(AssertionError::Method));
    }
    for path in ["/Login", "/login/", "//login", "/%6cogin", "/", "/log"] {
        let mut parts = seen.parts.clone();
        parts.uri = path.parse().unwrap();
        assert_eq!(verifier.verify(&parts, LOGIN.as_bytes()).err(), Some(AssertionError::Path), "{path}");
    }
    let mut parts = seen.parts;
    parts.uri = "/login?a=2".parse().unwrap();
    assert!(verifier.verify(&parts, LOGIN.as_bytes()).is_ok());
}

#[tokio::test]
async fn another_audience_or_issuer_is_refused() {
    let seen = passed(&asserting(|builder| builder.rule(login())), post_json("/login", LOGIN)).await;
    let jwks = assertions().jwks().unwrap();
    let refusal = |builder: tower_jverify::pass::VerifierBuilder| {
        builder.build().unwrap().verify(&seen.parts, LOGIN.as_bytes()).err()
    };
    assert_eq!(refusal(Verifier::new(&jwks).audience("accounts")), None);
    for audience in ["account", "accounts2", "Accounts"] {
        assert_eq!(refusal(Verifier::new(&jwks).audience(audience)), Some(AssertionError::Audience));
    }
    assert_eq!(refusal(Verifier::new(&jwks).audience("accounts").issuer("edge")), Some(AssertionError::Issuer));
}

#[tokio::test(start_paused = true)]
async fn after_61_seconds_it_has_expired() {
    let guarded = asserting(|builder| builder.rule(login()));
    let verifier = verifier(&assertions());
    let seen = passed(&guarded, post_json("/login", LOGIN)).await;
    for (after, refusal) in [(55, None), (6, Some(AssertionError::Expired)), (86_400, Some(AssertionError::Expired))] {
        advance(Duration::from_secs(after)).await;
        assert_eq!(verifier.verify(&seen.parts, LOGIN.as_bytes()).err(), refusal, "{after}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_30_seconds_behind_is_allowed_and_one_that_is_later_is_not() {
    let guarded = asserting(|builder| builder.rule(login()));
    for (ahead, refusal) in [(25, None), (10, Some(AssertionError::NotYetValid))] {
        advance(Duration::from_secs(ahead)).await;
        let seen = passed(&guarded, post_json("/login", LOGIN)).await;
        // Its clock begins now, and the layer's is ahead.
        assert_eq!(verified(&seen).err(), refusal, "{ahead}");
    }
}

#[tokio::test]
async fn only_a_signature_of_a_known_key_for_this_purpose_counts() {
    let claims = allowed().await.to_string();
    let ours = EncodingKey::from_ed_der(&pkcs8(1));
    assert_eq!(refusal(&signed_as_ours(&claims)), None);

    let octets = {
        let jwks: Value = serde_json::from_str(&assertions().jwks().unwrap()).unwrap();
        URL_SAFE_NO_PAD.decode(jwks["keys"][0]["x"].as_str().unwrap()).unwrap()
    };
    let public = EncodingKey::from_secret(&octets);
    let with = |name: &str, value: Value| {
        let mut header = header();
        header[name] = value;
        header
    };
    for (what, text) in [
        ("HS256 with the public key", signed(&with("alg", json!("HS256")), &claims, Algorithm::HS256, &public)),
        ("HS256 that names EdDSA", signed(&header(), &claims, Algorithm::HS256, &public)),
        ("another kid", signed(&with("kid", json!("two")), &claims, Algorithm::EdDSA, &ours)),
        ("another key", signed(&header(), &claims, Algorithm::EdDSA, &EncodingKey::from_ed_der(&pkcs8(2)))),
        ("the type of a pass", signed(&with("typ", json!("jverify-pass+jwt")), &claims, Algorithm::EdDSA, &ours)),
        ("any other type", signed(&with("typ", json!("JWT")), &claims, Algorithm::EdDSA, &ours)),
        ("a key within", signed(&with("jwk", json!({"kty": "OKP"})), &claims, Algorithm::EdDSA, &ours)),
        ("critical", signed(&with("crit", json!(["exp"])), &claims, Algorithm::EdDSA, &ours)),
    ] {
        assert_eq!(refusal(&text), Some(AssertionError::Signature), "{what}");
    }
    for alg in ["none", "None", "NONE", ""] {
        let text = signed(&with("alg", json!(alg)), &claims, Algorithm::EdDSA, &ours);
        let message = text.rsplit_once('.').unwrap().0;
        for text in [text.clone(), format!("{message}."), message.to_owned()] {
            assert_eq!(refusal(&text), Some(AssertionError::Signature), "{alg}");
        }
    }
    for text in ["", ".", "..", "a.b.c", "null", &"a".repeat(5_000)] {
        assert_eq!(refusal(text), Some(AssertionError::Signature), "{text}");
    }
}

#[tokio::test]
async fn each_changed_letter_is_refused() {
    let text = signed_as_ours(&allowed().await.to_string());
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        if bytes != text.as_bytes() {
            assert_eq!(refusal(std::str::from_utf8(&bytes).unwrap()), Some(AssertionError::Signature), "{at}");
        }
    }
}

#[tokio::test]
async fn claims_that_the_layer_does_not_write_are_refused() {
    let allowed = allowed().await;
    for (name, value, expected) in [
        ("decision", json!("Allow"), AssertionError::Claims),
        ("decision", json!("deny"), AssertionError::Claims),
        ("decision", json!("not-guarded"), AssertionError::Unverified(DecisionReason::NotGuarded)),
        ("decision", json!("unverified"), AssertionError::Claims),
        ("reason", json!("would_deny"), AssertionError::Claims),
        ("reason", json!("risk"), AssertionError::Claims),
        ("score", json!(901), AssertionError::Claims),
        ("score", json!(-1), AssertionError::Signature),
        ("score", json!("0"), AssertionError::Signature),
        ("level", json!("none"), AssertionError::Claims),
        ("mode", json!("off"), AssertionError::Claims),
        ("checks", json!(["password"]), AssertionError::Claims),
        ("vid", json!([]), AssertionError::Claims),
        ("vid", json!(["a b"]), AssertionError::Claims),
        ("phone", json!("1381234567"), AssertionError::Claims),
        ("sandbox", json!("false"), AssertionError::Signature),
        ("sandbox", json!(true), AssertionError::Unverified(DecisionReason::Sandbox)),
        ("aud", json!(["accounts"]), AssertionError::Signature),
        ("exp", Value::Null, AssertionError::Signature),
        ("bd", Value::Null, AssertionError::BodyNotBound),
    ] {
        let mut claims = allowed.clone();
        claims[name] = value.clone();
        assert_eq!(refusal(&signed_as_ours(&claims.to_string())), Some(expected), "{name}: {value}");
    }
    let twice = allowed.to_string().replacen('{', r#"{"aud":"other","#, 1);
    assert_eq!(refusal(&signed_as_ours(&twice)), Some(AssertionError::Signature));
    for name in [
        "iss", "aud", "iat", "exp", "jti", "decision", "reason", "mode", "sandbox", "htm", "htu", "tags", "checks",
        "vid",
    ] {
        let mut claims = allowed.clone();
        claims.as_object_mut().unwrap().remove(name).unwrap();
        assert_eq!(refusal(&signed_as_ours(&claims.to_string())), Some(AssertionError::Signature), "{name}");
    }
    // A later version may say more.
    let mut more = allowed;
    more["acr"] = json!("2");
    assert_eq!(refusal(&signed_as_ours(&more.to_string())), None);
    // But not without limit: 4,096 bytes are read.
    more["acr"] = json!("2".repeat(2_000));
    assert_eq!(refusal(&signed_as_ours(&more.to_string())), None);
    more["acr"] = json!("2".repeat(3_000));
    assert_eq!(refusal(&signed_as_ours(&more.to_string())), Some(AssertionError::Signature));
}

#[tokio::test]
async fn a_sandbox_is_not_verified_unless_it_is_accepted() {
    let sandboxed = Sandboxed::set(|builder| builder.rule(login()).forward_phone(true).assertion(assertions()));
    let body = json!({"token": "sandbox-9000", "phone": "13800000000"});
    assert_eq!(sandboxed.login(&body).await.status(), 200);
    let seen = sandboxed.application.last();
    assert_eq!(verified(&seen).err(), Some(AssertionError::Unverified(DecisionReason::Sandbox)));
    let staging = Verifier::new(assertions().jwks().unwrap()).audience("accounts").danger_accept_sandbox(true);
    let assertion = staging.build().unwrap().verify(&seen.parts, seen.body.as_ref().unwrap()).unwrap();
    assert!(assertion.decision().is_sandbox() && assertion.decision().phone().is_some());
}

#[tokio::test]
async fn two_headers_and_other_spellings_are_refused() {
    let text = text(&passed(&asserting(|builder| builder.rule(login())), post_json("/login", LOGIN)).await);
    let value = HeaderValue::from_str(&text).unwrap();
    let refusal = |names: &[&str]| {
        let (mut parts, body) = with_assertion(LOGIN, &text);
        parts.headers.clear();
        for name in names {
            parts.headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.clone());
        }
        verifier(&assertions()).verify(&parts, &body).err()
    };
    assert_eq!(refusal(&[HEADER]), None);
    assert_eq!(refusal(&[]), Some(AssertionError::Missing));
    assert_eq!(refusal(&[HEADER, HEADER]), Some(AssertionError::Repeated));
    for alias in ["x_jverify_assertion", "x-jverify_assertion", "x.jverify.assertion", "x~jverify-assertion"] {
        assert_eq!(refusal(&[alias]), Some(AssertionError::Aliased), "{alias}");
        assert_eq!(refusal(&[HEADER, alias]), Some(AssertionError::Aliased), "{alias}");
    }
}

#[test]
fn a_set_of_keys_is_read_as_the_rfc_says() {
    let build = |jwks: &str| Verifier::new(jwks).audience("accounts").build().map(drop);
    let key = |kid: &str, more: &str| {
        format!(
            r#"{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"{more}}}"#
        )
    };
    let set = |keys: &[String]| format!(r#"{{"keys":[{}]}}"#, keys.join(","));
    let other = |text: &str| text.to_owned();
    for good in [
        set(&[key("a", "")]),
        set(&[key("a", r#","use":"sig","alg":"EdDSA","ext":true"#)]),
        set(&[key("a", r#","alg":"Ed25519""#), key("b", "")]),
        set(&[other(r#"{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"r"}"#), other(r#"{"kty":5}"#), key("a", "")]),
        set(&[key("a", r#","use":"enc""#), key("a", "")]),
    ] {
        assert_eq!(build(&good), Ok(()), "{good}");
    }
    for bad in [
        other(""),
        other("{}"),
        other("[]"),
        set(&[]),
        set(&[key("a", ""), key("a", "")]),
        set(&[key("a", r#","use":"enc""#)]),
        set(&[key("a", r#","alg":"HS256""#)]),
        set(&[key("a", "").replace("Ed25519", "X25519")]),
        set(&[key("a", "").replace(r#""kid":"a","#, "")]),
        set(&[key("a", "").replace("11qY", "")]),
        set(&[key("a", "").replace("11qY", "11q=")]),
        set(&[other(r#"{"kty":"oct","k":"AAAA","kid":"s"}"#)]),
    ] {
        assert_eq!(build(&bad).map_err(|error| error.setting()), Err("verifier.jwks"), "{bad}");
    }
}

#[test]
fn a_verifier_without_an_audience_is_not_built() {
    let jwks = assertions().jwks().unwrap();
    let setting = |built: Result<Verifier, ConfigError>| built.map(drop).map_err(|error| error.setting());
    assert_eq!(setting(Verifier::new(&jwks).build()), Err("verifier.audience"));
    assert_eq!(setting(Verifier::new(&jwks).audience("").build()), Err("verifier.audience"));
    assert_eq!(setting(Verifier::new(&jwks).audience("a").issuer("a b").build()), Err("verifier.issuer"));
    assert_eq!(setting(Verifier::new(&jwks).audience("a").header_prefix("x").build()), Err("header_prefix"));
    let verifier = verifier(&Assertions::ed25519("one", pkcs8(1)));
    assert!(format!("{verifier:?}").contains("accounts"));
}
