//! Rules whose checks the application starts, after its cheap checks.
#![allow(clippy::similar_names, reason = "rules, and what they ask")]

mod answers;
mod clients;
mod clones;
mod frameworks;
mod settings;
mod stacked;

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_jverify::{
    Ask, CheckKind, Class, Decision, DecisionReason, Field, JVerifyLayer, Phone, Prove, RequestBody, Rule, Verdict,
    captcha, number,
};

use crate::support::{Guarded, LOGIN, Sandboxed, Verifier, builder, post_json};

/// `POST /login` with a number, on demand.
fn rule() -> Rule {
    Rule::post("/login", number()).on_demand()
}

/// The `Prove` of the request that reached the application last.
fn prove(guarded: &Guarded) -> Prove {
    guarded.application.last().parts.extensions.get::<Prove>().cloned().expect("the rule is on demand")
}

/// A layer with one rule, and the `Prove` of a login that it has passed on.
async fn passed_on(rule: Rule, verifier: Verifier, body: &'static str) -> (Guarded, Prove) {
    let guarded = Guarded::asking(verifier, |verifier| builder(verifier).rule(rule).build().unwrap());
    assert_eq!(guarded.send(post_json("/login", body)).await.status(), 200);
    let prove = prove(&guarded);
    (guarded, prove)
}

/// An application that asks at once, and answers as the checks do.
async fn asks_at_once<B>(request: Request<RequestBody<B>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let prove = request.extensions().get::<Prove>().cloned().expect("the rule is on demand");
    drop(request);
    Ok(match prove.now().await {
        Ok(_) => Response::new(Full::from("verified")),
        Err(denial) => Response::from(denial).map(Full::new),
    })
}

#[tokio::test]
async fn nothing_is_asked_before_the_application_asks() {
    let (guarded, prove) = passed_on(rule(), Verifier::passing(), LOGIN).await;
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 1));
    let seen = guarded.application.last();
    assert_eq!(seen.body.unwrap(), LOGIN, "the body reaches it as it came");
    let verified = prove.now().await.unwrap();
    assert_eq!(guarded.verifier.kinds(), [CheckKind::Number]);
    assert_eq!((verified.phone(), verified.reason()), (Phone::parse("13812345678"), DecisionReason::Verified));
}

#[tokio::test]
async fn the_head_says_that_nothing_was_asked_whatever_the_client_says() {
    for prefix in ["x-jverify", "x-edge-check"] {
        let guarded = Guarded::with(|verifier| builder(verifier).rule(rule()).header_prefix(prefix).build().unwrap());
        let mut request = post_json("/login", LOGIN);
        for (name, value) in
            [("decision", "allow"), ("decision", "not-asked"), ("phone", "13800000000"), ("checks", "number")]
        {
            let name: http::HeaderName = format!("{prefix}-{name}").parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        // An alias, which some servers read as the same name.
        request.headers_mut().append("x_jverify_decision", "allow".parse().unwrap());
        request.headers_mut().append("x_edge_check_decision", "allow".parse().unwrap());
        assert_eq!(guarded.send(request).await.status(), 200);
        let head = guarded.application.last().parts;
        let mut ours: Vec<_> = head
            .headers
            .iter()
            .filter(|(name, _)| name.as_str().replace('_', "-").starts_with(prefix))
            .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
            .collect();
        ours.sort();
        let named = |name: &str, value: &str| (format!("{prefix}-{name}"), value.to_owned());
        assert_eq!(ours, [named("decision", "not-asked")]);

        let decision = head.extensions.get::<Decision>().unwrap();
        assert!(!decision.is_verified() && decision.verdicts().is_empty() && decision.phone().is_none());
        assert_eq!(decision.reason(), DecisionReason::NotAsked);
        // What was asked later changes nothing of what is written there.
        prove(&guarded).now().await.unwrap();
        assert!(!guarded.application.last().parts.extensions.get::<Decision>().unwrap().is_verified());
    }
}

#[tokio::test]
async fn what_cannot_be_a_proof_is_refused_and_never_reaches_the_application() {
    let risky = number().step_up_scene("login");
    let rules: [(Ask, &[(&str, &str)]); 3] = [
        (
            number().into(),
            &[
                ("proof_missing", "{}"),
                ("proof_missing", r#"{"token":"t"}"#),
                ("proof_malformed", r#"{"token":"t","phone":"+8613812345678"}"#),
                ("proof_malformed", r#"{"token":"t","phone":"13812345678","Phone":"13912345678"}"#),
                ("body_malformed", r#"{"token":"t""#),
            ],
        ),
        (
            risky.into(),
            &[
                ("proof_malformed", r#"{"token":"t","phone":"13812345678","captchaContent":1}"#),
                ("proof_malformed", r#"{"token":"t","phone":"13812345678","captchaContent":["c"]}"#),
            ],
        ),
        (captcha().then(number()), &[("proof_missing", r#"{"captchaContent":"c"}"#), ("proof_missing", LOGIN)]),
    ];
    for (ask, bodies) in rules {
        let guarded = Guarded::by([Rule::post("/login", ask).on_demand()]);
        for (code, body) in bodies {
            guarded.refuses(post_json("/login", *body), code, body).await;
        }
        guarded.refuses(post_json("/login?phone=13912345678", LOGIN), "proof_malformed", "the query").await;
        assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
    }
}

#[tokio::test]
async fn a_mistyped_password_spends_no_proof() {
    let desk = Sandboxed::new(rule());
    let service = desk.layer.layer(service_fn(|request: Request<RequestBody<Full<Bytes>>>| async move {
        let prove = request.extensions().get::<Prove>().cloned().expect("the rule is on demand");
        if request.headers()["x-password"] != "right" {
            return Ok::<_, Infallible>(Response::builder().status(401).body(Full::default()).unwrap());
        }
        Ok(match prove.now().await {
            Ok(_) => Response::new(Full::default()),
            Err(denial) => Response::from(denial).map(Full::new),
        })
    }));
    // The sandbox takes this token once, as JPush takes every token.
    let body = json!({"token": "sandbox-once-9000", "phone": "13800000000"}).to_string();
    let mut statuses = Vec::new();
    for password in ["wrong", "wrong again", "right", "right"] {
        let mut request = post_json("/login", body.clone());
        request.headers_mut().insert("x-password", password.parse().unwrap());
        statuses.push(service.clone().oneshot(request).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [401, 401, 200, 403]);
    assert_eq!(desk.asked(), [CheckKind::Number], "the second right one is refused without a call");
}

#[tokio::test]
async fn every_kind_of_rule_can_be_on_demand() {
    let verifier = || {
        Verifier::answering(|check| {
            let verdict = Verdict::new(check.kind(), Class::Passed);
            let is_one_tap = check.kind() == CheckKind::OneTap;
            Some(if is_one_tap { verdict.with_phone(Phone::parse("13812345678")?) } else { verdict })
        })
    };
    let both = r#"{"captchaContent":"c","token":"t","phone":"13812345678","type":"a"}"#;
    let post = |ask: Ask| Rule::post("/login", ask).on_demand();
    let cases: [(Vec<Rule>, &'static str, &[CheckKind]); 6] = [
        (vec![post(captcha().then(number()))], both, &[CheckKind::Captcha, CheckKind::Number]),
        (vec![post(captcha().or(number()).into())], LOGIN, &[CheckKind::Number]),
        (vec![post(number().with_risk().into())], LOGIN, &[CheckKind::Number, CheckKind::Risk]),
        (vec![post(tower_jverify::one_tap().into())], r#"{"loginToken":"l"}"#, &[CheckKind::OneTap]),
        (vec![Rule::any_request(captcha()).on_demand()], both, &[CheckKind::Captcha]),
        (
            vec![
                post(captcha().into()).when(Field::body("/type"), "a"),
                post(number().into()).when(Field::body("/type"), "b"),
            ],
            both,
            &[CheckKind::Captcha],
        ),
    ];
    for (rules, body, kinds) in cases {
        let guarded = Guarded::asking(verifier(), |verifier: &Verifier| -> JVerifyLayer<Verifier> {
            builder(verifier).rules(rules).build().unwrap()
        });
        assert_eq!(guarded.send(post_json("/login", body)).await.status(), 200, "{body}");
        assert_eq!(guarded.verifier.calls(), 0, "{body}");
        let verified = prove(&guarded).now().await.unwrap();
        assert_eq!(guarded.verifier.kinds(), kinds, "{body}");
        assert_eq!(verified.verdicts().len(), kinds.len(), "{body}");
    }
}

#[tokio::test]
async fn a_rule_that_is_not_on_demand_hands_no_prove_on() {
    let guarded = Guarded::by([Rule::post("/login", number()), Rule::post("/pay", number()).on_demand()]);
    assert!(
        guarded.verifies(post_json("/login", LOGIN), "asked at once").await.parts.extensions.get::<Prove>().is_none()
    );
    assert_eq!(guarded.send(post_json("/other", LOGIN)).await.status(), 200);
    assert!(guarded.application.last().parts.extensions.get::<Prove>().is_none());
    assert_eq!(guarded.send(post_json("/pay", LOGIN)).await.status(), 200);
    prove(&guarded).now().await.unwrap();
    assert_eq!(guarded.verifier.calls(), 2);
}
