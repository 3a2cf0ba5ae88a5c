//! `then` and `or`: which proofs are checked, and in which order; scenes.

use CheckKind::{Captcha, Number};
use serde_json::Value;
use tower_jverify::{CheckKind, DenialReason, Rule, captcha, number, sandbox::Fault};

use super::PHONE;
use crate::support::{Sandboxed, code, denial};

/// A body with a captcha, a token and a phone, each only if it is not empty.
fn proofs(captcha: &str, token: &str, phone: &str) -> Value {
    let fields = [("captchaContent", captcha), ("token", token), ("phone", phone)];
    fields.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (*name, *value)).collect::<Value>()
}

const SOLVED: &str = "sandbox-pass";
const FAILED: &str = "sandbox-fail";
const GOOD: &str = "sandbox-9000";
const BAD: &str = "sandbox-9001";

#[tokio::test]
async fn a_captcha_then_a_number_are_asked_in_that_order_and_a_failed_captcha_spends_no_number() {
    let desk = Sandboxed::new(Rule::post("/login", captcha().then(number())));
    for (captcha, token, phone, status, asked) in [
        (SOLVED, GOOD, PHONE, 200, &[Captcha, Number][..]),
        (SOLVED, BAD, PHONE, 403, &[Captcha, Number]),
        (FAILED, GOOD, PHONE, 403, &[Captcha]),
        ("sandbox-7104", GOOD, PHONE, 403, &[Captcha]),
        ("sandbox-reset-pass", GOOD, PHONE, 503, &[Captcha]),
        // All proofs are looked at before the first is spent.
        (SOLVED, "", "", 400, &[]),
        (SOLVED, "", PHONE, 400, &[]),
        (SOLVED, GOOD, "", 400, &[]),
        (SOLVED, GOOD, "138", 400, &[]),
        ("", GOOD, PHONE, 400, &[]),
    ] {
        let before = desk.application.runs();
        let body = proofs(captcha, token, phone);
        let response = desk.login(&body).await;
        assert_eq!((response.status().as_u16(), &desk.asked()[..]), (status, asked), "{body}");
        assert_eq!(desk.application.runs() - before, usize::from(status == 200), "{body}");
    }
    assert_eq!(desk.application.header("x-jverify-checks").as_deref(), Some("captcha,number"));
}

#[tokio::test]
async fn of_a_captcha_or_a_number_whatever_is_there_must_pass_the_captcha_first() {
    for rule in [
        Rule::post("/login", captcha().or(number())),
        // The order in which they are written is not the order in which they are asked.
        Rule::post("/login", number().or(captcha())),
    ] {
        let desk = Sandboxed::new(rule.clone());
        for (captcha, token, phone, status, asked, proven) in [
            (SOLVED, "", "", 200, &[Captcha][..], false),
            (FAILED, "", "", 403, &[Captcha], false),
            ("", GOOD, PHONE, 200, &[Number], true),
            ("", BAD, PHONE, 403, &[Number], false),
            (SOLVED, GOOD, PHONE, 200, &[Captcha, Number], true),
            (SOLVED, BAD, PHONE, 403, &[Captcha, Number], false),
            (FAILED, GOOD, PHONE, 403, &[Captcha], false),
            (FAILED, BAD, PHONE, 403, &[Captcha], false),
            // A phone that comes with a captcha is not a proof, and stays unproven.
            (SOLVED, "", PHONE, 200, &[Captcha], false),
            // Half a proof is refused, whatever else the body has.
            (SOLVED, GOOD, "", 400, &[], false),
            ("", GOOD, "", 400, &[], false),
            ("", "", PHONE, 400, &[], false),
            ("", "", "", 400, &[], false),
        ] {
            let before = desk.application.runs();
            let body = proofs(captcha, token, phone);
            let response = desk.login(&body).await;
            assert_eq!((response.status().as_u16(), &desk.asked()[..]), (status, asked), "{rule:?} {body}");
            assert_eq!(desk.application.runs() - before, usize::from(status == 200), "{rule:?} {body}");
            if status == 200 {
                assert_eq!(desk.decision().phone().is_some(), proven, "{rule:?} {body}");
                assert_eq!(desk.decision().passed(Number), proven, "{rule:?} {body}");
            }
        }
    }
}

#[tokio::test]
async fn a_captcha_for_another_scene_or_for_none_is_a_mismatch() {
    let desk = Sandboxed::new(Rule::post("/login", captcha().scene("注册").then(number())));
    for (captcha, passes) in [
        ("sandbox-pass-scene-注册", true),
        ("sandbox-pass-scene-登录", false),
        ("sandbox-pass-scene-注册 ", false),
        ("sandbox-pass", false),
    ] {
        let before = desk.application.runs();
        let response = desk.login(&proofs(captcha, GOOD, PHONE)).await;
        assert_eq!(desk.application.runs() - before, usize::from(passes), "{captcha}");
        if passes {
            assert_eq!(desk.asked(), [Captcha, Number], "{captcha}");
        } else {
            assert_eq!(
                (response.status().as_u16(), code(&response).as_str()),
                (403, "verification_failed"),
                "{captcha}"
            );
            assert_eq!(denial(&response).reason(), DenialReason::Mismatch, "{captcha}");
            assert_eq!(desk.asked(), [Captcha], "{captcha}: the number was spent");
        }
    }
}

#[tokio::test]
async fn a_captcha_without_a_scene_passes_for_no_scene() {
    for reply in [
        r#"{"code":6000,"result":"success"}"#,
        r#"{"code":6000,"result":"success","captchaArgs":{}}"#,
        r#"{"code":6000,"result":"success","captchaArgs":{"scene":null}}"#,
        r#"{"code":6000,"result":"success","captchaArgs":{"scene":"登录","scene":"注册"}}"#,
    ] {
        let desk = Sandboxed::new(Rule::post("/login", captcha().scene("注册")));
        desk.sandbox.fault(Fault::Garbage(reply.into()));
        let response = desk.login(&proofs(SOLVED, "", "")).await;
        assert_eq!(denial(&response).reason(), DenialReason::Mismatch, "{reply}");
        assert_eq!(desk.application.runs(), 0, "{reply}");
    }
}

#[tokio::test]
async fn without_a_scene_asked_for_every_scene_will_do() {
    let desk = Sandboxed::new(Rule::post("/login", captcha()));
    for captcha in ["sandbox-pass", "sandbox-pass-scene-注册"] {
        assert_eq!(desk.login(&proofs(captcha, "", "")).await.status(), 200, "{captcha}");
    }
}
