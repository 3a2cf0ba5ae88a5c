//! A pass is a secret of the client, and contains no personal data.

use std::fmt::Write;

use serde_json::json;
use tower_jverify::{ClientIp, DenialReason};

use super::{Desk, PHONE, SECRET, captcha_content, claims, denial_reason, login, passes, solved};
use crate::{support::post_json, telemetry::Log};

#[tokio::test]
async fn a_pass_holds_no_phone_and_no_address_and_is_short() {
    let rule = login().client_ip(ClientIp::forwarded(1));
    let desk = Desk::set(|builder| builder.passes(passes().bind_client()).rule(rule));
    let earned = || async {
        let mut request =
            post_json("/login", json!({"token": format!("650 {}", super::next()), "phone": PHONE}).to_string());
        request.headers_mut().insert("x-forwarded-for", "192.0.2.77".parse().unwrap());
        super::issued(&desk.send(request).await)
    };
    let (one, two) = (earned().await, earned().await);
    assert!(one.len() <= 1024, "{}", one.len());
    let shown = claims(&one).to_string();
    for secret in [PHONE, &PHONE[3..], "192.0.2", "650 t", SECRET] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert_eq!(claims(&one)["iss"], "jverify");
    assert_eq!((&claims(&one)["aud"], &claims(&one)["rule"]), (&json!("accounts"), &json!("login")));
    assert_eq!((&claims(&one)["score"], &claims(&one)["tags"]), (&json!(650), &json!(["F24004"])));
    assert_eq!((&claims(&one)["checks"], &claims(&one)["vid"]), (&json!(["number"]), &json!("117270465")));
    // Nothing in them says that they are of one person.
    for name in ["jti", "ph", "cip"] {
        assert_ne!(claims(&one)[name], claims(&two)[name], "{name}");
        assert_eq!(claims(&one)[name].as_str().unwrap().len(), 22, "128 bits of {name}");
    }
}

#[tokio::test]
async fn tags_that_make_a_pass_too_long_leave_none() {
    let verifier = crate::support::Verifier::answering(|check| {
        let tags = (0..40).map(|n| format!("tag-{n:0>40}").into()).collect();
        let verdict = tower_jverify::Verdict::new(check.kind(), tower_jverify::Class::Passed);
        Some(verdict.with_risk(tower_jverify::Risk::from_score(650, tags)))
    });
    let desk = Desk::asking(verifier, |builder| builder.passes(passes()).rule(login()));
    let response = desk.login(&json!({"token": "650 t", "phone": PHONE})).await;
    assert_eq!(denial_reason(&response), Some(DenialReason::CaptchaRequired));
    assert!(!response.headers().contains_key(super::PASS));
}

#[tokio::test]
async fn nothing_that_is_written_shows_a_pass() {
    let (log, _listening) = Log::listen();
    let lines = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let written = std::sync::Arc::clone(&lines);
    let desk = Desk::set(|builder| {
        builder.passes(passes()).retry_pass([401]).rule(login()).on_decision(move |decided| {
            let mut lines = written.lock().unwrap();
            write!(lines, "{decided:?} {:?}", decided.reason()).unwrap();
            #[cfg(feature = "serde")]
            lines.push_str(&serde_json::to_string(decided).unwrap());
        })
    });
    let denied = desk.login(&json!({"token": "650 t", "phone": PHONE})).await;
    let denial = denied.extensions().get::<tower_jverify::Denial>().cloned().unwrap();
    let pass = super::issued(&denied);
    desk.answers(401);
    let response = desk.by_pass(&pass, &solved()).await;
    let retry = response.headers()[super::PASS].to_str().unwrap().to_owned();
    let shown_response = format!("{:?}", response.headers());
    let again = desk.by_pass(&pass, &solved()).await;
    let forged = desk.by_pass(&format!("{pass}x"), &json!({"phone": PHONE, "captchaContent": captcha_content()})).await;
    let mut all = log.text();
    all.push_str(&lines.lock().unwrap());
    for shown in [
        format!("{denial:?} {denial:#?}"),
        format!("{:?}", desk.layer),
        format!("{:?}", passes()),
        format!("{:?}", denied.headers()),
        format!("{:?}", again.extensions().get::<tower_jverify::Denial>()),
        format!("{:?}", forged.extensions().get::<tower_jverify::Denial>()),
        format!("{:?}", desk.application.last().parts),
        shown_response,
    ] {
        all.push_str(&shown);
    }
    for secret in [pass.as_str(), &retry, SECRET] {
        // Each part of it as well.
        for part in secret.split('.') {
            assert!(!all.contains(part), "{part}");
        }
    }
    for reason in ["pass_used", "pass_invalid"] {
        assert!(all.contains(reason), "{reason} is in the events");
    }
}
