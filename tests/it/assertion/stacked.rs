//! What a backend reads is what the layer decided, also where layers are stacked and verifiers are custom.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use tower_jverify::{
    Action, Assertions, Check, CheckKind, Class, Decision, DecisionReason, Fallback, Field, JVerifyLayer, Level, Mode,
    Policy, Risk, Rule, Verdict, captcha, number,
    pass::{AssertionError, Verifier as AssertionVerifier},
};

use super::{HEADER, asserting, assertions, claims, login, passed, pkcs8, text, verified};
use crate::support::{Application, LOGIN, Seen, Verifier, builder, exchange, post_json, serve};

const BOTH: &str = r#"{"token":"t","phone":"13812345678","captchaContent":"c"}"#;

fn layer(verifier: &Verifier, rule: Rule) -> JVerifyLayer<Verifier> {
    builder(verifier).rule(rule).build().unwrap()
}

async fn through(layers: &[JVerifyLayer<Verifier>], request: Request<Full<Bytes>>) -> Seen {
    let application = Application::default();
    let [outer, inner] = layers else { panic!() };
    let service = outer.layer(inner.layer(application.clone()));
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    application.last()
}

#[tokio::test]
async fn what_is_not_asked_yet_has_no_phone_in_its_assertion() {
    let outer = layer(&Verifier::passing(), Rule::post("/login", captcha()).on_demand());
    let inner = layer(&Verifier::passing(), login().forward_phone(true).assertion(assertions()));
    let seen = through(&[outer, inner], post_json("/login", BOTH)).await;
    assert!(!seen.parts.headers.contains_key("x-jverify-phone"));
    let claims = claims(&seen);
    assert_eq!(claims["decision"], "not-asked");
    assert_eq!(claims.get("phone"), None, "{claims}");
    let error = verified(&seen).err();
    assert!(matches!(error, Some(AssertionError::Unverified(_))), "{error:?}");
    let lenient =
        AssertionVerifier::new(assertions().jwks().unwrap()).audience("accounts").danger_accept_unverified(true);
    lenient.build().unwrap().verify(&seen.parts, seen.body.as_ref().unwrap()).unwrap();
}

#[tokio::test]
async fn a_body_in_shadow_that_several_rules_may_mean_names_none_of_them() {
    let of = |kind: &'static str, name: &str| {
        Rule::post("/login", number()).when(Field::body("/type"), kind).name(name.to_owned()).mode(Mode::Shadow)
    };
    let guarded = asserting(|builder| builder.rules([of("sms", "first"), of("call", "second")]));
    let seen = passed(&guarded, post_json("/login", "{")).await;
    let claims = claims(&seen);
    assert_eq!((&claims["decision"], &claims["reason"]), (&json!("would-deny"), &json!("body_malformed")));
    assert_eq!(claims["rule"], Value::Null, "{claims}");
}

#[tokio::test]
async fn a_body_in_shadow_that_several_rules_may_mean_is_not_signed_for_the_backend_of_one() {
    let of = |kind: &'static str, audience: &'static str| {
        Rule::post("/login", number())
            .when(Field::body("/type"), kind)
            .name(kind)
            .mode(Mode::Shadow)
            .assertion(Assertions::ed25519("one", pkcs8(1)).audience(audience))
    };
    let guarded = asserting(|builder| builder.rules([of("sms", "messages"), of("call", "calls")]));
    let seen = passed(&guarded, post_json("/login", "{")).await;
    // The layer's audience, or none.
    if seen.parts.headers.contains_key(HEADER) {
        assert_eq!(claims(&seen)["aud"], "accounts");
    }
}

#[tokio::test]
async fn eight_checks_with_long_ids_are_a_valid_assertion() {
    let id = "é".repeat(64);
    let tags: Vec<Box<str>> = (0..64).map(|at| format!("{at:02}{}", "\"".repeat(62)).into()).collect();
    let verifier = Verifier::answering(move |check: &Check| {
        Some(
            Verdict::new(check.kind(), Class::Passed)
                .with_id(id.clone())
                .with_risk(Risk::from_score(450, tags.clone())),
        )
    });
    let signing = Assertions::ed25519("k".repeat(64), pkcs8(1)).audience("a".repeat(128)).issuer("i".repeat(128));
    let jwks = signing.jwks().unwrap();
    let rule = || {
        Rule::any_method("/{*rest}", captcha().then(number().with_risk()))
            .name("n".repeat(64))
            .forward_phone(true)
            .assertion(signing.clone())
    };
    let other = || {
        Rule::any_method("/{*rest}", number().with_risk())
            .name("m".repeat(64))
            .forward_phone(true)
            .assertion(signing.clone())
    };
    let application = Application::default();
    let service = layer(&verifier, other()).layer(
        layer(&verifier, rule()).layer(
            layer(&verifier, rule().name("o".repeat(64)))
                .layer(layer(&verifier, rule().name("p".repeat(64))).layer(application.clone())),
        ),
    );
    let mut request = post_json("/", BOTH);
    *request.uri_mut() = format!("/{}", "\"".repeat(191)).parse().unwrap();
    *request.method_mut() = Method::from_bytes(&[b'M'; 32]).unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200, "{:?}", response.body());
    let seen = application.last();
    let text = text(&seen);
    assert_eq!(claims(&seen)["checks"].as_array().unwrap().len(), 8);
    assert!(text.len() <= 4096, "{}", text.len());
    let verifier = AssertionVerifier::new(&jwks).audience("a".repeat(128)).issuer("i".repeat(128)).build().unwrap();
    verifier.verify(&seen.parts, BOTH.as_bytes()).unwrap();
}

#[tokio::test]
async fn targets_of_a_real_connection_are_signed_as_the_application_reads_them() {
    let guarded = asserting(|builder| builder.rule(login()).rule(Rule::any_method("/files/{*rest}", number())));
    let address = serve(guarded.service()).await;
    for target in
        ["/login", "http://evil.example/login", "/login?a=/other", "/login#frag", "/files/%2e%2F?x", "/files//a"]
    {
        let before = guarded.application.runs();
        let request = format!(
            "POST {target} HTTP/1.1\r\nhost: x\r\nconnection: close, x-jverify-assertion, x_jverify_mode\r\nx-jverify-assertion: a.b.c\r\ncontent-type: application/json\r\nx-http-method-override: DELETE\r\ncontent-length: {}\r\n\r\n{LOGIN}",
            LOGIN.len()
        );
        let answer = exchange(address, request).await;
        if guarded.application.runs() == before {
            assert!(answer.starts_with("HTTP/1.1 400"), "{target}: {answer}");
            continue;
        }
        let seen = guarded.application.last();
        let connection: Vec<_> = seen.parts.headers.get_all("connection").iter().collect();
        assert_eq!(connection, ["close"]);
        assert!(verified(&seen).is_ok());
    }
}

#[tokio::test]
async fn a_streamed_body_of_an_unread_request_is_never_bound_as_empty() {
    let ask = number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    let guarded = asserting(|builder| builder.rule(Rule::any_method("/login", ask)));
    let address = serve(guarded.service()).await;
    for (head, body, bound) in [
        ("transfer-encoding: chunked\r\n", "0\r\n\r\n", None),
        ("transfer-encoding: chunked\r\n", "1\r\na\r\n0\r\n\r\n", Some(false)),
        ("content-length: 1\r\n", "a", Some(false)),
        ("content-length: 0\r\n", "", Some(true)),
        ("", "", Some(true)),
    ] {
        for method in ["POST", "GET", "HEAD", "DELETE"] {
            let request = format!(
                "{method} /login HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-token: t\r\nx-phone: 13812345678\r\n{head}\r\n{body}"
            );
            let answer = exchange(address, request).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            let seen = guarded.application.last();
            let binds = claims(&seen)["bd"] != Value::Null;
            if let Some(bound) = bound {
                assert_eq!(binds, bound, "{method} {head:?}");
            }
            assert_eq!(claims(&seen)["htm"], method);
        }
    }
}

/// Each way in which a rule lets a request through, by name.
fn ways() -> Vec<(&'static str, JVerifyLayer<Verifier>)> {
    let of = |class, risk: Risk| {
        Verifier::answering(move |check: &Check| {
            let class = if check.kind() == CheckKind::Captcha { Class::Passed } else { class };
            Some(Verdict::new(check.kind(), class).with_risk(risk.clone()).with_id(7))
        })
    };
    let score = |score| Risk::from_score(score, vec!["F1".into()]);
    let flag = Policy::empty().band(0, Level::Medium, Action::Flag).unknown_risk(Action::Flag);
    let step = Policy::empty().band(0, Level::High, Action::StepUp).unknown_risk(Action::StepUp);
    let captcha_for = Policy::default().on(Class::Unavailable, Fallback::Captcha);
    let signed = |rule: Rule| rule.forward_phone(true).assertion(assertions());
    let sms = || login().when(Field::body("/token"), "t");
    vec![
        ("allow", layer(&of(Class::Passed, score(0)), signed(login()))),
        ("flag", layer(&of(Class::Passed, score(1)), signed(login().policy(flag.clone())))),
        ("unknown", layer(&of(Class::Passed, Risk::Unknown), signed(login().policy(flag)))),
        ("stepped up", layer(&of(Class::Passed, score(1)), signed(login().policy(step)))),
        ("captcha", layer(&of(Class::Passed, Risk::NotAsked), signed(Rule::post("/login", captcha())))),
        ("fallback", layer(&of(Class::Unavailable, Risk::NotAsked), signed(login().policy(captcha_for.clone())))),
        ("shadow", layer(&of(Class::Passed, score(0)), signed(login().mode(Mode::Shadow)))),
        ("would deny", layer(&of(Class::Rejected, Risk::NotAsked), signed(login().mode(Mode::Shadow)))),
        (
            "shadow fallback",
            layer(&of(Class::Unavailable, Risk::NotAsked), signed(login().policy(captcha_for).mode(Mode::Shadow))),
        ),
        ("unasked", layer(&of(Class::Passed, score(0)), signed(login().mode(Mode::Shadow).shadow_unasked(true)))),
        ("on demand", layer(&of(Class::Passed, score(0)), login().on_demand())),
        (
            "not guarded",
            layer(&of(Class::Passed, score(0)), signed(login().when(Field::body("/type"), "x").otherwise_pass())),
        ),
        ("a value", layer(&of(Class::Passed, score(0)), signed(sms()))),
        ("no id", layer(&Verifier::of_class(Class::Passed), signed(login()))),
    ]
}

#[tokio::test]
async fn a_backend_reads_what_the_layers_have_decided_together() {
    let lenient = AssertionVerifier::new(assertions().jwks().unwrap())
        .audience("accounts")
        .danger_accept_unverified(true)
        .danger_accept_unbound_bodies(true)
        .build()
        .unwrap();
    let mut wrong = Vec::new();
    for (outside, outer) in ways() {
        for (inside, inner) in ways() {
            let seen = through(&[outer.clone(), inner], post_json("/login", BOTH)).await;
            let decision = seen.parts.extensions.get::<Decision>().cloned();
            let decision = decision.filter(|_| seen.parts.headers.contains_key(HEADER));
            let Some(decision) = decision else { continue };
            let body = seen.body.as_ref().unwrap();
            match lenient.verify(&seen.parts, body) {
                Err(error) => wrong.push(format!("{outside} / {inside}: {error:?} {}", claims(&seen))),
                Ok(read) => {
                    let read = read.decision();
                    let of = |decision: &Decision| {
                        (
                            decision.is_verified(),
                            decision.reason(),
                            decision.would_deny(),
                            decision.is_shadow(),
                            decision.level(),
                            decision.score(),
                        )
                    };
                    let mut expected = of(&decision);
                    if decision.reason() == DecisionReason::NotAsked {
                        expected.4 = None;
                        expected.5 = None;
                    }
                    if of(read) != expected {
                        wrong.push(format!("{outside} / {inside}: {:?} {:?}", of(read), expected));
                    }
                    if !decision.is_verified() && verified(&seen).is_ok() {
                        wrong.push(format!("{outside} / {inside}: VERIFIED"));
                    }
                    if decision.is_verified() && verified(&seen).is_err() {
                        wrong.push(format!("{outside} / {inside}: refused {:?}", verified(&seen).err()));
                    }
                }
            }
            let by_headers = Decision::from_trusted_headers(&seen.parts.headers, "x-jverify");
            if by_headers.as_ref().map(Decision::is_verified) != Ok(decision.is_verified()) {
                wrong.push(format!("{outside} / {inside}: headers {by_headers:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
