//! One-tap logins: JPush returns the phone.

use serde_json::json;
use tower_jverify::{
    CheckKind, Class, Credentials, DenialReason, JPush, JVerifyLayer, Phone, Rule, Sandbox, captcha, one_tap,
};

use crate::support::{Application, Sandboxed, code, denial, post_json, send};

#[tokio::test]
async fn a_one_tap_login_proves_the_phone_that_jpush_answers() {
    let desk = Sandboxed::new(Rule::post("/login", one_tap()));
    let response = desk.login(&json!({"loginToken": "sandbox-8000-13800000000"})).await;
    assert_eq!(response.status(), 200);
    assert_eq!(desk.decision().phone(), Phone::parse("13800000000"));
    assert_eq!(desk.application.header("x-jverify-checks").as_deref(), Some("one-tap"));
    assert_eq!(desk.application.header("x-jverify-risk-level"), None, "nobody asked for a risk");
}

#[tokio::test]
async fn a_phone_in_the_body_must_be_the_proven_one() {
    let desk = Sandboxed::new(Rule::post("/login", one_tap()));
    let body = |phone: &str| json!({"loginToken": "sandbox-8000-13800000000", "phone": phone});
    assert_eq!(desk.login(&body("13800000000")).await.status(), 200);

    let response = desk.login(&body("13900000000")).await;
    assert_eq!((response.status().as_u16(), code(&response).as_str()), (403, "verification_failed"));
    assert_eq!(denial(&response).reason(), DenialReason::Mismatch);
    assert_eq!(desk.asked().len(), 2, "the answer came after the call");
    assert_eq!(desk.application.runs(), 1);
}

#[tokio::test]
async fn a_one_tap_login_that_does_not_pass_is_refused() {
    let desk = Sandboxed::new(Rule::post("/login", one_tap()));
    for (login_token, status) in [
        ("sandbox-8001", 403),
        ("sandbox-9000", 503),
        ("sandbox-6000", 503),
        // A pass whose phone cannot be read proves no phone.
        ("sandbox-8000", 503),
        ("no-magic", 403),
    ] {
        let response = desk.login(&json!({"loginToken": login_token})).await;
        assert_eq!(response.status(), status, "{login_token}");
    }
    assert_eq!(desk.application.runs(), 0);
}

#[tokio::test]
async fn without_a_key_nothing_is_spent() {
    let (sandbox, application) = (Sandbox::new(), Application::default());
    let jpush = JPush::builder(Credentials::new("k", "s").unwrap()).transport(sandbox.clone()).build().unwrap();
    let layer = JVerifyLayer::builder(jpush).rule(Rule::post("/login", one_tap())).build().unwrap();
    let body = json!({"loginToken": "sandbox-8000-13800000000"}).to_string();
    let response = send(&layer, &application, post_json("/login", body)).await;
    assert_eq!(denial(&response).reason(), DenialReason::Verdict(Class::Misconfigured));
    assert_eq!((sandbox.calls().len(), application.runs()), (0, 0));
}

#[tokio::test]
async fn a_captcha_before_it_is_asked_before_it() {
    let desk = Sandboxed::new(Rule::post("/login", captcha().then(one_tap())));
    let body = json!({"captchaContent": "sandbox-fail", "loginToken": "sandbox-8000-13800000000"});
    assert_eq!(desk.login(&body).await.status(), 403);
    assert_eq!(desk.asked(), [CheckKind::Captcha]);
}
