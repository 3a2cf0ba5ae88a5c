//! A wrong password does not cost a second number check.

use CheckKind::{Captcha, Number};
use serde_json::json;
use tower_jverify::{CheckKind, DenialReason};

use super::{Desk, MINUTE, PASS, PHONE, captcha_content, claims, denial_reason, login, passes, solved};

fn desk() -> Desk {
    Desk::set(|builder| builder.passes(passes()).retry_pass([401, 422]).rule(login()))
}

fn pass_of<B>(response: &http::Response<B>) -> Option<String> {
    response.headers().get(PASS).map(|pass| pass.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_wrong_password_is_tried_again_without_a_number_check() {
    for status in [401, 422] {
        let desk = desk();
        desk.answers(status);
        let response = desk.login(&json!({"token": "100 t", "phone": PHONE})).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.body(), "application");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let pass = pass_of(&response).unwrap();
        desk.answers(200);
        let response = desk.by_pass(&pass, &json!({"phone": PHONE})).await;
        assert_eq!((response.status().as_u16(), pass_of(&response)), (200, None));
        assert_eq!(desk.kinds(), [Number]);
        assert!(desk.decision().is_verified());
        assert_eq!(desk.decision().phone().unwrap().as_str(), PHONE);
        desk.refuses(&pass, &json!({"phone": PHONE}), DenialReason::PassUsed, "again").await;
    }
}

#[tokio::test]
async fn other_answers_have_no_pass() {
    let desk = desk();
    for status in [200, 204, 302, 400, 403, 500, 503] {
        desk.answers(status);
        let response = desk.login(&json!({"token": format!("100 {status}"), "phone": PHONE})).await;
        assert_eq!((response.status().as_u16(), pass_of(&response)), (status, None));
    }
    let without = Desk::new();
    without.answers(401);
    assert_eq!(pass_of(&without.login(&json!({"token": "100 t", "phone": PHONE})).await), None, "off by default");
}

#[tokio::test]
async fn a_captcha_alone_earns_no_pass() {
    let rule = tower_jverify::Rule::post("/login", tower_jverify::captcha().or(tower_jverify::number()));
    let desk = Desk::set(|builder| builder.passes(passes()).retry_pass([401]).rule(rule));
    desk.answers(401);
    assert_eq!(pass_of(&desk.login(&solved()).await), None);
}

#[tokio::test(start_paused = true)]
async fn one_check_earns_three_passes_and_none_lives_longer_than_the_first() {
    let desk = desk();
    desk.answers(401);
    let mut response = desk.login(&json!({"token": "100 t", "phone": PHONE})).await;
    let first = claims(&pass_of(&response).unwrap());
    for n in 1..=3 {
        let pass = pass_of(&response).unwrap();
        assert_eq!((&claims(&pass)["n"], &claims(&pass)["exp"]), (&json!(n), &first["exp"]));
        tokio::time::advance(MINUTE).await;
        response = desk.by_pass(&pass, &json!({"phone": PHONE})).await;
        assert_eq!(response.status(), 401);
    }
    assert_eq!(pass_of(&response), None, "a fourth");
    assert_eq!(desk.kinds(), [Number]);
    // And none after its time.
    let response = desk.login(&json!({"token": "100 u", "phone": PHONE})).await;
    let pass = pass_of(&response).unwrap();
    tokio::time::advance(4 * MINUTE).await;
    let second = pass_of(&desk.by_pass(&pass, &json!({"phone": PHONE})).await).unwrap();
    tokio::time::advance(MINUTE).await;
    desk.refuses(&second, &json!({"phone": PHONE}), DenialReason::PassExpired, "over with the first").await;
}

#[tokio::test]
async fn a_step_up_and_a_wrong_password_follow_each_other() {
    let desk = desk();
    let step_up = desk.earned().await;
    assert_eq!(claims(&step_up)["n"], 0);
    desk.answers(401);
    let response = desk.by_pass(&step_up, &solved()).await;
    let retry = pass_of(&response).unwrap();
    assert_eq!((&claims(&retry)["n"], &claims(&retry)["exp"]), (&json!(1), &claims(&step_up)["exp"]));
    // The risk is still there.
    let response = desk.by_pass(&retry, &json!({"phone": PHONE})).await;
    assert_eq!(denial_reason(&response), Some(DenialReason::CaptchaRequired));
    desk.answers(200);
    assert_eq!(desk.by_pass(&retry, &solved()).await.status(), 200);
    assert_eq!(desk.kinds(), [Number, Captcha, Captcha]);
    // The captcha with the token: then only the password is wrong.
    desk.answers(401);
    let all = json!({"token": "650 v", "phone": PHONE, "captchaContent": captcha_content()});
    let retry = pass_of(&desk.login(&all).await).unwrap();
    desk.answers(200);
    assert_eq!(desk.by_pass(&retry, &solved()).await.status(), 200);
}
