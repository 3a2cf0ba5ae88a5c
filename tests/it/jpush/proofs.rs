//! CASES 91, 92: which proofs are sent.

use std::time::Duration;

use tower_jverify::{Check, Class, Credentials, DenialReason, Field, JPush, Phone, Rule, Sandbox};

use super::support::{Server, TOKEN, client, credentials, http};
use crate::support::{Application, asking, denial, send};

/// The vendor's example of a `captchaContent`.
const CAPTCHA: &str = "ZnzfTTCrPZuLk1J_kxXnGu6IKhjhGCIQp3_yTBs7G_5hhGJpJzMGGcVgSHq8CI6yFpAHQdhz1WbM3hICmkxG2a-DZXRIDdDic6Nbll-N0KnfYyZGv-ZDuiOQSW2r1NMBuoyT82vrOgxoFgAxJdeeeYINXWwuRMFX2Ms9YDfPliRlNBx4qivro84z3146PvGVjuL8tjDKo5N3wTwBDwChaj2qakZN47tsX_QN5cdTPZC0rdP_ugv9TnMwH7OeOhX1w5woFuqru-2_odcfS22yEtC_4qh8Zse2ks7-QS7ISiTdeBUdOmIrGV9JRv439kHBLfLNvriP7lB3MRDsIcD3A17MI98VfzQp8cgUiBgfogV7qLZLQ4lSbpZwL1qlRmBV9xGwNeattCQ5Zg7NBA9YK01MpnLTHYb5HU9DyvLBn_st5loAaHztbtsCTBryrTZ6zYnf0SpxgXzHK-H4WipM4Q4CjcPbNhTWJ67smd44cwEvk-aN_OQmN2pw0P83Oy6q8WQrmbT01WFCjpu5ViPVf6PkMx0Ag8woajzGV_WGXZrLjRPbGBmS4XQpSwf6uuBwEjJhVWyu4gmvkTL3O1jqH0WYL6bDQq9tnwNsY2UtBRBwsi2SAP7lSuB3hrW9QvoSnKHzwOZKJlAArbrbRX_DTS6ITkmFAdHEy7FdH9JPZp9x_M9ETg0raXPEqQLFl4H9tC61DPi3IKQvNXHRn0P5NQ==";

const PASSES: &str = r#"{"code":9000,"result":"success"}"#;

fn checks(proof: &str) -> [Check; 3] {
    [Check::number(proof, Phone::parse("13800000000").unwrap()), Check::captcha(proof), Check::one_tap(proof)]
}

#[tokio::test]
async fn what_no_carrier_or_captcha_issues_is_invalid_and_not_even_a_connection_is_made() {
    let server = Server::answering(http(502, "<html>")).await;
    let jpush = client(&server.url()).one_tap_key(&Sandbox::one_tap_key_pem()).build().unwrap();
    let long = "A".repeat(4097);
    for proof in [
        "<script>",
        "1 UNION SELECT",
        "",
        " ",
        "a b",
        "a\"b",
        "a'b",
        "a;b",
        "a&b",
        "a%27",
        "a\\b",
        "${x}",
        "../../etc",
        "a..b",
        "#label",
        "注册",
        "\u{e9}",
        "ｔｏｋ",
        "a\nb",
        "a\0b",
        "a\u{7f}",
        "a,b",
        "a@b",
        "a?b",
        "(a)",
        "[a]",
        "a|b",
        "`a`",
        "a*",
        "a!",
        &long,
    ] {
        for check in checks(proof) {
            let verdict = jpush.ask(check).await.unwrap();
            assert_eq!((verdict.class(), verdict.code()), (Class::Invalid, None), "{proof:?}");
        }
    }
    assert_eq!((server.connections(), server.raw().len()), (0, 0));
}

#[tokio::test]
async fn the_vendors_own_examples_and_everything_within_the_set_is_sent() {
    let server = Server::answering(http(200, PASSES)).await;
    let jpush = client(&server.url()).build().unwrap();
    let long = "A".repeat(4096);
    for (sent, proof) in [TOKEN, CAPTCHA, "a+b/c=_-.~:Z9", &long].into_iter().enumerate() {
        let [number, captcha, _] = checks(proof);
        assert_eq!(jpush.ask(number).await.unwrap().class(), Class::Passed, "{proof}");
        jpush.ask(captcha).await.unwrap();
        assert_eq!(server.requests().len(), 2 * (sent + 1), "{proof}");
        assert!(server.requests().last().unwrap().contains(proof));
    }
}

/// As JSON escapes each byte.
fn escaped(proof: &str) -> String {
    proof.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat()
}

/// As a form escapes each byte.
fn percent(proof: &str) -> String {
    proof.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn a_request_may_write_it_as_it_likes_what_it_says_counts() {
    let server = Server::answering(http(200, PASSES)).await;
    let jpush = client(&server.url()).one_tap_key(&Sandbox::one_tap_key_pem()).build().unwrap();
    let (header, query) = (|| Field::header("x-proof"), || Field::query("proof"));
    let layer = asking(jpush)
        .rule(Rule::post("/number", tower_jverify::number()))
        .rule(Rule::post("/captcha", tower_jverify::captcha()))
        .rule(Rule::post("/one-tap", tower_jverify::one_tap()))
        .rule(Rule::post("/header", tower_jverify::captcha().content(header())))
        .rule(Rule::post("/query", tower_jverify::captcha().content(query())))
        .build()
        .unwrap();
    let request = |path: &str, media: &str, body: String| {
        let request = http::Request::post(path).header("content-type", media);
        request.body(http_body_util::Full::<bytes::Bytes>::from(body)).unwrap()
    };
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    let sent = |path: &str, proof: &str| {
        let (name, phone) = match path {
            "/number" => ("token", "13800000000"),
            "/captcha" => ("captchaContent", "13800000000"),
            _ => ("loginToken", "13800000000"),
        };
        [
            request(path, json, format!(r#"{{"{name}":"{}","phone":"{phone}"}}"#, escaped(proof))),
            request(path, form, format!("{name}={}&phone={phone}", percent(proof))),
        ]
    };
    let application = Application::default();
    let refused = ["<script>", "1 UNION SELECT", "a..b", "../etc", "a%2e", "注册", "a'b", "ａ", &"A".repeat(4097)];
    for path in ["/number", "/captcha", "/one-tap"] {
        for request in refused.iter().flat_map(|proof| sent(path, proof)) {
            let response = send(&layer, &application, request).await;
            assert_eq!(denial(&response).reason(), DenialReason::Verdict(Class::Invalid), "{path}");
            assert_eq!(response.status(), 400, "{path}");
        }
    }
    for proof in refused.iter().filter(|proof| proof.is_ascii()) {
        let mut head = request("/header", json, String::new());
        head.headers_mut().insert("x-proof", proof.parse().unwrap());
        let query =
            http::Request::post(format!("/query?proof={}", percent(proof))).body(http_body_util::Full::default());
        for request in [head, query.unwrap()] {
            let response = send(&layer, &application, request).await;
            assert_eq!(denial(&response).reason(), DenialReason::Verdict(Class::Invalid), "{proof}");
        }
    }
    assert_eq!((server.connections(), application.runs()), (0, 0));
    // The same spellings of what is issued are sent as what they say.
    let most = "A".repeat(4096);
    for proof in ["x", "a+b/c=_-.~:Z9", &most] {
        for path in ["/number", "/captcha", "/one-tap"] {
            for request in sent(path, proof) {
                let before = server.requests().len();
                send(&layer, &application, request).await;
                assert_eq!(server.requests().len(), before + 1, "{path}");
                assert!(server.requests().last().unwrap().contains(&format!("\"{proof}\"")), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn a_setting_widens_it() {
    let server = Server::answering(http(200, PASSES)).await;
    let jpush = client(&server.url()).proof_bytes(*b"#").proof_bytes("注册".bytes()).build().unwrap();
    for (proof, class) in
        [("a#注册", Class::Passed), ("a b", Class::Invalid), ("短", Class::Invalid), ("a#..", Class::Invalid)]
    {
        let [number, ..] = checks(proof);
        assert_eq!(jpush.ask(number).await.unwrap().class(), class, "{proof}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn the_sandboxs_clients_send_every_documented_proof() {
    let sandboxes = [Sandbox::new().credentials("key", "secret"), Sandbox::new().credentials("key", "secret")];
    let credentials = Credentials::new("key", "secret").unwrap();
    let clients = [sandboxes[0].client(), JPush::builder(credentials).transport(sandboxes[1].clone())];
    for (sandbox, client) in sandboxes.iter().zip(clients) {
        let jpush = client.build().unwrap();
        let phone = Phone::parse("13800000000").unwrap();
        let verdict = jpush.ask(Check::number("sandbox-once-9000#a", phone)).await.unwrap();
        assert!(verdict.class().is_pass() && verdict.is_sandbox());
        assert_eq!(jpush.ask(Check::captcha("sandbox-pass-scene-注册")).await.unwrap().scene(), Some("注册"));
        assert_eq!(jpush.ask(Check::captcha("sandbox-result-SUCCESS ")).await.unwrap().class(), Class::Rejected);
        assert_eq!(sandbox.calls().len(), 3);
    }
}

#[tokio::test]
async fn a_transport_around_the_sandbox_or_to_anywhere_else_is_not_widened() {
    let sandbox = Sandbox::new();
    let around = tower::timeout::Timeout::new(sandbox.clone(), Duration::from_secs(1));
    let jpush = JPush::builder(credentials()).transport(around).build().unwrap();
    assert_eq!(jpush.ask(Check::captcha("sandbox-pass#a")).await.unwrap().class(), Class::Invalid);
    assert!(sandbox.calls().is_empty());
}
