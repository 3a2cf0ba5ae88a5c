//! A decision in another process: only headers that the layer writes are accepted.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_jverify::{
    Action, CallError, Check, CheckKind, Class, Decision, DecisionReason, Fallback, Field, JVerifyLayer, Level, Phone,
    Policy, Question, RequestBody, Risk, Rule, TrustedHeaders, TrustedHeadersError, Verdict, captcha, number, one_tap,
    sandbox::Fault,
};

use super::PHONE;
use crate::support::{Guarded, Sandboxed, Verifier, asking, jpush, noticing, post_json, serve};

fn headers<'a>(lines: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn read(lines: &[(&str, &str)]) -> Result<Decision, TrustedHeadersError> {
    Decision::from_trusted_headers(&headers(lines.iter().copied()), "x-jverify")
}

/// What the layer writes for a number that passed, with the phone.
const ALLOWED: [(&str, &str); 7] = [
    ("x-jverify-decision", "allow"),
    ("x-jverify-risk-level", "low"),
    ("x-jverify-risk-score", "0"),
    ("x-jverify-checks", "number"),
    ("x-jverify-id", "117270465679982592"),
    ("x-jverify-reason", "verified"),
    ("x-jverify-phone", PHONE),
];

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

fn trusted() -> TrustedHeaders {
    TrustedHeaders::new("x-jverify").unwrap()
}

/// Everything that the headers say.
fn told(decision: &Decision, tells_phone: bool) -> (Action, DecisionReason, bool, Option<Level>, Option<u16>, String) {
    let verdicts = decision.verdicts().iter();
    let rest: Vec<_> = verdicts.map(|verdict| (verdict.kind(), verdict.id().map(ToOwned::to_owned))).collect();
    let rest = format!("{rest:?} {:?} {}", decision.phone().filter(|_| tells_phone), decision.is_sandbox());
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
            assert_eq!(told(&found, forward), told(&decision, forward), "{what}");
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
    assert_eq!(told(&found, true), told(&decision, true));
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
    assert_eq!(told(&accepted.unwrap(), true), told(&decision.unwrap(), true));

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
    assert_eq!(told(&found, true), told(parts.extensions.get::<Decision>().unwrap(), true));
    assert_eq!(found.verdicts().len(), 3);
}

#[test]
fn the_usual_headers_are_a_decision_and_none_are_not() {
    let decision = read(&ALLOWED).unwrap();
    assert_eq!((decision.is_verified(), decision.phone()), (true, Phone::parse(PHONE)));
    assert_eq!((decision.level(), decision.score()), (Some(Level::Low), Some(0)));
    assert_eq!(read(&[]).unwrap_err(), TrustedHeadersError::NotDecided);
    // A phone alone is not a decision either.
    assert_eq!(read(&[("x-jverify-phone", PHONE)]).unwrap_err(), TrustedHeadersError::NotDecided);
    assert_eq!(read(&[("x-jverify", "allow"), ("x-other", "allow")]).unwrap_err(), TrustedHeadersError::NotDecided);
}

#[test]
fn each_of_our_names_is_refused_twice_and_under_an_alias() {
    for name in [
        "decision",
        "risk-level",
        "risk-score",
        "risk-tags",
        "checks",
        "id",
        "reason",
        "phone",
        "sandbox",
        "mode",
        "assertion",
    ] {
        let full = format!("x-jverify-{name}");
        let value = ALLOWED.iter().find(|line| line.0 == full).map_or("1", |line| line.1);
        let missing = ALLOWED.iter().all(|line| line.0 != full).then_some((&*full, value));
        for value in [value, "", "other"] {
            let twice = ALLOWED.into_iter().chain(missing).chain([(&*full, value)]);
            let error = Decision::from_trusted_headers(&headers(twice), "x-jverify").unwrap_err();
            assert_eq!(error, TrustedHeadersError::Repeated { header: name }, "{value:?}");
            for alias in [full.replace('-', "_"), full.replace('-', "."), full.replacen('-', "_", 1)] {
                // After the layer's header, before it, and without it.
                for (before, after) in [(None, Some((&*alias, value))), (Some((&*alias, value)), None)] {
                    let lines = before.into_iter().chain(ALLOWED).chain(after);
                    let error = Decision::from_trusted_headers(&headers(lines), "x-jverify").unwrap_err();
                    assert_eq!(error, TrustedHeadersError::Aliased { header: name }, "{alias}");
                }
                let alone = headers([(&*alias, value)]);
                let error = Decision::from_trusted_headers(&alone, "x-jverify").unwrap_err();
                assert_eq!(error, TrustedHeadersError::Aliased { header: name }, "{alias}");
            }
        }
    }
}

#[test]
fn an_empty_header_is_absent() {
    for empty in ["", " ", "\t "] {
        assert_eq!(read(&[("x-jverify-decision", empty)]).unwrap_err(), TrustedHeadersError::NotDecided);
        let decision = read(&[
            ("x-jverify-decision", " allow "),
            ("x-jverify-risk-level", empty),
            ("x-jverify-risk-score", empty),
            ("x-jverify-risk-tags", empty),
            ("x-jverify-checks", empty),
            ("x-jverify-id", empty),
            ("x-jverify-reason", empty),
            ("x-jverify-phone", empty),
            ("x-jverify-sandbox", empty),
        ]);
        let decision = decision.unwrap();
        assert_eq!((decision.is_verified(), decision.phone(), decision.level()), (true, None, None));
        assert_eq!((decision.reason(), decision.is_sandbox()), (DecisionReason::Verified, false));
    }
}

#[test]
fn what_the_layer_does_not_write_is_an_error_without_the_value() {
    const CANARY: &str = "canary-7f3a";
    for (header, values) in [
        ("decision", vec![CANARY, "Allow", "allow, allow", "deny", "true", "1", "allow\u{a0}", "verified"]),
        ("risk-level", vec![CANARY, "Low", "low,low"]),
        ("risk-score", vec![CANARY, "901", "-1", "+5", "007", "1.0", "0x1", "5,5", "99999999999"]),
        ("risk-tags", vec!["%ff", "a,%E9%AB"]),
        ("checks", vec![CANARY, "number,", "Number", "number, captcha", "number;captcha"]),
        ("id", vec!["a b", "a;b", "x/y"]),
        ("reason", vec![CANARY, "Verified", "verified,verified"]),
        (
            "phone",
            vec![CANARY, "+8613800000000", "138 0000 0000", "1380000000", "13800000000,13900000000", "12800000000"],
        ),
        ("sandbox", vec![CANARY, "0", "true"]),
    ] {
        let full = format!("x-jverify-{header}");
        for value in values {
            let others = ALLOWED.into_iter().filter(|line| line.0 != full);
            let error = Decision::from_trusted_headers(&headers(others.chain([(&*full, value)])), "x-jverify");
            let error = error.expect_err(value);
            assert_eq!(error, TrustedHeadersError::Invalid { header }, "{value}");
            assert!(error.to_string().contains(&format!("`{header}`")), "{error}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(value) || value == "1", "{shown}");
        }
    }
}

#[test]
fn headers_that_contradict_each_other_are_an_error() {
    for (header, lines) in [
        ("phone", vec![("decision", "allow"), ("checks", "captcha"), ("phone", PHONE)]),
        ("phone", vec![("decision", "unverified"), ("checks", "captcha,risk"), ("phone", PHONE)]),
        ("phone", vec![("decision", "not-guarded"), ("phone", PHONE)]),
        ("phone", vec![("decision", "not-asked"), ("phone", PHONE)]),
        ("reason", vec![("decision", "allow"), ("reason", "unavailable")]),
        ("reason", vec![("decision", "allow"), ("reason", "risk")]),
        ("reason", vec![("decision", "flag"), ("reason", "verified")]),
        ("reason", vec![("decision", "unverified"), ("reason", "verified")]),
        ("id", vec![("decision", "allow"), ("checks", "number"), ("id", "1,2")]),
        ("id", vec![("decision", "allow"), ("checks", "captcha,number"), ("id", "1")]),
    ] {
        let lines: Vec<_> = lines.into_iter().map(|(name, value)| (format!("x-jverify-{name}"), value)).collect();
        let headers = headers(lines.iter().map(|(name, value)| (&**name, *value)));
        let error = Decision::from_trusted_headers(&headers, "x-jverify").unwrap_err();
        assert_eq!(error, TrustedHeadersError::Contradictory { header }, "{lines:?}");
        let shown = error.to_string();
        assert!(shown.contains(&format!("`{header}`")) && !shown.contains(PHONE), "{shown}");
    }
}

#[test]
fn not_asked_is_unverified_and_has_no_phone() {
    let not_asked = headers([("x-jverify-decision", "not-asked")]);
    let decision = trusted().danger_accept_not_guarded(true).danger_accept_sandbox(true).read(&not_asked).unwrap();
    assert_eq!((decision.is_verified(), decision.reason()), (false, DecisionReason::NotAsked));
    assert_eq!((decision.phone(), decision.action()), (None, Action::Flag));
    assert!(trusted().danger_accept_not_asked(true).read(&not_asked).unwrap().is_verified());
    assert!(
        !trusted().danger_accept_not_asked(true).danger_accept_not_asked(false).read(&not_asked).unwrap().is_verified()
    );
}

#[test]
fn a_lost_level_is_not_a_low_risk() {
    let decision = read(&[("x-jverify-decision", "flag"), ("x-jverify-risk-score", "450")]).unwrap();
    assert_eq!((decision.level(), decision.score()), (Some(Level::Unknown), Some(450)));
    // Without its checks a sandbox is one all the same.
    let decision = read(&[("x-jverify-decision", "allow"), ("x-jverify-sandbox", "1")]).unwrap();
    assert_eq!((decision.is_sandbox(), decision.is_verified()), (true, false));
}

#[test]
fn a_lost_reason_of_a_flag_follows_from_the_checks_the_phone_and_the_level() {
    for (checks, phone, level, reason) in [
        ("number", PHONE, "unknown", DecisionReason::RiskUnknown),
        ("number", PHONE, "medium", DecisionReason::Risk),
        ("captcha,number", PHONE, "medium", DecisionReason::Risk),
        ("number", "", "medium", DecisionReason::Risk),
        ("captcha", "", "medium", DecisionReason::FallbackCaptcha),
        ("number,captcha", "", "unknown", DecisionReason::FallbackCaptcha),
        ("", "", "medium", DecisionReason::FallbackCaptcha),
    ] {
        let decision = read(&[
            ("x-jverify-decision", "flag"),
            ("x-jverify-risk-level", level),
            ("x-jverify-checks", checks),
            ("x-jverify-phone", phone),
        ]);
        assert_eq!(decision.unwrap().reason(), reason, "{checks} {phone} {level}");
    }
}

#[test]
fn a_risk_that_was_read_is_of_the_check_that_asks_for_it() {
    for (checks, expected) in [
        ("number", 0),
        ("captcha,number", 1),
        ("number,captcha", 0),
        ("captcha,one-tap", 1),
        ("number,risk", 1),
        ("captcha,number,risk", 2),
        ("number,risk,captcha", 1),
        ("captcha", 0),
    ] {
        let level = [("x-jverify-risk-level", "medium"), ("x-jverify-risk-score", "450")];
        let decision = read(&[&[("x-jverify-decision", "allow"), ("x-jverify-checks", checks)][..], &level].concat());
        let decision = decision.unwrap();
        let has_risk = |verdict: &Verdict| *verdict.risk() != Risk::NotAsked;
        let risks: Vec<_> = decision.verdicts().iter().enumerate().filter(|(_, verdict)| has_risk(verdict)).collect();
        assert!(risks.len() == 1 && risks[0].0 == expected, "{checks}: {decision:?}");
    }
}

#[test]
fn what_would_have_been_refused_has_the_action_deny() {
    let decision = read(&[("x-jverify-decision", "would-deny"), ("x-jverify-reason", "rejected")]).unwrap();
    assert_eq!((decision.action(), decision.is_verified()), (Action::Deny, false));
}

#[test]
fn the_phone_is_part_of_a_one_tap_verdict_alone() {
    for (checks, expected) in [("one-tap", vec![true]), ("number", vec![false]), ("captcha,one-tap", vec![false, true])]
    {
        let decision =
            read(&[("x-jverify-decision", "allow"), ("x-jverify-checks", checks), ("x-jverify-phone", PHONE)]);
        let decision = decision.unwrap();
        let of_verdicts: Vec<_> = decision.verdicts().iter().map(|verdict| verdict.phone().is_some()).collect();
        assert_eq!((of_verdicts, decision.phone()), (expected, Phone::parse(PHONE)), "{checks}");
    }
}

#[test]
fn a_prefix_that_no_layer_has_is_an_error_and_another_prefix_is_another_decision() {
    for prefix in ["", "x-jverify-", "X-Jverify", "jverify", "content", "x-jverify-decision "] {
        let error = Decision::from_trusted_headers(&headers(ALLOWED), prefix).unwrap_err();
        assert!(std::error::Error::source(&error).is_some_and(|source| source.to_string() == error.to_string()));
        let TrustedHeadersError::Prefix(error) = error else { panic!("{prefix}: {error}") };
        assert_eq!(error.setting(), "header_prefix", "{prefix}");
        assert_eq!(TrustedHeaders::new(prefix).unwrap_err(), error);
    }
    let other = Decision::from_trusted_headers(&headers(ALLOWED), "x-other");
    assert_eq!(other.unwrap_err(), TrustedHeadersError::NotDecided);
    let lines = ALLOWED.map(|(name, value)| (name.replace("x-jverify", "x-my-app"), value));
    let lines = headers(lines.iter().map(|(name, value)| (&**name, *value)));
    assert!(Decision::from_trusted_headers(&lines, "x-my-app").unwrap().is_verified());
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
        assert_eq!(told(&again, true), told(&decision, true));

        // Where nothing guards the request outside, the inner layer's own decision counts. What waits there for the application, or
        // was not verified, is not verified by another layer's check.
        let mut request = post_json("/login", crate::support::LOGIN);
        request.extensions_mut().insert(decision.clone());
        layer.layer(application.clone()).oneshot(request).await.unwrap();
        let merged = application.last().parts.extensions.get::<Decision>().cloned().unwrap();
        assert_eq!(merged.is_verified(), matches!(word, "allow" | "not-guarded"), "{word}");
    }
}
