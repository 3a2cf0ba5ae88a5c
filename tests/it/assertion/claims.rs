//! What an assertion says.

use std::{collections::HashSet, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tower_jverify::{
    Check, CheckKind, Class, Coding, Fallback, Field, HandOn, Mode, Passes, PhoneGrammar, Policy, Prove, Risk, Rule,
    Verdict, captcha, number,
    pass::{AssertionError, Verifier as AssertionVerifier},
    sandbox::Fault,
};

use super::{HEADER, asserting, assertions, claims, login, part, passed, text, verified};
use crate::support::{Guarded, LOGIN, Sandboxed, Verifier, builder, following, post_json};

/// The hash of a body, as a backend computes it.
fn hash(body: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(body))
}

/// Assertions, and a verifier of the application's side that answers with this risk.
fn of_risk(score: i64, tags: Vec<Box<str>>) -> Guarded {
    let answer = move |check: &Check| {
        Some(Verdict::new(check.kind(), Class::Passed).with_id(7).with_risk(Risk::from_score(score, tags.clone())))
    };
    Guarded::asking(Verifier::answering(answer), |verifier| {
        builder(verifier).assertion(assertions()).rule(login()).build().unwrap()
    })
}

#[tokio::test]
async fn an_allowed_request_has_one_with_all_claims() {
    let guarded = asserting(|builder| builder.rule(login()));
    let seen = passed(&guarded, post_json("/login?next=%2Fhome", LOGIN)).await;
    let text = text(&seen);
    assert_eq!(part(&text, 0), json!({"typ": "jverify-assertion+jwt", "alg": "EdDSA", "kid": "one"}));
    let mut claims = part(&text, 1);
    let taken = |claims: &mut Value, name: &str| claims.as_object_mut().unwrap().remove(name).unwrap();
    let (iat, exp) = (taken(&mut claims, "iat").as_u64().unwrap(), taken(&mut claims, "exp").as_u64().unwrap());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(iat <= now && now - iat < 30, "{iat} {now}");
    assert_eq!(exp, iat + 60);
    assert_eq!(URL_SAFE_NO_PAD.decode(taken(&mut claims, "jti").as_str().unwrap()).unwrap().len(), 16);
    let expected = json!({
        "iss": "jverify", "aud": "accounts", "decision": "allow", "reason": "verified", "level": "low", "score": 0, "tags": [],
        "checks": ["number"], "vid": ["117270465679982592"], "rule": "POST /login", "mode": "enforce", "sandbox": false,
        "htm": "POST", "htu": "/login", "bd": hash(LOGIN.as_bytes()),
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn each_has_another_id() {
    let guarded = asserting(|builder| builder.rule(login()));
    let mut ids = HashSet::new();
    for _ in 0..100 {
        ids.insert(claims(&passed(&guarded, post_json("/login", LOGIN)).await)["jti"].to_string());
    }
    assert_eq!(ids.len(), 100);
}

#[tokio::test]
async fn the_verifier_returns_what_the_decision_says() {
    let guarded = of_risk(450, vec!["F24004".into(), "a b,\"é".into()]);
    let seen = passed(&guarded, post_json("/login", LOGIN)).await;
    let assertion = verified(&seen).unwrap();
    let decision = assertion.decision();
    assert!(decision.is_verified());
    assert_eq!((decision.action().as_str(), decision.reason().as_str()), ("flag", "risk"));
    assert_eq!((decision.level().unwrap().as_str(), decision.score()), ("medium", Some(450)));
    let [verdict] = decision.verdicts() else { panic!("{decision:?}") };
    assert_eq!((verdict.kind(), verdict.id()), (CheckKind::Number, Some("7")));
    assert_eq!(*verdict.risk(), Risk::from_score(450, vec!["F24004".into(), "a b,\"é".into()]));
    assert_eq!((assertion.rule(), assertion.binds_body()), (Some("POST /login"), true));
    assert_eq!(assertion.expires().duration_since(assertion.issued()).unwrap(), Duration::from_secs(60));
    assert_eq!(assertion.id(), claims(&seen)["jti"].as_str().unwrap());
}

#[tokio::test]
async fn a_policy_that_opened_says_unverified() {
    let policy = Policy::default().on(Class::Unavailable, Fallback::Open);
    let sandboxed = Sandboxed::noticing(login().policy(policy).forward_phone(true).assertion(assertions()));
    sandboxed.sandbox.fault(Fault::Refuse);
    let body = json!({"token": "sandbox-9000", "phone": "13812345678"});
    assert_eq!(sandboxed.login(&body).await.status(), 200);
    let seen = sandboxed.application.last();
    let claims = claims(&seen);
    assert_eq!((&claims["decision"], &claims["reason"]), (&json!("unverified"), &json!("unavailable")));
    assert_eq!(claims.get("phone"), None);
    assert!(matches!(verified(&seen), Err(AssertionError::Unverified(_))));
    let lenient =
        AssertionVerifier::new(assertions().jwks().unwrap()).audience("accounts").danger_accept_unverified(true);
    let assertion = lenient.build().unwrap().verify(&seen.parts, seen.body.as_ref().unwrap()).unwrap();
    assert!(!assertion.decision().is_verified() && assertion.decision().phone().is_none());
}

#[tokio::test]
async fn a_captcha_in_place_of_a_check_says_fallback_captcha() {
    let answer = |check: &Check| {
        let class = if check.kind() == CheckKind::Captcha { Class::Passed } else { Class::Unavailable };
        Some(Verdict::new(check.kind(), class))
    };
    let guarded = Guarded::asking(Verifier::answering(answer), |verifier| {
        let policy = Policy::default().on(Class::Unavailable, Fallback::Captcha);
        builder(verifier).assertion(assertions()).rule(login()).policy(policy).build().unwrap()
    });
    let body = r#"{"token":"t","phone":"13812345678","captchaContent":"c"}"#;
    let seen = passed(&guarded, post_json("/login", body)).await;
    let claims = claims(&seen);
    assert_eq!((&claims["decision"], &claims["reason"]), (&json!("flag"), &json!("fallback_captcha")));
    assert!(matches!(verified(&seen), Err(AssertionError::Unverified(_))));
}

#[tokio::test]
async fn a_request_with_a_pass_says_which_number_was_checked_before() {
    let answer = |check: &Check| {
        let verdict = Verdict::new(check.kind(), Class::Passed).with_id(7);
        Some(if check.kind() == CheckKind::Number {
            verdict.with_risk(Risk::from_score(650, Vec::new()))
        } else {
            verdict
        })
    };
    let guarded = Guarded::asking(Verifier::answering(answer), |verifier| {
        let passes = Passes::hs256("p", "0123456789abcdef0123456789abcdef").audience("accounts");
        let rule = login().forward_phone(true).passes(passes).assertion(assertions());
        following(verifier).rule(rule).build().unwrap()
    });
    let denied = guarded.send(post_json("/login", LOGIN)).await;
    assert_eq!(denied.status(), 403);
    let mut request = post_json("/login", r#"{"phone":"13812345678","captchaContent":"c"}"#);
    request.headers_mut().insert("x-jverify-pass", denied.headers()["x-jverify-pass"].clone());
    let seen = passed(&guarded, request).await;
    assert_eq!(guarded.verifier.kinds(), [CheckKind::Number, CheckKind::Captcha]);
    let claims = claims(&seen);
    assert_eq!(
        (&claims["decision"], &claims["reason"], &claims["score"]),
        (&json!("flag"), &json!("stepped_up"), &json!(650))
    );
    assert_eq!((&claims["checks"], &claims["phone"]), (&json!(["number", "captcha"]), &json!("13812345678")));
    assert!(verified(&seen).unwrap().decision().phone().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_rule_in_shadow_says_would_deny_with_its_mode_and_its_reason() {
    let watched = |verifier: Verifier| {
        Guarded::asking(verifier, |verifier| {
            let rule = login().mode(Mode::Shadow);
            builder(verifier).assertion(assertions()).rule(rule).build().unwrap()
        })
    };
    let (rejecting, silent) = (watched(Verifier::of_class(Class::Rejected)), watched(Verifier::silent()));
    let rejected = passed(&rejecting, post_json("/login", LOGIN)).await;
    let missing = passed(&rejecting, post_json("/login", "{}")).await;
    let late = passed(&silent, post_json("/login", LOGIN)).await;
    for (seen, reason) in [(rejected, "rejected"), (missing, "proof_missing"), (late, "unavailable")] {
        let claims = claims(&seen);
        let said = ["decision", "reason", "mode", "rule"].map(|name| claims[name].as_str().unwrap());
        assert_eq!(said, ["would-deny", reason, "shadow", "POST /login"]);
        assert_eq!(claims["bd"], hash(seen.body.as_ref().unwrap()), "{reason}");
        assert!(matches!(verified(&seen), Err(AssertionError::Unverified(_))), "{reason}");
    }
    let allowed = passed(&watched(Verifier::passing()), post_json("/login", LOGIN)).await;
    assert_eq!((&claims(&allowed)["decision"], &claims(&allowed)["mode"]), (&json!("allow"), &json!("shadow")));
    assert!(verified(&allowed).unwrap().decision().is_shadow());
}

#[tokio::test]
async fn a_rule_in_shadow_that_asks_nothing_says_not_asked() {
    let guarded = asserting(|builder| builder.rule(login().mode(Mode::Shadow).shadow_unasked(true)));
    let seen = passed(&guarded, post_json("/login", LOGIN)).await;
    assert_eq!((&claims(&seen)["decision"], &claims(&seen)["mode"]), (&json!("not-asked"), &json!("shadow")));
    assert!(matches!(verified(&seen), Err(AssertionError::Unverified(_))));
}

#[tokio::test]
async fn a_request_in_shadow_whose_path_is_not_clear_names_no_rule() {
    let guarded = asserting(|builder| builder.rule(login()).mode(Mode::Shadow));
    let seen = passed(&guarded, post_json("/x/..%2flogin", LOGIN)).await;
    let claims = claims(&seen);
    assert_eq!((&claims["decision"], &claims["reason"]), (&json!("would-deny"), &json!("path_ambiguous")));
    assert_eq!((&claims["rule"], &claims["bd"]), (&Value::Null, &Value::Null));
    assert_eq!(claims["htu"], "/x/..%2flogin");
}

#[tokio::test]
async fn requests_that_no_rule_lets_through_have_no_assertion() {
    let rules = [
        login().when(Field::body("/type"), "sms").otherwise_pass(),
        Rule::post("/admin", number()).guard_unless(|_| true),
        Rule::post("/later", number()).on_demand(),
    ];
    let guarded = asserting(|builder| builder.rules(rules));
    for (path, body, word) in [
        ("/health", LOGIN, None),
        ("/login", r#"{"type":"other"}"#, Some("not-guarded")),
        ("/admin", LOGIN, Some("not-guarded")),
        ("/later", LOGIN, Some("not-asked")),
    ] {
        let seen = passed(&guarded, post_json(path, body)).await;
        assert!(!seen.parts.headers.contains_key(HEADER), "{path}");
        assert_eq!(guarded.application.header("x-jverify-decision").as_deref(), word, "{path}");
        assert_eq!(verified(&seen).err(), Some(AssertionError::Missing), "{path}");
        drop(seen.parts.extensions.get::<Prove>().cloned());
    }
}

#[tokio::test]
async fn the_phone_is_there_only_where_it_is_forwarded() {
    for (forwards, expected) in [(false, None), (true, Some("13812345678"))] {
        let guarded = asserting(|builder| builder.rule(login()).forward_phone(forwards));
        let seen = passed(&guarded, post_json("/login", LOGIN)).await;
        let claims = claims(&seen);
        assert_eq!(claims.get("phone").and_then(Value::as_str), expected);
        assert_eq!(claims.to_string().contains("13812345678"), forwards);
        assert!(!claims.to_string().contains("canary"), "{claims}");
        let assertion = verified(&seen).unwrap();
        assert_eq!(assertion.decision().phone().map(|phone| phone.as_str().to_owned()).as_deref(), expected);
    }
}

#[tokio::test]
async fn the_hash_is_of_the_body_that_the_application_gets() {
    use std::io::Write;
    let spaced = r#"{ "token": "t", "phone": "+8613812345678" }"#;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(LOGIN.as_bytes()).unwrap();
    let zipped = encoder.finish().unwrap();
    let plain = |body: &'static str| post_json("/login", body);
    let gzip = || {
        let mut request = post_json("/login", zipped.clone());
        request.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        request
    };
    let code = PhoneGrammar::CountryCode;
    let pinned = r#"{ "token": "t", "phone": "13812345678" }"#;
    let canonical = r#"{"token":"t","phone":"13812345678"}"#;
    for (rule, request, handed_on) in [
        (login().phone_grammar(code), plain(spaced), spaced.as_bytes()),
        (login().phone_grammar(code).pin_phone(true), plain(spaced), pinned.as_bytes()),
        (login().phone_grammar(code).canonical_body(true), plain(spaced), canonical.as_bytes()),
        (login().decode([Coding::Gzip], HandOn::Decoded), gzip(), LOGIN.as_bytes()),
        (login().decode([Coding::Gzip], HandOn::EncodedUnprotected), gzip(), &*zipped),
    ] {
        let seen = passed(&asserting(|builder| builder.rule(rule)), request).await;
        assert_eq!(seen.body.as_deref(), Ok(handed_on));
        assert_eq!(claims(&seen)["bd"], hash(handed_on));
        assert!(verified(&seen).is_ok());
    }
}

#[tokio::test]
async fn a_body_that_is_not_read_is_not_bound_and_an_absent_one_is_empty() {
    let ask = number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    let guarded = asserting(|builder| builder.rule(Rule::post("/login", ask)));
    let request = |body: &'static str| {
        let request = Request::post("/login").header("x-token", "t").header("x-phone", "13812345678");
        request.body(Full::<Bytes>::from(body)).unwrap()
    };
    let seen = passed(&guarded, request("")).await;
    assert_eq!(claims(&seen)["bd"], hash(b""));
    assert!(verified(&seen).unwrap().binds_body());

    let seen = passed(&guarded, request("anything")).await;
    assert_eq!(claims(&seen)["bd"], Value::Null);
    assert_eq!(verified(&seen).err(), Some(AssertionError::BodyNotBound));
    let lenient =
        AssertionVerifier::new(assertions().jwks().unwrap()).audience("accounts").danger_accept_unbound_bodies(true);
    let lenient = lenient.build().unwrap();
    assert!(!lenient.verify(&seen.parts, b"anything").unwrap().binds_body());
    // What is bound stays bound.
    let seen = passed(&asserting(|builder| builder.rule(login())), post_json("/login", LOGIN)).await;
    assert_eq!(lenient.verify(&seen.parts, b"anything").err(), Some(AssertionError::Body));
}

#[tokio::test]
async fn the_longest_one_has_at_most_4096_bytes_and_is_valid() {
    // Of each kind of byte that JSON writes with the most bytes.
    let tag = |at: usize, byte: char| format!("{at:02}{}", byte.to_string().repeat(62)).into();
    let tags: Vec<Box<str>> = (0..64).map(|at| tag(at, if at < 4 { '\u{1}' } else { '"' })).collect();
    let id = "i".repeat(64);
    let answer = move |check: &Check| {
        Some(
            Verdict::new(check.kind(), Class::Passed)
                .with_id(id.clone())
                .with_risk(Risk::from_score(450, tags.clone())),
        )
    };
    let name = "n".repeat(64);
    let signing = tower_jverify::Assertions::ed25519("k".repeat(64), super::pkcs8(1));
    let signing = signing.audience("a".repeat(128)).issuer("i".repeat(128));
    let jwks = signing.jwks().unwrap();
    let guarded = Guarded::asking(Verifier::answering(answer), |verifier| {
        let ask = captcha().then(number().with_risk());
        let rule = Rule::any_method("/{*rest}", ask).name(name).forward_phone(true);
        builder(verifier).assertion(signing).rule(rule).build().unwrap()
    });
    let body = r#"{"token":"t","phone":"13812345678","captchaContent":"c"}"#;
    for (method, path) in [
        (Method::POST, format!("/{}", "\"".repeat(191))),
        (Method::POST, format!("/{}", "p".repeat(192))),
        (Method::from_bytes(&[b'M'; 33]).unwrap(), format!("/{}", "p".repeat(60_000))),
    ] {
        let mut request = post_json("/", body);
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        let seen = passed(&guarded, request).await;
        let text = text(&seen);
        assert!(text.len() <= 4096, "{}", text.len());
        let verifier = AssertionVerifier::new(&jwks).audience("a".repeat(128)).issuer("i".repeat(128)).build().unwrap();
        verifier.verify(&seen.parts, body.as_bytes()).unwrap();
        // The path is bound, however long it is.
        let mut other = seen.parts.clone();
        other.uri = format!("{}x", seen.parts.uri).parse().unwrap();
        assert_eq!(verifier.verify(&other, body.as_bytes()).err(), Some(AssertionError::Path));
        let mut other = seen.parts;
        other.method = Method::from_bytes(&[b'M'; 34]).unwrap();
        assert_eq!(verifier.verify(&other, body.as_bytes()).err(), Some(AssertionError::Method));
    }
}
