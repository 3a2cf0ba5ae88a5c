//! A rule is enforced for a part of its phones or clients, and a larger part contains the smaller one.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower_jverify::{Class, ClientIp, Mode, Rollout, Rule, Secret, Unit, captcha, number, one_tap};

use super::{guarded, would_be_denied};
use crate::support::{Guarded, code, post_json};

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn rollout(percent: f64, unit: Unit) -> Mode {
    Mode::Rollout(Rollout::percent(percent).by(unit).key(Secret::from(KEY)))
}

/// A verifier that refuses everything, and one rule.
fn refusing(rule: Rule) -> Guarded {
    guarded(Class::Rejected, |it| it.rule(rule))
}

fn by_phone(percent: f64) -> Guarded {
    refusing(Rule::post("/login", number()).mode(rollout(percent, Unit::Phone)))
}

fn login(phone: u32) -> Request<Full<Bytes>> {
    post_json("/login", format!(r#"{{"token":"t","phone":"138{phone:08}"}}"#))
}

/// Whether the request is refused. One that passes says that it is in shadow.
async fn is_enforced(guarded: &Guarded, request: Request<Full<Bytes>>) -> bool {
    let runs = guarded.application.runs();
    let response = guarded.send(request).await;
    let passed = guarded.application.runs() > runs;
    assert_eq!(response.status(), if passed { 200 } else { 403 }, "{}", code(&response));
    if passed {
        assert_eq!(guarded.application.header("x-jverify-mode").as_deref(), Some("shadow"));
    }
    !passed
}

#[tokio::test]
async fn raising_the_part_only_adds_phones() {
    let parts = [0.0, 10.0, 20.0, 55.55, 100.0].map(by_phone);
    let mut counts = [0; 5];
    for phone in 0..600 {
        let mut before = false;
        for (part, count) in parts.iter().zip(&mut counts) {
            let enforced = is_enforced(part, login(phone)).await;
            assert!(enforced || !before, "{phone} has left");
            *count += u32::from(enforced);
            before = enforced;
        }
    }
    assert_eq!((counts[0], counts[4]), (0, 600));
    assert!(counts[1] > 30 && counts[1] < counts[2] && counts[2] < counts[3] && counts[3] < 400, "{counts:?}");
}

#[tokio::test]
async fn a_request_that_passes_says_whether_it_is_enforced() {
    let rule = Rule::post("/login", number()).mode(rollout(50.0, Unit::Phone));
    let passing = guarded(Class::Passed, |it| it.rule(rule));
    let refusing = by_phone(50.0);
    for phone in 0..40 {
        let enforced = is_enforced(&refusing, login(phone)).await;
        assert_eq!(passing.send(login(phone)).await.status(), 200);
        let mode = passing.application.header("x-jverify-mode");
        assert_eq!(mode.as_deref(), Some(if enforced { "enforce" } else { "shadow" }), "{phone}");
        assert_eq!(passing.application.header("x-jverify-decision").as_deref(), Some("allow"));
    }
}

#[tokio::test]
async fn a_request_without_a_readable_phone_counts_by_its_client() {
    let address = |head: &http::request::Parts| head.headers.get("x-at")?.to_str().ok()?.parse().ok();
    let client_ip = ClientIp::from_fn(address);
    let from = |address: &str, body: &'static str| {
        let mut request = post_json("/login", body);
        request.headers_mut().insert("x-at", address.parse().unwrap());
        request
    };
    let by_client =
        refusing(Rule::post("/login", number()).client_ip(client_ip.clone()).mode(rollout(50.0, Unit::ClientIp)));
    let asks: [(Rule, &str, bool); 3] = [
        (Rule::post("/login", captcha()), r#"{"captchaContent":"c"}"#, true),
        (Rule::post("/login", one_tap()), r#"{"loginToken":"l"}"#, true),
        (Rule::post("/login", number()), r#"{"token":"t"}"#, false),
    ];
    let (mut enforced, mut all) = (0, 0);
    for (rule, body, is_judged) in asks {
        let by_phone = refusing(rule.client_ip(client_ip.clone()).mode(rollout(50.0, Unit::Phone)));
        for host in 0..30 {
            let address = format!("192.0.2.{host}");
            let expected = is_enforced(&by_client, from(&address, r#"{"token":"t","phone":"13800000000"}"#)).await;
            let response = by_phone.send(from(&address, body)).await;
            let refused = if is_judged { 403 } else { 400 };
            assert_eq!(response.status().as_u16(), if expected { refused } else { 200 }, "{address} {body}");
            // The same client in a network of IPv6 is another one, but all of that network are one.
            enforced += u32::from(expected);
            all += 1;
        }
    }
    assert!(enforced > 0 && enforced < all);
    let mut networks = 0;
    for network in 0..20 {
        let [one, other] = ["1", "ffff:1"].map(|host| format!("2001:db8:0:{network:x}::{host}"));
        let body = r#"{"token":"t","phone":"13800000000"}"#;
        let one = is_enforced(&by_client, from(&one, body)).await;
        assert_eq!(one, is_enforced(&by_client, from(&other, body)).await, "{network}");
        networks += u32::from(one);
    }
    assert!(networks > 0 && networks < 20);
}

#[tokio::test]
async fn a_request_without_a_phone_and_a_client_is_enforced() {
    let some = by_phone(0.01);
    some.refuses(post_json("/login", r#"{"token":"t"}"#), "proof_missing", "no phone, no client").await;
    let unknown = Rule::post("/login", number()).client_ip(ClientIp::from_fn(|_| None));
    let unknown = refusing(unknown.mode(rollout(0.01, Unit::ClientIp)));
    assert!(is_enforced(&unknown, login(1)).await, "a client without an address");
    let none = by_phone(0.0);
    would_be_denied(&none, post_json("/login", r#"{"token":"t"}"#), "proof_missing", "0 % is shadow").await;
}

#[tokio::test]
async fn rules_of_different_names_have_different_parts() {
    let named = |name: &str| refusing(Rule::post("/login", number()).name(name).mode(rollout(50.0, Unit::Phone)));
    let (one, other) = (named("one"), named("other"));
    let mut differ = 0;
    for phone in 0..60 {
        differ += u32::from(is_enforced(&one, login(phone)).await != is_enforced(&other, login(phone)).await);
    }
    assert!(differ > 10, "{differ}");
}
