//! What a request with a pass counts for.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tower_jverify::{CheckKind, ClientIp, DenialReason, Field, Guards, Limit, Rate, number, one_tap};

use super::{
    Desk, MINUTE, PASS, PHONE, captcha_content, denial_reason, issued, login, next, passes, solved, with_pass,
};
use crate::support::post_json;

fn from(body: &Value, pass: Option<&str>) -> Request<Full<Bytes>> {
    let mut request = post_json("/login", body.to_string());
    request.headers_mut().insert("x-forwarded-for", "192.0.2.1".parse().unwrap());
    if let Some(pass) = pass { with_pass(pass, request) } else { request }
}

/// A client that is known, with the limits of the defaults.
fn known() -> Desk {
    let rule = login().client_ip(ClientIp::forwarded(1));
    Desk::set(|builder| builder.passes(passes()).retry_pass([401]).rule(rule))
}

fn pass_of(response: &Response<Bytes>) -> Option<String> {
    response.headers().get(PASS).map(|pass| pass.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn all_retries_of_one_check_are_let_through_by_the_limits_of_the_defaults() {
    let desk = known();
    let step_up = issued(&desk.send(from(&json!({"token": "650 t", "phone": PHONE}), None)).await);
    desk.answers(401);
    let mut pass = Some(step_up);
    for retry in 0..=3 {
        let before = pass.take().expect("a pass");
        let response = desk.send(from(&solved(), Some(&before))).await;
        assert_eq!((response.status().as_u16(), response.body().as_ref()), (401, &b"application"[..]), "{retry}");
        pass = pass_of(&response);
    }
    assert_eq!(pass, None);
    assert_eq!(desk.kinds().iter().filter(|kind| **kind == CheckKind::Number).count(), 1);
    // The checks themselves count as before: three in ten minutes.
    for expected in [None, None, Some(DenialReason::RateLimited)] {
        let token = json!({"token": format!("100 {}", next()), "phone": PHONE});
        assert_eq!(denial_reason(&desk.send(from(&token, None)).await), expected);
    }
}

#[tokio::test]
async fn an_invalid_pass_counts_for_the_phone() {
    let desk = known();
    let pass = issued(&desk.send(from(&json!({"token": "650 t", "phone": PHONE}), None)).await);
    let (message, signature) = pass.rsplit_once('.').expect("a signature");
    let forged = format!("{message}.{}", &signature[1..]);
    for expected in [DenialReason::PassInvalid, DenialReason::PassInvalid, DenialReason::RateLimited] {
        assert_eq!(denial_reason(&desk.send(from(&solved(), Some(&forged))).await), Some(expected));
    }
    // The pass is one that was not used.
    assert_eq!(desk.send(from(&solved(), Some(&pass))).await.status(), 200);
}

#[tokio::test]
async fn a_pass_asks_about_one_captcha_and_the_client_is_limited_all_the_same() {
    let guards = Guards::builder().per_client(Rate::new(6, 10 * MINUTE)).build().unwrap();
    let rule = login().client_ip(ClientIp::forwarded(1));
    let desk = Desk::set(|builder| builder.guards(&guards).passes(passes()).rule(rule));
    let pass = issued(&desk.send(from(&json!({"token": "650 t", "phone": PHONE}), None)).await);
    let wrong = || json!({"phone": PHONE, "captchaContent": format!("wrong {}", captcha_content())});
    let mut reasons = Vec::new();
    for _ in 0..6 {
        reasons.extend(denial_reason(&desk.send(from(&wrong(), Some(&pass))).await));
    }
    let (used, limited) = (DenialReason::PassUsed, DenialReason::RateLimited);
    assert_eq!(reasons[1..], [used, used, used, used, limited]);
    assert_eq!(desk.kinds(), [CheckKind::Number, CheckKind::Captcha]);
}

#[tokio::test]
async fn a_limit_of_the_rule_counts_a_request_with_a_pass() {
    let limit = Limit::per_client(Rate::new(2, 10 * MINUTE));
    let rule = login().client_ip(ClientIp::forwarded(1)).limit(limit);
    let desk = Desk::set(|builder| builder.passes(passes()).rule(rule));
    let pass = issued(&desk.send(from(&json!({"token": "650 t", "phone": PHONE}), None)).await);
    let missing = desk.send(from(&json!({"phone": PHONE}), Some(&pass))).await;
    assert_eq!(denial_reason(&missing), Some(DenialReason::CaptchaRequired));
    let limited = desk.send(from(&solved(), Some(&pass))).await;
    assert_eq!(denial_reason(&limited), Some(DenialReason::RateLimited));
}

/// The one-tap login is paid for, whatever proves the number.
#[tokio::test]
async fn another_check_of_the_same_phone_counts_for_it() {
    let ask = number().then(one_tap().phone(Field::body("/claimed")));
    let rule = tower_jverify::Rule::post("/login", ask).name("login").client_ip(ClientIp::forwarded(1));
    let verifier = crate::support::Verifier::answering(|check| {
        let verdict = tower_jverify::Verdict::new(check.kind(), tower_jverify::Class::Passed);
        Some(if check.kind() == CheckKind::OneTap { verdict.with_phone(PHONE.parse().unwrap()) } else { verdict })
    });
    let desk = Desk::asking(verifier, |builder| builder.passes(passes()).retry_pass([401]).rule(rule));
    desk.answers(401);
    let body = |token: Option<&str>| json!({"token": token, "phone": PHONE, "loginToken": format!("l{}", next()), "claimed": PHONE});
    let mut pass = pass_of(&desk.send(from(&body(Some("t")), None)).await);
    for expected in [None, None, Some(DenialReason::RateLimited)] {
        let response = desk.send(from(&body(None), Some(&pass.take().expect("a pass")))).await;
        assert_eq!(denial_reason(&response), expected);
        pass = pass_of(&response);
    }
}
