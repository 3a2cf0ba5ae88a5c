//! Proofs: complete ones only, whatever else the body has.

use tower_jverify::{Check, CheckKind, Class, Decision, Phone, Rule, Verdict, captcha, number, one_tap};

use super::refuses_each;
use crate::support::{Guarded, LOGIN, Verifier, builder, code, post_json};

fn login(body: &'static str) -> http::Request<http_body_util::Full<bytes::Bytes>> {
    post_json("/login", body)
}

#[tokio::test]
async fn a_token_that_is_not_a_text_is_refused() {
    let guarded = Guarded::login();
    for token in ["true", "false", "1", "-1", "1.5", "[]", r#"["t"]"#, "{}", r#"{"token":"t"}"#, r#"" ""#] {
        let body = format!(r#"{{"token":{token},"phone":"13812345678"}}"#);
        guarded.refuses(post_json("/login", body), "proof_malformed", token).await;
    }
}

#[tokio::test]
async fn a_token_that_is_much_too_long_is_refused() {
    let body = |bytes: usize| format!(r#"{{"token":"{}","phone":"13812345678"}}"#, "t".repeat(bytes));
    let guarded = Guarded::login();
    guarded.refuses(post_json("/login", body(1 << 20)), "body_too_large", "1 MiB").await;
    guarded.refuses(post_json("/login", body(8 * 1024 + 1)), "proof_malformed", "8 KiB and a byte").await;
    guarded.verifies(post_json("/login", body(8 * 1024)), "8 KiB").await;

    let roomy = Guarded::by([Rule::post("/login", number()).body_limit(4 << 20)]);
    roomy.refuses(post_json("/login", body(1 << 20)), "proof_malformed", "1 MiB").await;
}

#[tokio::test]
async fn no_proof_or_half_a_proof_is_refused() {
    let guarded = Guarded::login();
    let bodies = [
        "{}",
        r#"{"user":"x","password":"y"}"#,
        r#"{"phone":"13812345678"}"#,
        r#"{"token":"t"}"#,
        r#"{"token":"t","mobile":"13812345678"}"#,
        r#"{"captchaContent":"c","phone":"13812345678"}"#,
    ];
    refuses_each(&guarded, login, bodies.map(|body| ("proof_missing", body))).await;
}

#[tokio::test]
async fn where_one_of_several_proofs_is_enough_half_of_another_is_still_refused() {
    let guarded = Guarded::by([Rule::post("/login", captcha().or(number()))]);
    refuses_each(
        &guarded,
        login,
        [
            ("proof_missing", "{}"),
            ("proof_missing", r#"{"phone":"13812345678"}"#),
            ("proof_missing", r#"{"captchaContent":"c","token":"t"}"#),
            ("proof_malformed", r#"{"captchaContent":"c","token":"t","phone":"138"}"#),
        ],
    )
    .await;
}

/// Every proof is read before the first is spent.
#[tokio::test]
async fn a_malformed_second_proof_does_not_cost_the_first() {
    let guarded = Guarded::by([Rule::post("/login", captcha().then(number()))]);
    refuses_each(
        &guarded,
        login,
        [
            ("proof_missing", r#"{"captchaContent":"c"}"#),
            ("proof_missing", r#"{"captchaContent":"c","token":"t"}"#),
            ("proof_missing", r#"{"token":"t","phone":"13812345678"}"#),
            ("proof_malformed", r#"{"captchaContent":"c","token":7,"phone":"13812345678"}"#),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_phone_that_comes_with_a_captcha_stays_unproven() {
    let guarded = Guarded::by([Rule::post("/login", captcha().or(number()))]);
    let seen = guarded.verifies(login(r#"{"captchaContent":"c","phone":"13812345678"}"#), "a captcha").await;
    let decision = seen.parts.extensions.get::<Decision>().unwrap();
    assert!(decision.phone().is_none() && decision.is_verified());
    assert_eq!(guarded.verifier.kinds(), [CheckKind::Captcha]);

    let seen = guarded.send(login(r#"{"captchaContent":"c","token":"t","phone":"13812345678"}"#)).await;
    assert_eq!(seen.status(), 200);
    let seen = guarded.application.last();
    let proven = seen.parts.extensions.get::<Decision>().unwrap().phone();
    assert_eq!(proven, Phone::parse("13812345678"));
    assert_eq!(guarded.verifier.kinds()[1..], [CheckKind::Captcha, CheckKind::Number]);
}

/// One-tap: JPush says whose phone it is.
fn one_tap_login() -> Guarded {
    let answer = |check: &Check| {
        let phone = Phone::parse("13812345678").unwrap();
        Some(Verdict::new(check.kind(), Class::Passed).with_phone(phone))
    };
    Guarded::asking(Verifier::answering(answer), |verifier| {
        builder(verifier).rule(Rule::post("/login", one_tap())).build().unwrap()
    })
}

#[tokio::test]
async fn a_one_tap_login_proves_the_phone_that_jpush_names() {
    let guarded = one_tap_login();
    for body in [
        r#"{"loginToken":"l"}"#,
        r#"{"loginToken":"l","phone":"13812345678"}"#,
        r#"{"loginToken":"l","phone":13812345678}"#,
    ] {
        let seen = guarded.verifies(login(body), body).await;
        let proven = seen.parts.extensions.get::<Decision>().unwrap().phone();
        assert_eq!(proven, Phone::parse("13812345678"), "{body}");
    }
}

#[tokio::test]
async fn a_one_tap_login_with_another_phone_in_the_body_is_refused_after_the_call() {
    let guarded = one_tap_login();
    let response = guarded.send(login(r#"{"loginToken":"l","phone":"13912345678"}"#)).await;
    assert_eq!((response.status().as_u16(), code(&response).as_str()), (403, "verification_failed"));
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (1, 0));

    let twice = login(r#"{"loginToken":"l","phone":"13812345678","Phone":"13912345678"}"#);
    guarded.refuses(twice, "proof_malformed", "a second phone").await;
}

/// No type lets a risk query be an ask by itself; this is what is left: a verifier that answers a question with another.
#[tokio::test]
async fn a_verdict_on_another_question_is_no_pass() {
    let answer = |_: &Check| Some(Verdict::new(CheckKind::Risk, Class::Passed));
    let guarded = Guarded::asking(Verifier::answering(answer), |verifier| {
        builder(verifier).rule(Rule::post("/login", number())).build().unwrap()
    });
    let response = guarded.send(login(LOGIN)).await;
    assert_eq!(response.status(), 503);
    assert_eq!(guarded.application.runs(), 0);
}
