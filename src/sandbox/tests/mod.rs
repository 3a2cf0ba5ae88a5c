mod faults;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{PhoneForm, Sandbox, SandboxFault, reference};
use crate::{check::Channel, check_kind::CheckKind};

const NUMBER: &str = "/v2/web/verify";
const WEB_NUMBER: &str = "/v2/web/h5/verify";
const CAPTCHA: &str = "/action/check";
const ONE_TAP: &str = "/v2/web/loginTokenVerify";
const RISK: &str = "/v2/web/queryBusinessRisk";

/// Status, content type and body of any reply; every one must carry the mark.
async fn raw(sandbox: &Sandbox, request: Request<Full<Bytes>>) -> Result<(StatusCode, String, Bytes), SandboxFault> {
    let reply = sandbox.clone().oneshot(request).await?;
    let mark = &reply.headers()["x-jverify-sandbox-reply"];
    assert!(mark == "1" || mark == "once", "{mark:?}");
    let content_type = reply.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    Ok((reply.status(), content_type, reply.into_body().collect().await.unwrap().to_bytes()))
}

fn request(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let basic = BASE64_STANDARD.encode("7d431e42dfa6a6d693ac2d04:5e987ac6d2e04d95a9d8f0d1");
    Request::post(format!("https://api.verification.jpush.cn{path}"))
        .header(header::AUTHORIZATION, format!("Basic {basic}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(body.into()))
        .unwrap()
}

async fn ask(sandbox: &Sandbox, path: &str, body: Value) -> Value {
    let (_, _, body) = raw(sandbox, request(path, body.to_string())).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

async fn number(sandbox: &Sandbox, token: &str) -> Value {
    ask(sandbox, NUMBER, json!({"token": token, "phone": "13800000000", "exID": "e-1"})).await
}

async fn captcha(sandbox: &Sandbox, content: &str) -> Value {
    ask(sandbox, CAPTCHA, json!({"captchaContent": content, "exID": "e-1"})).await
}

#[tokio::test]
async fn the_number_documents_example_is_answered_as_documented() {
    let asked = r#"{
"token": "STsid0000001542695429579Ob28vB7b0cYTI9w0GGZrv8ujUu05qZvw",
"phone": 15813554612,
"exID": "1234566",
"ip": "127.0.0.1"
}"#;
    let documented: Value = serde_json::from_str(
        r#"{
"id": 117270465679982592,
"code": 9000,
"content": "verify consistent",
"exID": "1234566",
"score": 0,
"riskCheck": {
"code": 0,
"content": "success",
"score": 0,
"tags": [],
"detail": {}
}
}"#,
    )
    .unwrap();
    let sandbox = Sandbox::new();
    for asked in [asked.to_owned(), asked.replace("15813554612", "\"15813554612\"")] {
        for path in [NUMBER, WEB_NUMBER] {
            let (status, content_type, body) = raw(&sandbox, request(path, asked.clone())).await.unwrap();
            assert_eq!((status, content_type.as_str()), (StatusCode::OK, "application/json"));
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), documented);
        }
    }
    let forms: Vec<_> = sandbox.calls().iter().map(super::Call::phone).collect();
    assert_eq!(forms, [PhoneForm::Number, PhoneForm::Number, PhoneForm::Text, PhoneForm::Text]);

    let stranger = ask(&sandbox, NUMBER, json!({"token": reference::TOKEN, "phone": "13800000000"})).await;
    assert_eq!(stranger["code"], 9001);
}

#[tokio::test]
async fn the_captcha_documents_example_is_answered_as_documented_to_the_byte() {
    let documented = concat!(
        r#"{"id":576044766492467200,"code":6000,"content":"get action check success","exID":"","result":"success","#,
        r#""reason":"","captchaArgs":{"used_type":"slide","user_ip":"183.238.29.30","#,
        r#""lot_number":"f80971ac19db489b8054e0c81f9aabfc","scene":"注册"}}"#
    );
    let asked = json!({"captchaContent": reference::CAPTCHA, "exID": "1234566"}).to_string();
    let (_, _, body) = raw(&Sandbox::new(), request(CAPTCHA, asked)).await.unwrap();
    assert_eq!(body, documented);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, reference::CAPTCHA.as_bytes());
    assert_eq!(
        BASE64_STANDARD.encode(digest),
        "nPl/bHixZq6N2mRtTMVgJPVy++KNikqEHaDoXXBC4JY=",
        "SHA-256 of the document's captchaContent"
    );
}

#[tokio::test]
async fn wrong_and_missing_credentials_are_answered_as_documented() {
    let sandbox = Sandbox::new().credentials("key", "another secret");
    let open = Sandbox::new();
    for (path, documented) in [
        (NUMBER, r#"{"code":9011,"content":"auth failed"}"#),
        (CAPTCHA, r#"{"code":1802,"content":"auth failed"}"#),
        (ONE_TAP, r#"{"code":9011,"content":"auth failed"}"#),
    ] {
        let wrong = request(path, r#"{"token":"sandbox-9000","phone":"13800000000"}"#);
        assert_eq!(raw(&sandbox, wrong.clone()).await.unwrap().2, documented);
        let mut missing = wrong.clone();
        missing.headers_mut().remove(header::AUTHORIZATION);
        assert_eq!(raw(&open, missing).await.unwrap().2, documented);
        for broken in ["Bearer a2V5OnNlY3JldA==", "Basic a2V5", "Basic !", "Basic a2V5Og=="] {
            let mut request = wrong.clone();
            request.headers_mut().insert(header::AUTHORIZATION, broken.parse().unwrap());
            assert_eq!(raw(&open, request).await.unwrap().2, documented, "{broken}");
        }
    }
    let mut right = request(NUMBER, r#"{"token":"sandbox-9000","phone":"13800000000"}"#);
    let basic = format!("Basic {}", BASE64_STANDARD.encode("key:another secret"));
    right.headers_mut().insert(header::AUTHORIZATION, basic.parse().unwrap());
    let reply: Value = serde_json::from_slice(&raw(&sandbox, right).await.unwrap().2).unwrap();
    assert_eq!(reply["code"], 9000);
}

#[tokio::test]
async fn a_number_token_says_its_code_and_its_risk() {
    let sandbox = Sandbox::new();
    let plain = number(&sandbox, "sandbox-9000").await;
    assert_eq!(plain["exID"], "e-1");
    assert_eq!(plain["riskCheck"], json!({"code": 0, "content": "success", "score": 0, "tags": [], "detail": {}}));
    assert!(plain["id"].as_u64().unwrap() > 1 << 53);

    let tagged = number(&sandbox, "sandbox-9000-risk-300-tags-F24004-F24005").await;
    assert_eq!(tagged["score"], 300);
    assert_eq!(tagged["riskCheck"]["tags"], json!(["F24004", "F24005"]));
    assert_eq!(tagged["riskCheck"]["detail"], json!({"F24004": {"score": 300}, "F24005": {"score": 300}}));
    assert!(tagged["id"].as_u64() > plain["id"].as_u64());

    let unknown = number(&sandbox, "sandbox-9000-risk-unknown").await;
    assert_ne!(unknown["riskCheck"]["code"], 0);
    let absent = number(&sandbox, "sandbox-9000-risk-absent").await;
    assert!(absent.get("riskCheck").is_none() && absent.get("score").is_none());
    let top_level = number(&sandbox, "sandbox-9000-score-600").await;
    assert!(top_level.get("riskCheck").is_none() && top_level["score"] == 600);
    assert_eq!(number(&sandbox, "sandbox-9000-risk--1").await["riskCheck"]["score"], -1);

    for code in [9001, 9005, 9006, 9018, 9099, 2000, 6000, 8000, 0, -1, i64::MAX] {
        let reply = number(&sandbox, &format!("sandbox-{code}")).await;
        assert_eq!(reply["code"], code);
        assert!(reply.get("riskCheck").is_none());
    }
}

#[tokio::test]
async fn an_unknown_proof_is_a_forged_one() {
    let sandbox = Sandbox::new();
    for token in [
        "x",
        "sandbox-",
        "sandbox",
        "sandbox-9000-risk",
        "sandbox-9000x",
        "sandbox-for-1380",
        "sandbox-pass",
        "SANDBOX-9000",
    ] {
        assert_eq!(number(&sandbox, token).await["code"], 9001, "{token}");
    }
    for content in ["x", "sandbox-pass-scen", "sandbox-6000x"] {
        let reply = captcha(&sandbox, content).await;
        assert_eq!((&reply["code"], &reply["result"]), (&json!(6000), &json!("fail")), "{content}");
        assert_ne!(reply["reason"], "");
    }
    assert_eq!(ask(&sandbox, ONE_TAP, json!({"loginToken": "x"})).await["code"], 8001);
}

#[tokio::test]
async fn a_token_for_one_phone_passes_for_that_phone_only() {
    let sandbox = Sandbox::new();
    assert_eq!(number(&sandbox, "sandbox-for-13800000000-risk-600").await["riskCheck"]["score"], 600);
    let stranger = number(&sandbox, "sandbox-for-13800000001-risk-600").await;
    assert_eq!(stranger["code"], 9001);
    assert!(stranger.get("riskCheck").is_none());
}

#[tokio::test]
async fn a_proof_works_again_and_again_unless_it_says_once() {
    let sandbox = Sandbox::new();
    let mut codes = Vec::new();
    for token in ["sandbox-9000", "sandbox-9000", "sandbox-once-9000#a", "sandbox-once-9000#a", "sandbox-once-9000#b"] {
        codes.push(number(&sandbox.clone(), token).await["code"].as_i64().unwrap());
    }
    assert_eq!(codes, [9000, 9000, 9000, 9003, 9000]);
    assert_eq!(captcha(&sandbox, "sandbox-once-pass").await["result"], "success");
    assert_eq!(captcha(&sandbox, "sandbox-once-pass").await["code"], 7104);
    assert_eq!(number(&Sandbox::new(), "sandbox-once-9000#a").await["code"], 9000);
}

#[tokio::test]
async fn a_captcha_says_its_result_and_its_scene() {
    let sandbox = Sandbox::new();
    let passed = captcha(&sandbox, "sandbox-pass-scene-注册").await;
    assert_eq!((&passed["code"], &passed["result"], &passed["reason"]), (&json!(6000), &json!("success"), &json!("")));
    assert_eq!((&passed["captchaArgs"]["scene"], &passed["exID"]), (&json!("注册"), &json!("")));
    assert_eq!(captcha(&sandbox, "sandbox-pass").await["captchaArgs"]["scene"], "");
    assert_eq!(captcha(&sandbox, "sandbox-fail").await["result"], "fail");
    assert_eq!(captcha(&sandbox, "sandbox-result-SUCCESS ").await["result"], "SUCCESS ");
    assert!(captcha(&sandbox, "sandbox-6000").await.get("result").is_none());
    let foreign = captcha(&sandbox, "sandbox-9000").await;
    assert!(foreign["code"] == 9000 && foreign.get("result").is_none());
}

#[tokio::test]
async fn a_proof_for_one_endpoint_is_refused_at_the_other() {
    let sandbox = Sandbox::new();
    let body = |token| json!({"token": token, "phone": "13800000000"});
    assert_eq!(ask(&sandbox, NUMBER, body("sandbox-app-9000")).await["code"], 9000);
    assert_eq!(ask(&sandbox, WEB_NUMBER, body("sandbox-app-9000")).await["code"], 9020);
    assert_eq!(ask(&sandbox, WEB_NUMBER, body("sandbox-once-web-9000")).await["code"], 9000);
    assert_eq!(ask(&sandbox, NUMBER, body("sandbox-web-9000")).await["code"], 9020);
    assert_eq!(sandbox.calls()[1].channel(), Some(Channel::Web));
}

#[tokio::test]
async fn a_risk_query_is_answered_by_the_phones_last_digits() {
    let sandbox = Sandbox::new();
    let medium = ask(&sandbox, RISK, json!({"phone": "13800000600", "exID": 7})).await;
    assert_eq!((&medium["code"], &medium["score"], &medium["exID"]), (&json!(0), &json!(600), &json!("7")));
    assert_eq!(medium["detail"], json!({"F24004": {"score": 600}}));
    let low = ask(&sandbox, RISK, json!({"phone": 13_800_000_000_u64})).await;
    assert_eq!((&low["score"], &low["tags"]), (&json!(0), &json!([])));
    assert_eq!(ask(&sandbox, RISK, json!({"phone": "13800000901"})).await["score"], 901);
    assert_eq!(ask(&sandbox, RISK, json!({"phone": "13800000999"})).await["code"], 9099);
}

#[tokio::test]
async fn a_login_token_is_answered_with_its_phone_encrypted() {
    use aws_lc_rs::rsa::{Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
    let sandbox = Sandbox::new();
    let reply = ask(&sandbox, ONE_TAP, json!({"loginToken": "sandbox-once-8000-13800000000-risk-300"})).await;
    assert_eq!((&reply["code"], &reply["riskCheck"]["score"]), (&json!(8000), &json!(300)));

    let pem = Sandbox::one_tap_key_pem();
    let base64: String = pem.expose().lines().filter(|line| !line.starts_with("---")).collect();
    let key = PrivateDecryptingKey::from_pkcs8(&BASE64_STANDARD.decode(base64).unwrap()).unwrap();
    let key = Pkcs1PrivateDecryptingKey::new(key).unwrap();
    let encrypted = BASE64_STANDARD.decode(reply["phone"].as_str().unwrap()).unwrap();
    let mut phone = vec![0; key.min_output_size()];
    assert_eq!(key.decrypt(&encrypted, &mut phone).unwrap(), b"13800000000");

    let again = ask(&sandbox, ONE_TAP, json!({"loginToken": "sandbox-once-8000-13800000000-risk-300"})).await;
    assert_eq!(again["code"], 9003);
    assert!(ask(&sandbox, ONE_TAP, json!({"loginToken": "sandbox-8000"})).await.get("phone").is_none());
    assert_eq!(ask(&sandbox, ONE_TAP, json!({"loginToken": "sandbox-8001"})).await["code"], 8001);
}

#[tokio::test]
async fn a_malformed_request_is_answered_as_such() {
    let sandbox = Sandbox::new();
    for (body, code, captcha_code) in [
        ("", 9012, 1801),
        ("{", 9012, 1801),
        ("[]", 9012, 1801),
        (r#"["sandbox-9000","13800000000"]"#, 9012, 1801),
        (r#"{"token":"sandbox-9000","phone":1.38e10}"#, 9012, 1801),
        (r#"{"token":"sandbox-9000","token":"sandbox-9000","phone":"13800000000"}"#, 9012, 1801),
        ("{}", 9013, 1801),
        (r#"{"token":"sandbox-9000","captchaContent":""}"#, 9013, 1801),
        (r#"{"token":"sandbox-9000","phone":"+8613800000000"}"#, 9013, 1801),
    ] {
        for (path, code) in [(NUMBER, code), (CAPTCHA, captcha_code)] {
            let (_, _, reply) = raw(&sandbox, request(path, body)).await.unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&reply).unwrap()["code"], code, "{path} {body}");
        }
    }
    let mut text = request(NUMBER, r#"{"token":"sandbox-9000","phone":"13800000000"}"#);
    text.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
    assert!(raw(&sandbox, text).await.unwrap().2.starts_with(br#"{"code":9012"#));
}

#[tokio::test]
async fn another_path_another_method_and_a_huge_body_meet_html() {
    let sandbox = Sandbox::new();
    let mut get = request(NUMBER, "");
    *get.method_mut() = http::Method::GET;
    let huge = request(NUMBER, vec![b' '; 64 * 1024 + 1]);
    for (request, status) in [
        (request("/v2/web/h5/queryBusinessRisk", "{}"), StatusCode::NOT_FOUND),
        (get, StatusCode::NOT_FOUND),
        (huge, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let (answered, content_type, _) = raw(&sandbox, request).await.unwrap();
        assert_eq!((answered, content_type.as_str()), (status, "text/html"));
    }
}

#[tokio::test]
async fn calls_are_recorded_in_order_and_contain_no_secret() {
    let sandbox = Sandbox::new();
    let body = json!({"token": "sandbox-9000#canary", "phone": "13812345678", "exID": "e", "ip": "203.0.113.9"});
    ask(&sandbox, WEB_NUMBER, body).await;
    captcha(&sandbox, "sandbox-fail").await;
    let _ = raw(&sandbox, request("/13812345678", "canary")).await;

    let calls = sandbox.take_calls();
    let [number, captcha, lost] = calls.as_slice() else { panic!("three calls") };
    assert_eq!((number.kind(), number.channel()), (Some(CheckKind::Number), Some(Channel::Web)));
    assert_eq!((number.ex_id(), number.ip(), number.phone()), (Some("e"), Some("203.0.113.9"), PhoneForm::Text));
    assert_eq!((number.path(), number.code()), (WEB_NUMBER, Some(9000)));
    assert_eq!(
        (captcha.kind(), captcha.code(), captcha.phone()),
        (Some(CheckKind::Captcha), Some(6000), PhoneForm::Absent)
    );
    assert_eq!((lost.kind(), lost.path(), lost.code()), (None, "/13812345678", None));
    let debug = format!("{calls:?} {sandbox:?}");
    assert!(!["canary", "13812345678", "203.0.113.9"].iter().any(|secret| debug.contains(secret)), "{debug}");
    assert!(sandbox.calls().is_empty());
}

#[tokio::test]
async fn memory_is_bounded() {
    let sandbox = Sandbox::new();
    for label in 0..10_001 {
        let token = format!("sandbox-once-9001#{label}");
        let _ = raw(&sandbox, request(NUMBER, json!({"token": token, "phone": "13800000000"}).to_string())).await;
    }
    assert_eq!(sandbox.calls().len(), 10_000);
    assert_eq!(number(&sandbox, "sandbox-once-9001#10000").await["code"], 9003);
    assert_eq!(number(&sandbox, "sandbox-once-9001#0").await["code"], 9001);
}
