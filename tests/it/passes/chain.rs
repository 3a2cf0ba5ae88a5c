//! The passes of one number check: all of them end with it, and none renews another.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::Response;
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_jverify::{
    Breaker, CallError, Check, CheckKind, Class, DenialReason, Fallback, Field, Guards, JVerifyLayer, Policy, Question,
    Risk, Rule, Verdict, number, one_tap,
};

use super::{
    Desk, MINUTE, PASS, PHONE, claims, denial_reason, issued, login, next, passes, solved, verifier, with_pass,
};
use crate::support::{Application, Verifier, post_json};

#[tokio::test(start_paused = true)]
async fn a_pass_ends_a_lifetime_after_the_check_however_slow_the_application_is() {
    // While Tokio's clock is paused, the layer's clock lags by the real time that passed before the check: a second to spare.
    let spare = Duration::from_secs(1);
    for (slow, has_pass) in [(4 * MINUTE + spare, true), (5 * MINUTE + spare, false), (60 * MINUTE, false)] {
        let layer = JVerifyLayer::builder(verifier()).passes(passes()).retry_pass([401]).rule(login()).build().unwrap();
        let inner = service_fn(move |_| async move {
            tokio::time::sleep(slow).await;
            let answer = Response::builder().status(401).body(Full::<bytes::Bytes>::default());
            Ok::<_, Infallible>(answer.unwrap())
        });
        let body = json!({"token": "100 t", "phone": PHONE}).to_string();
        let response = layer.layer(inner).oneshot(post_json("/login", body)).await.unwrap();
        assert_eq!(response.headers().contains_key(PASS), has_pass, "{slow:?}");
        if let Some(pass) = response.headers().get(PASS) {
            let claims = claims(pass.to_str().unwrap());
            let seconds = |name: &str| claims[name].as_u64().unwrap();
            assert_eq!(seconds("exp"), seconds("checked") / 1_000_000 + 300);
            assert!(seconds("exp") - seconds("iat") <= 60, "{claims}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_shortened_lifetime_applies_to_passes_that_were_issued_before() {
    let desk = Desk::set(|builder| builder.passes(passes().lifetime(15 * MINUTE)).retry_pass([401]).rule(login()));
    let (one, two) = (desk.earned().await, desk.earned().await);
    let reload = |passes| {
        let new = JVerifyLayer::builder(desk.verifier.clone()).passes(passes).retry_pass([401]).rule(login());
        desk.layer.reload(new.build().unwrap());
    };
    reload(passes().lifetime(2 * MINUTE));
    tokio::time::advance(MINUTE).await;
    desk.answers(401);
    let response = desk.by_pass(&one, &solved()).await;
    let retry = claims(response.headers()[PASS].to_str().unwrap());
    let (checked, ends) = (&claims(&one)["checked"], retry["checked"].as_u64().unwrap() / 1_000_000 + 120);
    assert_eq!((&retry["checked"], retry["exp"].as_u64()), (checked, Some(ends)));
    desk.answers(200);
    tokio::time::advance(MINUTE).await;
    desk.refuses(&two, &solved(), DenialReason::PassExpired, "two minutes with a lifetime of two").await;
    // One that is longer again gives back what was signed, and no more.
    reload(passes().lifetime(15 * MINUTE));
    tokio::time::advance(12 * MINUTE).await;
    assert_eq!(desk.by_pass(&two, &solved()).await.status(), 200);
}

#[tokio::test]
async fn nothing_renews_a_chain() {
    let desk = Desk::set(|builder| builder.passes(passes()).retry_pass([401, 403]).rule(login()));
    let mut pass = desk.earned().await;
    let first = claims(&pass);
    desk.answers(401);
    for n in 1..=4 {
        let denied = desk.by_pass(&pass, &json!({"phone": PHONE})).await;
        assert_eq!(denial_reason(&denied), Some(DenialReason::CaptchaRequired));
        assert!(!denied.headers().contains_key(PASS), "a denial in between gives none");
        let response = desk.by_pass(&pass, &solved()).await;
        assert_eq!(response.status(), 401);
        let Some(next) = response.headers().get(PASS) else {
            assert_eq!(n, 4);
            return;
        };
        pass = next.to_str().unwrap().to_owned();
        let claims = claims(&pass);
        assert_eq!((&claims["n"], &claims["exp"], &claims["checked"]), (&json!(n), &first["exp"], &first["checked"]));
    }
    unreachable!("a fourth pass");
}

/// A check between the pass and the captcha has spent it.
#[tokio::test(start_paused = true)]
async fn a_pass_that_another_check_has_spent_is_followed_by_one_that_ends_with_it() {
    let verifier = Verifier::answering(|check| {
        let verdict = Verdict::new(check.kind(), Class::Passed);
        Some(match check.question() {
            Question::Number { .. } => verdict.with_risk(Risk::from_score(650, Vec::new())),
            Question::OneTap { .. } => verdict.with_phone(PHONE.parse().unwrap()),
            _ => verdict,
        })
    });
    let rule = Rule::post("/login", number().then(one_tap().phone(Field::body("/claimed")))).name("login");
    let desk = Desk::asking(verifier, |builder| builder.passes(passes()).rule(rule));
    let body = |more: serde_json::Value| {
        let mut body = json!({"phone": PHONE, "loginToken": format!("l{}", next())});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let first = issued(&desk.login(&body(json!({"token": "t"}))).await);
    tokio::time::advance(MINUTE).await;
    let second = issued(&desk.by_pass(&first, &body(json!({}))).await);
    let (one, two) = (claims(&first), claims(&second));
    for same in ["exp", "checked", "n", "score"] {
        assert_eq!(one[same], two[same], "{same}");
    }
    assert_ne!(one["jti"], two["jti"]);
    desk.refuses(&first, &body(solved()), DenialReason::PassUsed, "the first").await;
    assert_eq!(desk.by_pass(&second, &body(solved())).await.status(), 200);
}

/// The breaker of the captcha is open: nothing is asked, and the same pass works when it is closed.
#[tokio::test(start_paused = true)]
async fn a_captcha_that_is_not_asked_because_of_an_outage_leaves_the_pass_good() {
    let policies = [
        (Policy::default(), DenialReason::BreakerOpen),
        (Policy::default().on(Class::Unavailable, Fallback::Captcha), DenialReason::BreakerOpen),
        (Policy::default().on(Class::Unavailable, Fallback::Open), DenialReason::CaptchaRequired),
    ];
    for (policy, reason) in policies {
        let is_down = Arc::new(AtomicBool::new(false));
        let down = Arc::clone(&is_down);
        let verifier = service_fn(move |check: Check| {
            let verdict = Verdict::new(check.kind(), Class::Passed);
            std::future::ready(match check.kind() {
                CheckKind::Number => Ok(verdict.with_risk(Risk::from_score(650, Vec::new()))),
                _ if down.load(Ordering::SeqCst) => Err(CallError::no_connection("refused")),
                _ => Ok(verdict),
            })
        });
        let guards = Guards::builder().breaker(Breaker::new().consecutive(1)).build().unwrap();
        let rule = login().policy(policy.clone());
        let layer = JVerifyLayer::builder(verifier).guards(&guards).passes(passes()).rule(rule).build().unwrap();
        let application = Application::default();
        let send = |request| crate::support::send(&layer, &application, request);
        let pass = issued(&send(post_json("/login", json!({"token": "t", "phone": PHONE}).to_string())).await);
        let again = || send(with_pass(&pass, post_json("/login", solved().to_string())));
        is_down.store(true, Ordering::SeqCst);
        let _opens_the_breaker = again().await;
        let response = again().await;
        assert_eq!((denial_reason(&response), response.headers().get(PASS)), (Some(reason), None), "{policy}");
        is_down.store(false, Ordering::SeqCst);
        tokio::time::advance(2 * MINUTE).await;
        assert_eq!(again().await.status(), 200, "{policy}");
        assert_eq!(denial_reason(&again().await), Some(DenialReason::PassUsed), "{policy}");
        assert_eq!(application.runs(), 1, "{policy}");
    }
}
