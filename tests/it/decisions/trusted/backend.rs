//! A proxy and its backend: the decision of the proxy is read in the backend.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_jverify::{
    Action, CallError, Check, CheckKind, Class, Decision, DecisionReason, Fallback, Field, JVerifyLayer, Level, Phone,
    Policy, Question, RequestBody, Risk, Rule, TrustedHeaders, TrustedHeadersError, Verdict, captcha, number, one_tap,
    sandbox::Fault,
};

use super::{ALLOWED, read, trusted};
use crate::decisions::PHONE;
use crate::support::{Guarded, Sandboxed, Verifier, asking, jpush, noticing, post_json, serve};

/// A proxy with the layer in front of a backend, both on sockets: the decision in the proxy, and what the backend reads.
async fn across<V>(
    layer: JVerifyLayer<V>,
    trusted: TrustedHeaders,
    body: &Value,
) -> (Option<Decision>, Result<Decision, TrustedHeadersError>)
where
    V: tower::Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
{
    let (decided, found) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(None)));
    let seen = Arc::clone(&found);
    let backend = serve(service_fn(move |request: Request<hyper::body::Incoming>| {
        *seen.lock().unwrap() = Some(trusted.read(request.headers()));
        async { Ok::<_, BoxError>(Response::new(Full::<Bytes>::default())) }
    }))
    .await;
    let client = Client::builder(TokioExecutor::new()).build_http::<RequestBody<hyper::body::Incoming>>();
    let in_proxy = Arc::clone(&decided);
    let forward = service_fn(move |mut request: Request<RequestBody<hyper::body::Incoming>>| {
        *in_proxy.lock().unwrap() = request.extensions().get::<Decision>().cloned();
        *request.uri_mut() = format!("http://{backend}{}", request.uri().path()).parse().unwrap();
        *request.version_mut() = Version::HTTP_11;
        client.request(request)
    });
    let proxy = serve(layer.layer(forward)).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut request = post_json(&format!("http://{proxy}/login"), body.to_string());
    // Nothing of the client's arrives.
    for name in ["x-jverify-decision", "x_jverify_decision", "x-jverify-phone", "x.jverify.sandbox"] {
        request.headers_mut().append(name, "forged".parse().unwrap());
    }
    let response = client.request(request).await.unwrap();
    assert_eq!(response.status(), 200, "{body}: {:?}", response.into_body().collect().await);
    let decision = decided.lock().unwrap().take();
    (decision, found.lock().unwrap().take().expect("the backend ran"))
}

/// Everything that the headers say.
fn summary(decision: &Decision, has_phone: bool) -> (Action, DecisionReason, bool, Option<Level>, Option<u16>, String) {
    let verdicts = decision.verdicts().iter();
    let rest: Vec<_> = verdicts.map(|verdict| (verdict.kind(), verdict.id().map(ToOwned::to_owned))).collect();
    let rest = format!("{rest:?} {:?} {}", decision.phone().filter(|_| has_phone), decision.is_sandbox());
    (decision.action(), decision.reason(), decision.is_verified(), decision.level(), decision.score(), rest)
}

#[tokio::test]
async fn every_decision_of_a_proxy_reads_back_in_its_backend() {
    let passing = |risk: Risk| {
        Verifier::answering(move |check| {
            let verdict = Verdict::new(check.kind(), Class::Passed).with_id(format!("{}:7", check.kind()));
            Some(match check.question() {
                Question::Captcha { .. } => verdict,
                Question::OneTap { .. } => verdict.with_phone(Phone::parse(PHONE).unwrap()).with_risk(risk.clone()),
                _ => verdict.with_risk(risk.clone()),
            })
        })
    };
    let known = |score: i64| Risk::from_score(score, vec!["a,b".into(), "高危".into(), "%41".into()]);
    let one = json!({"token": "t", "phone": PHONE});
    let both = json!({"captchaContent": "c", "token": "t", "phone": PHONE});
    for forward in [false, true] {
        for (risk, ask, body) in [
            (Risk::NotAsked, number().into(), &one),
            (known(0), number().into(), &one),
            (known(450), number().into(), &one),
            (Risk::Unknown, number().into(), &one),
            (Risk::Unknown, number().with_risk().into(), &one),
            (known(299), number().with_risk().into(), &one),
            (known(10), captcha().then(number()), &both),
            (known(600), captcha().then(number()), &both),
            (known(700), number().into(), &both),
            (Risk::NotAsked, captcha().into(), &both),
            (known(10), one_tap().into(), &json!({"loginToken": "t"})),
            (known(10), one_tap().with_risk().into(), &json!({"loginToken": "t"})),
        ] {
            let what = format!("{risk:?} {body} {forward}");
            let rule = Rule::post("/login", ask).forward_phone(forward);
            let guarded =
                Guarded::asking(passing(risk), |verifier| asking(verifier.clone()).rule(rule).build().unwrap());
            let (decision, found) = across(guarded.layer.clone(), trusted(), body).await;
            let (decision, found) = (decision.expect("a decision"), found.unwrap());
            assert_eq!(summary(&found, forward), summary(&decision, forward), "{what}");
            assert!(found.is_verified(), "{what}");
            assert_eq!(found.phone(), decision.phone().filter(|_| forward), "{what}");
            for kind in [CheckKind::Number, CheckKind::Captcha, CheckKind::OneTap] {
                assert_eq!(found.passed(kind), decision.passed(kind), "{what}");
            }
            let tags = |decision: &Decision| {
                let tags = decision.verdicts().iter().filter_map(|verdict| match verdict.risk() {
                    Risk::Known { tags, .. } => Some(tags.clone()),
                    _ => None,
                });
                tags.flatten().collect::<Vec<_>>()
            };
            // The tags of a number and of its risk query are one list.
            assert_eq!(tags(&found), tags(&decision), "{what}");
        }
    }
}

#[tokio::test]
async fn what_a_policy_opened_reads_back_as_unverified() {
    let unreachable = service_fn(|check: Check| async move {
        match check.kind() {
            CheckKind::Captcha => Ok(Verdict::new(CheckKind::Captcha, Class::Passed)),
            _ => Err(CallError::no_connection("refused")),
        }
    });
    let rule = Rule::post("/login", captcha().then(number())).forward_phone(true);
    let layer = noticing(unreachable).rule(rule.policy(Policy::default().on(Class::Unavailable, Fallback::Open)));
    let body = json!({"captchaContent": "c", "token": "t", "phone": PHONE});
    let (decision, found) = across(layer.build().unwrap(), trusted(), &body).await;
    let (decision, found) = (decision.unwrap(), found.unwrap());
    assert_eq!(summary(&found, true), summary(&decision, true));
    assert_eq!((found.is_verified(), found.reason(), found.phone()), (false, DecisionReason::Unavailable, None));
    // The headers do not say which check has no answer, so none has passed.
    assert!(!found.passed(CheckKind::Captcha) && !found.passed(CheckKind::Number));
}

#[tokio::test]
async fn what_no_rule_guards_reads_back_as_not_guarded_or_not_decided() {
    let by_type = |ask| Rule::post("/login", ask).when(Field::body("/type"), "sms").otherwise_pass();
    let guarded = Guarded::by([by_type(number())]);
    let (decision, found) = across(guarded.layer.clone(), trusted(), &json!({"type": "other"})).await;
    assert!(decision.is_none());
    let found = found.unwrap();
    assert_eq!((found.is_verified(), found.reason()), (false, DecisionReason::NotGuarded));
    assert_eq!((found.action(), found.phone(), found.verdicts().len()), (Action::Flag, None, 0));
    let accepting = trusted().danger_accept_not_guarded(true);
    let (_, found) = across(guarded.layer.clone(), accepting, &json!({"type": "other"})).await;
    assert!(found.is_ok_and(|found| found.is_verified() && found.phone().is_none()));

    let guarded = Guarded::by([Rule::post("/elsewhere", number())]);
    let (_, found) = across(guarded.layer.clone(), trusted(), &json!({})).await;
    assert_eq!(found.unwrap_err(), TrustedHeadersError::NotDecided);
}

#[tokio::test]
async fn a_sandbox_is_unverified_unless_it_is_accepted() {
    let desk = Sandboxed::set(|builder| builder.rule(Rule::post("/login", number())).forward_phone(true));
    let body = json!({"token": "sandbox-9000", "phone": PHONE});
    let (_, found) = across(desk.layer.clone(), trusted(), &body).await;
    let found = found.unwrap();
    assert_eq!((found.is_verified(), found.reason(), found.phone()), (false, DecisionReason::Sandbox, None));
    assert!(found.is_sandbox() && !found.passed(CheckKind::Number) && found.action() == Action::Flag);
    let (decision, accepted) = across(desk.layer.clone(), trusted().danger_accept_sandbox(true), &body).await;
    assert_eq!(summary(&accepted.unwrap(), true), summary(&decision.unwrap(), true));

    // An outage of a sandbox stays one.
    desk.sandbox.fault(Fault::Refuse);
    let rule = Rule::post("/login", number()).policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    let layer = noticing(jpush(&desk.sandbox)).rule(rule).build().unwrap();
    let (_, found) = across(layer, trusted().danger_accept_sandbox(true), &body).await;
    assert!(found.is_ok_and(|found| !found.is_verified() && found.reason() == DecisionReason::Unavailable));
}

#[tokio::test]
async fn a_decision_of_two_layers_reads_back_as_one() {
    let verifier = Verifier::passing();
    let layer = |rule| asking(verifier.clone()).rule(rule).build().unwrap();
    let inner = layer(Rule::post("/login", number().with_risk()).forward_phone(true));
    let both = ServiceBuilder::new().layer(layer(Rule::post("/login", captcha()))).layer(inner);
    let application = crate::support::Application::default();
    let body = json!({"captchaContent": "c", "token": "t", "phone": PHONE});
    let response = both.service(application.clone()).oneshot(post_json("/login", body.to_string())).await.unwrap();
    assert_eq!(response.status(), 200);
    let parts = application.last().parts;
    let found = Decision::from_trusted_headers(&parts.headers, "x-jverify").unwrap();
    assert_eq!(summary(&found, true), summary(parts.extensions.get::<Decision>().unwrap(), true));
    assert_eq!(found.verdicts().len(), 3);
}

/// As in a chain of proxies: each writes what it read.
#[tokio::test]
async fn what_was_read_is_written_again_by_an_inner_layer_that_adds_nothing() {
    let layer = crate::support::login_layer(&Verifier::passing());
    for (lines, word) in [
        (vec![("x-jverify-decision", "not-guarded")], "not-guarded"),
        (vec![("x-jverify-decision", "not-asked")], "not-asked"),
        (vec![("x-jverify-decision", "allow"), ("x-jverify-sandbox", "1")], "unverified"),
        (ALLOWED.to_vec(), "allow"),
    ] {
        let decision = read(&lines).unwrap();
        let application = crate::support::Application::default();
        let mut request = post_json("/health", "");
        request.extensions_mut().insert(decision.clone());
        layer.layer(application.clone()).oneshot(request).await.unwrap();
        assert_eq!(application.header("x-jverify-decision").as_deref(), Some(word));
        let again = Decision::from_trusted_headers(&application.last().parts.headers, "x-jverify").unwrap();
        assert_eq!(summary(&again, true), summary(&decision, true));

        // Where nothing guards the request outside, the inner layer's own decision counts. What waits there for the application, or
        // was not verified, is not verified by another layer's check.
        let mut request = post_json("/login", crate::support::LOGIN);
        request.extensions_mut().insert(decision.clone());
        layer.layer(application.clone()).oneshot(request).await.unwrap();
        let merged = application.last().parts.extensions.get::<Decision>().cloned().unwrap();
        assert_eq!(merged.is_verified(), matches!(word, "allow" | "not-guarded"), "{word}");
    }
}
