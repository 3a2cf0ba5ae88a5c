//! The record of a guarded request, serialised: its fields, its pseudonyms, the status of the inner service.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    future::{Future, pending, poll_fn},
    sync::{Arc, Mutex},
    task::Poll,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_jverify::{
    CheckKind, Class, Decided, Field, JVerifyBuilder, JVerifyLayer, Mode, RequestBody, Risk, Rule, Secret, Verdict,
    captcha, number,
};

use super::real_ip;
use crate::support::{Application, LOGIN, Verifier, builder, post_json, send};

const KEY: &str = "canary-key-0123456789abcdef012345";

/// The records of a layer, as lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn write(&self) -> impl Fn(&Decided<'_>) + Send + Sync + 'static {
        let lines = Arc::clone(&self.0);
        move |decided| lines.lock().unwrap().push(serde_json::to_string(decided).unwrap())
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// The only record.
    fn one(&self) -> Value {
        let lines = self.take();
        let [line] = &lines[..] else { panic!("{lines:#?}") };
        serde_json::from_str(line).unwrap()
    }
}

fn writing(
    verifier: &Verifier,
    set: impl FnOnce(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>,
) -> (JVerifyLayer<Verifier>, Lines) {
    let lines = Lines::default();
    (set(builder(verifier)).on_decision(lines.write()).build().unwrap(), lines)
}

fn risky(score: i64, tags: Vec<Box<str>>) -> Verifier {
    Verifier::answering(move |check| {
        let verdict = Verdict::new(check.kind(), Class::Passed).with_code(9000).with_id(117_270_465_679_982_592);
        let verdict = verdict.with_risk(Risk::from_score(score, tags.clone()));
        Some(if check.kind() == CheckKind::Captcha { verdict.with_lot_number("7".repeat(64)) } else { verdict })
    })
}

fn from_client(address: &str) -> Request<Full<Bytes>> {
    let mut request = post_json("/login", LOGIN);
    request.headers_mut().insert("x-real-ip", address.parse().unwrap());
    request
}

#[tokio::test]
async fn a_record_has_the_documented_fields() {
    let (layer, lines) = writing(&risky(450, vec!["F24004".into()]), |builder| {
        builder.rule(Rule::post("/login", number()).client_ip(real_ip())).account("main").pseudonym_key(KEY)
    });
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert_eq!(send(&layer, &Application::default(), from_client("192.0.2.7")).await.status(), 200);
    let mut record = lines.one();
    let page = include_str!("../../../docs/decision-log.md").split_once("```json\n").unwrap().1;
    let shown: Value = serde_json::from_str(page.split_once("```").unwrap().0).unwrap();
    for place in ["", "/checks/0"] {
        assert_eq!(names(&shown, place), names(&record, place), "docs/decision-log.md shows another record");
    }
    for name in names(&record, "") {
        assert!(page.contains(&format!("\n| `{name}` |")), "docs/decision-log.md has no row for {name}");
    }
    for field in ["v", "rule", "mode", "decision", "reason", "level", "inner_status", "sandbox"] {
        assert_eq!(shown[field], record[field], "docs/decision-log.md: {field}");
    }
    let took = Duration::from_millis(record["time"].as_u64().unwrap()).abs_diff(before);
    assert!(took < Duration::from_secs(60), "{record}");
    let ex_id = record["checks"][0]["ex_id"].as_str().unwrap().to_owned();
    assert!(!ex_id.is_empty());
    for (place, field) in [("", "time"), ("", "ms"), ("", "read_ms"), ("", "judge_ms"), ("/checks/0", "ms")] {
        let place = record.pointer_mut(place).unwrap().as_object_mut().unwrap();
        assert!(place.remove(field).unwrap().is_u64(), "{field}");
    }
    // Pseudonyms and the policy's name were computed with the modules `hmac`, `base64` and `hashlib` of Python.
    assert_eq!(
        record,
        json!({
            "v": 1,
            "rule": "POST /login",
            "account": "main",
            "mode": "enforce",
            "decision": "flag",
            "reason": "risk",
            "checks": [{
                "kind": "number", "class": "passed", "code": "9000", "id": "117270465679982592", "ex_id": ex_id,
                "score": 450, "tags": ["F24004"],
            }],
            "level": "medium",
            "phone": "IZ83ydp13gHweSoPjmJPgQ",
            "client": "JM76M8NQ_3TeOaJI_dH2HQ",
            "inner_status": 200,
            "policy": "2c9149fe91286acb",
            "sandbox": false,
        })
    );
}

/// The names in an object of a record.
fn names<'r>(record: &'r Value, place: &str) -> BTreeSet<&'r String> {
    record.pointer(place).unwrap().as_object().unwrap().keys().collect()
}

#[tokio::test]
async fn a_record_of_a_refusal_says_why_and_has_no_status_of_the_inner_service() {
    for (verifier, body, decision, reason, level) in [
        (risky(900, Vec::new()), LOGIN, "deny", "risk_too_high", json!("high")),
        (Verifier::of_class(Class::Rejected), LOGIN, "deny", "rejected", json!("low")),
        (Verifier::passing(), "{}", "deny", "proof_missing", Value::Null),
    ] {
        let (layer, lines) = writing(&verifier, |builder| builder.rule(Rule::post("/login", number())));
        send(&layer, &Application::default(), post_json("/login", body)).await;
        let record = lines.one();
        assert_eq!(
            (&record["decision"], &record["reason"], &record["level"]),
            (&json!(decision), &json!(reason), &level)
        );
        assert!(record.get("inner_status").is_none(), "{record}");
        assert_eq!(record.get("detail").is_some(), body == "{}", "{record}");
        // Without a key the record has no pseudonyms.
        assert!(record.get("phone").is_none() && record.get("client").is_none(), "{record}");
    }
    // No rule is known.
    let (layer, lines) = writing(&Verifier::passing(), |builder| builder.rule(Rule::post("/login", number())));
    send(&layer, &Application::default(), post_json("/login%2F", LOGIN)).await;
    let record = lines.one();
    assert_eq!((record.get("rule"), &record["checks"]), (None, &json!([])));
}

#[tokio::test]
async fn a_risk_without_a_score_is_unknown_in_the_record() {
    let verifier =
        Verifier::answering(|check| Some(Verdict::new(check.kind(), Class::Passed).with_risk(Risk::Unknown)));
    let (layer, lines) = writing(&verifier, |builder| builder.rule(Rule::post("/login", number())));
    send(&layer, &Application::default(), post_json("/login", LOGIN)).await;
    let record = lines.one();
    assert_eq!((&record["level"], &record["checks"][0]["risk"]), (&json!("unknown"), &json!("unknown")));
    assert!(record["checks"][0].get("score").is_none());
}

#[tokio::test]
async fn the_same_phone_and_client_have_the_same_pseudonym_and_others_another() {
    let rule = || Rule::post("/login", number()).client_ip(real_ip());
    let of = async |key: &str, address: &str, body: &str| {
        let (layer, lines) = writing(&Verifier::passing(), |builder| builder.rule(rule()).pseudonym_key(key));
        let mut request = from_client(address);
        *request.body_mut() = Full::from(body.to_owned());
        send(&layer, &Application::default(), request).await;
        let record = lines.one();
        [&record["phone"], &record["client"]].map(|text| text.as_str().unwrap().to_owned())
    };
    let other_phone = LOGIN.replace("13812345678", "13812345679");
    let one = of(KEY, "192.0.2.7", LOGIN).await;
    assert!(one.iter().all(|pseudonym| pseudonym.len() == 22));
    assert_eq!(of(KEY, "::ffff:192.0.2.7", LOGIN).await, one);
    let other = of(KEY, "192.0.2.8", &other_phone).await;
    assert!(other[0] != one[0] && other[1] != one[1]);
    let other_key = of("canary-key-0123456789abcdef012346", "192.0.2.7", LOGIN).await;
    assert!(other_key[0] != one[0] && other_key[1] != one[1]);
}

#[tokio::test]
async fn a_short_key_is_refused() {
    let build =
        |key: &str| builder(&Verifier::passing()).rule(Rule::post("/login", number())).pseudonym_key(key).build();
    let error = build(&KEY[..31]).err().unwrap();
    assert_eq!(error.setting(), "pseudonym_key");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    assert!(build(&KEY[..32]).is_ok());
}

#[tokio::test]
async fn a_record_shows_no_person_and_has_at_most_four_kibibytes() {
    let tags: Vec<Box<str>> = (0..40).map(|n| format!("{n:02}{}", "\"".repeat(62)).into()).collect();
    let odd = ["\u{1}control", &"long".repeat(17)].map(Box::<str>::from);
    let tags = odd.into_iter().chain(tags).collect();
    let ask = captcha().then(number());
    let (layer, lines) = writing(&risky(0, tags), |builder| {
        builder.rule(Rule::post("/login", ask).client_ip(real_ip()).name("n".repeat(64))).pseudonym_key(KEY)
    });
    let mut request = from_client("192.0.2.77");
    *request.body_mut() = Full::from(LOGIN.replace('{', r#"{"captchaContent":"canary-captcha","#));
    assert_eq!(send(&layer, &Application::default(), request).await.status(), 200);
    let written = lines.take();
    let [line] = &written[..] else { panic!("{written:?}") };
    assert!(line.len() <= 4096 && !line.contains('\n'), "{}", line.len());
    for canary in ["canary", "13812345678", "192.0.2.77", "control", "long"] {
        assert!(!line.contains(canary), "{canary}: {line}");
    }
    let record: Value = serde_json::from_str(line).unwrap();
    let lot_numbers = [&record["checks"][0]["lot_number"], &record["checks"][1]["lot_number"]];
    assert_eq!(lot_numbers, [&json!("7".repeat(64)), &Value::Null], "a captcha has one");
    let shown: usize =
        record["checks"].as_array().unwrap().iter().filter_map(|it| it["tags"].as_array()).map(Vec::len).sum();
    assert_eq!(shown, 16);
}

#[tokio::test(start_paused = true)]
async fn a_record_has_the_time_of_each_stage() {
    let slow = service_fn(|check: tower_jverify::Check| async move {
        tokio::time::sleep(Duration::from_millis(170)).await;
        Ok::<_, Infallible>(Verdict::new(check.kind(), Class::Passed))
    });
    let lines = Lines::default();
    let layer =
        JVerifyLayer::builder(slow).rule(Rule::post("/login", number())).on_decision(lines.write()).build().unwrap();
    let inner = service_fn(|_: Request<RequestBody<_>>| async {
        tokio::time::sleep(Duration::from_secs(9)).await;
        Ok::<_, Infallible>(Response::builder().status(401).body(Full::<Bytes>::default()).unwrap())
    });
    let late = async_stream(LOGIN, Duration::from_millis(40));
    let request = Request::post("/login").header("content-type", "application/json").body(late).unwrap();
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let record = lines.one();
    assert_eq!((&record["read_ms"], &record["judge_ms"], &record["ms"]), (&json!(40), &json!(170), &json!(210)));
    assert_eq!((&record["checks"][0]["ms"], &record["inner_status"]), (&json!(170), &json!(401)));
}

/// A body whose bytes come after a while.
fn async_stream(body: &'static str, after: Duration) -> impl http_body::Body<Data = Bytes, Error = Infallible> + Send {
    let frames = futures_util::stream::once(async move {
        tokio::time::sleep(after).await;
        Ok(hyper::body::Frame::data(Bytes::from_static(body.as_bytes())))
    });
    http_body_util::StreamBody::new(frames)
}

#[tokio::test]
async fn a_request_that_passed_is_reported_when_the_inner_service_has_answered_or_is_dropped() {
    let (layer, lines) = writing(&Verifier::passing(), |builder| {
        builder
            .rule(Rule::post("/login", number()))
            .rule(Rule::post("/sms", number()).when(Field::header("x-kind"), "login").otherwise_pass())
    });
    let other_kind = || {
        let mut request = post_json("/sms", LOGIN);
        request.headers_mut().insert("x-kind", "other".parse().unwrap());
        request
    };
    for (request, decision) in [(post_json("/login", LOGIN), "allow"), (other_kind(), "not-guarded")] {
        let inner_lines = lines.clone();
        let inner = service_fn(move |_: Request<RequestBody<_>>| {
            assert_eq!(inner_lines.take(), Vec::<String>::new(), "told before the inner service answered");
            async { Ok::<_, Infallible>(Response::builder().status(422).body(Full::<Bytes>::default()).unwrap()) }
        });
        assert_eq!(layer.layer(inner).oneshot(request).await.unwrap().status(), 422);
        let record = lines.one();
        assert_eq!((&record["decision"], &record["inner_status"]), (&json!(decision), &json!(422)));
    }

    let error = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async { Err::<Response<Full<Bytes>>, _>("failed") });
    assert!(layer.layer(error).oneshot(post_json("/login", LOGIN)).await.is_err());
    let silent =
        service_fn(|_: Request<RequestBody<Full<Bytes>>>| pending::<Result<Response<Full<Bytes>>, Infallible>>());
    let mut request = Box::pin(layer.layer(silent).oneshot(post_json("/login", LOGIN)));
    // Far enough for the inner service to have the request.
    for _ in 0..100 {
        let polled = poll_fn(|cx| Poll::Ready(request.as_mut().poll(cx).is_pending())).await;
        assert!(polled);
        tokio::task::yield_now().await;
    }
    drop(request);
    let told = lines.take();
    assert_eq!(told.len(), 2, "{told:#?}");
    for line in told {
        let record: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&record["decision"], record.get("inner_status")), (&json!("allow"), None));
    }
}

#[tokio::test]
async fn a_record_of_a_rule_in_shadow_says_so_and_has_the_status() {
    let (layer, lines) = writing(&Verifier::of_class(Class::Rejected), |builder| {
        builder.rule(Rule::post("/login", number()).mode(Mode::Shadow))
    });
    assert_eq!(send(&layer, &Application::default(), post_json("/login", LOGIN)).await.status(), 200);
    let record = lines.one();
    let words = [&record["mode"], &record["decision"], &record["reason"], &record["inner_status"]];
    assert_eq!(words, [&json!("shadow"), &json!("would-deny"), &json!("rejected"), &json!(200)]);
    assert!(record.get("late").is_none());
}

#[tokio::test]
async fn a_decision_for_a_test_has_no_duration_and_an_asked_one_has() {
    assert_eq!(Verdict::new(CheckKind::Number, Class::Passed).duration(), None);
    let heard: Arc<Mutex<Vec<bool>>> = Arc::default();
    let told = Arc::clone(&heard);
    let layer = builder(&Verifier::passing())
        .rule(Rule::post("/login", number()))
        .pseudonym_key(Secret::from(KEY))
        .on_decision(move |decided| {
            let all = decided.verdicts().iter().all(|verdict| verdict.duration().is_some());
            told.lock()
                .unwrap()
                .push(all && decided.phone_pseudonym().is_some() && decided.client_pseudonym().is_none());
        })
        .build()
        .unwrap();
    send(&layer, &Application::default(), post_json("/login", LOGIN)).await;
    assert_eq!(*heard.lock().unwrap(), [true]);
}
