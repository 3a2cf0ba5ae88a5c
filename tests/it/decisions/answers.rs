//! The table of answers, and which answers pass.

use http::Version;
use serde_json::{Value, json};
use tower_jverify::{Class, DenialReason, Field, Rule, captcha, number, sandbox::Fault};

use super::PHONE;
use crate::support::{Sandboxed, code, denial, post_json};

fn problem(response: &http::Response<bytes::Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

#[tokio::test]
async fn every_class_has_its_answer() {
    let (failed, expired, malformed) = ("verification_failed", "proof_expired", "proof_malformed");
    let down = "verification_unavailable";
    for (vendor, class, status, code, next) in [
        (9001, Class::Rejected, 403, failed, json!(["other_method"])),
        (9020, Class::Rejected, 403, failed, json!(["other_method"])),
        (9002, Class::Inconclusive, 403, failed, json!(["other_method"])),
        (9003, Class::Stale, 403, expired, json!(["new_token"])),
        (9021, Class::Stale, 403, expired, json!(["new_token"])),
        (9012, Class::Invalid, 400, malformed, json!(null)),
        (1801, Class::Invalid, 400, malformed, json!(null)),
        (9013, Class::Misconfigured, 503, down, json!(["other_method"])),
        (9015, Class::Misconfigured, 503, down, json!(["other_method"])),
        (9005, Class::Throttled, 429, "throttled", json!(["wait", "other_method"])),
        (9007, Class::Quota, 503, down, json!(["other_method"])),
        (1804, Class::Quota, 503, down, json!(["other_method"])),
        (9018, Class::Account, 503, down, json!(["other_method"])),
        (9011, Class::Misconfigured, 503, down, json!(["other_method"])),
        (9099, Class::Unavailable, 503, down, json!(["other_method"])),
        (4711, Class::Unknown, 503, down, json!(["other_method"])),
        (0, Class::Unknown, 503, down, json!(["other_method"])),
        (-1, Class::Unknown, 503, down, json!(["other_method"])),
    ] {
        let desk = Sandboxed::new(Rule::post("/login", number()));
        let response = desk.login(&json!({"token": format!("sandbox-{vendor}"), "phone": PHONE})).await;
        assert_eq!(response.status(), status, "{vendor}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{vendor}");
        assert_eq!(response.headers()["cache-control"], "no-store", "{vendor}");
        let problem = problem(&response);
        assert_eq!(problem["code"], code, "{vendor}");
        assert_eq!(problem["status"], status, "{vendor}");
        assert_eq!(problem["next"], next, "{vendor}");
        let retry_after = (class == Class::Throttled).then(|| http::HeaderValue::from(30));
        assert_eq!(response.headers().get("retry-after").cloned(), retry_after, "{vendor}");
        assert_eq!(denial(&response).reason(), DenialReason::Verdict(class), "{vendor}");
        assert_eq!((desk.sandbox.calls().len(), desk.application.runs()), (1, 0), "{vendor}");
    }
}

#[tokio::test]
async fn ten_tries_a_day_are_over_until_midnight_in_shanghai() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    let until_midnight = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        86_400 - (now + 8 * 3600) % 86_400
    };
    let before = until_midnight();
    let response = desk.login(&json!({"token": "sandbox-9006", "phone": PHONE})).await;
    let told: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let after = until_midnight();
    // The clock may have ticked between, also over midnight.
    assert!((after..=before).contains(&told) || before < after, "{before} {told} {after}");
    assert!((1..=86_400).contains(&told), "{told}");
}

#[tokio::test]
async fn only_the_documented_passes_pass_each_for_its_own_check() {
    let number_rule: fn() -> Rule = || Rule::post("/login", number());
    let captcha_rule: fn() -> Rule = || Rule::post("/login", captcha());
    for (rule, proof, passes) in [
        (number_rule, "sandbox-9000", true),
        (number_rule, "sandbox-6000", false),
        (number_rule, "sandbox-8000", false),
        (number_rule, "sandbox-0", false),
        (number_rule, "sandbox-status-201-9000", true),
        (number_rule, "sandbox-status-401-9000", false),
        (number_rule, "sandbox-status-500-9000", false),
        (number_rule, "sandbox-redirect-9000", false),
        (number_rule, "sandbox-html-9000", false),
        (number_rule, "sandbox-truncated-9000", false),
        (number_rule, "sandbox-reset-9000", false),
        (number_rule, "sandbox-for-13900000000", false),
        (number_rule, "no-magic", false),
        (captcha_rule, "sandbox-pass", true),
        (captcha_rule, "sandbox-6000", false),
        (captcha_rule, "sandbox-fail", false),
        (captcha_rule, "sandbox-result-SUCCESS ", false),
        (captcha_rule, "sandbox-result-SUCCESS", false),
        (captcha_rule, "sandbox-result-success ", false),
        (captcha_rule, "sandbox-9000", false),
        (captcha_rule, "sandbox-status-500-pass", false),
        (captcha_rule, "no-magic", false),
    ] {
        let desk = Sandboxed::new(rule());
        let body = json!({"token": proof, "phone": PHONE, "captchaContent": proof});
        let response = desk.login(&body).await;
        assert_eq!(response.status() == 200, passes, "{proof}: {response:?}");
        assert_eq!(desk.application.runs(), usize::from(passes), "{proof}");
        assert_eq!(desk.sandbox.calls().len(), 1, "{proof}");
    }
}

#[tokio::test]
async fn a_reply_that_cannot_be_read_strictly_is_unreadable_and_no_pass() {
    for reply in [
        "",
        "<html><body>9000</body></html>",
        r#"{"code":9000"#,
        r#"{"code":9000,"code":9000}"#,
        r#"{"code":9001,"code":9000}"#,
        r#"{"code":"9000"}"#,
        r#"{"code":9000.0}"#,
        r#"{"code":9e3}"#,
        r#"{"code":[9000]}"#,
        "[9000]",
        r#"[{"code":9000}]"#,
        "9000",
        "null",
        r#"{"code":9000}{"code":9000}"#,
        r#"{"code":9000} x"#,
        r#"{"content":"verify consistent"}"#,
        r#"{"code":9000,"exID":"somebody-elses"}"#,
    ] {
        let desk = Sandboxed::new(Rule::post("/login", number()));
        desk.sandbox.fault(Fault::Garbage(reply.into()));
        let response = desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await;
        assert_eq!(response.status(), 503, "{reply}");
        assert_eq!(denial(&response).reason(), DenialReason::Verdict(Class::Unreadable), "{reply}");
        assert_eq!((desk.sandbox.calls().len(), desk.application.runs()), (1, 0), "{reply}");
    }
}

#[tokio::test]
async fn a_code_beyond_every_integer_is_unknown() {
    for reply in [r#"{"code":9223372036854775808}"#, r#"{"code":9223372036854775807}"#, r#"{"code":-9000}"#] {
        let desk = Sandboxed::new(Rule::post("/login", number()));
        desk.sandbox.fault(Fault::Garbage(reply.into()));
        let response = desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await;
        assert_eq!(denial(&response).reason(), DenialReason::Verdict(Class::Unknown), "{reply}");
    }
}

#[tokio::test]
async fn a_missing_or_half_proof_is_refused_before_anything_is_asked() {
    for (rule, body, code_) in [
        (Rule::post("/login", number()), json!({}), "proof_missing"),
        (Rule::post("/login", number()), json!({"token": "sandbox-9000"}), "proof_missing"),
        (Rule::post("/login", number()), json!({"phone": PHONE}), "proof_missing"),
        (Rule::post("/login", number()), json!({"captchaContent": "sandbox-pass"}), "proof_missing"),
        (Rule::post("/login", captcha()), json!({"token": "sandbox-9000", "phone": PHONE}), "proof_missing"),
        (Rule::post("/login", captcha().or(number())), json!({}), "proof_missing"),
        (Rule::post("/login", number()), json!({"token": "sandbox-9000", "phone": "1380000"}), "proof_malformed"),
        (
            Rule::post("/login", number().token(Field::header("x-token"))),
            json!({"token": "sandbox-9000", "phone": PHONE}),
            "proof_missing",
        ),
    ] {
        let desk = Sandboxed::new(rule.clone());
        let response = desk.login(&body).await;
        assert_eq!((response.status().as_u16(), code(&response).as_str()), (400, code_), "{rule:?} {body}");
        assert_eq!((desk.sandbox.calls().len(), desk.application.runs()), (0, 0), "{rule:?} {body}");
    }
}

#[tokio::test]
async fn a_token_works_once() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    let body = json!({"token": "sandbox-once-9000#1", "phone": PHONE});
    assert_eq!(desk.login(&body).await.status(), 200);
    let again = desk.login(&body).await;
    assert_eq!((again.status().as_u16(), code(&again).as_str()), (403, "proof_expired"));
    assert_eq!(desk.application.runs(), 1);
}

#[tokio::test]
async fn a_client_is_answered_in_its_language_and_a_grpc_client_in_grpc() {
    let desk = Sandboxed::new(Rule::post("/login", number().token(Field::header("t")).phone(Field::header("p"))));
    let title = async |language: &str| {
        let mut request = post_json("/login", "{}");
        request.headers_mut().insert("accept-language", language.parse().unwrap());
        problem(&desk.send(request).await)["title"].as_str().unwrap().to_owned()
    };
    assert!(title("en").await.is_ascii());
    assert!(title("zh-CN,zh;q=0.9,en;q=0.8").await.contains("验证"));

    for (token, status) in [("sandbox-9001", "7"), ("sandbox-9012", "3"), ("sandbox-9005", "8"), ("sandbox-9099", "14")]
    {
        let mut request = post_json("/login", "");
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().insert("content-type", "application/grpc+proto".parse().unwrap());
        request.headers_mut().insert("t", token.parse().unwrap());
        request.headers_mut().insert("p", PHONE.parse().unwrap());
        let response = desk.send(request).await;
        assert_eq!(response.status(), 200, "{token}");
        assert_eq!(response.headers()["content-type"], "application/grpc+proto", "{token}");
        assert_eq!(response.headers()["grpc-status"], status, "{token}");
        assert!(response.body().is_empty(), "{token}");
    }
    assert_eq!(desk.application.runs(), 0);
}
