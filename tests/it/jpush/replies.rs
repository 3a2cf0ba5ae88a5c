//! The requests on the wire, and the verdicts of replies.

use http::Request;
use http_body_util::Full;
use tower_jverify::{Channel, Check, Class, JPush, Phone, Risk};

use super::support::{PASS, PHONE, Server, TOKEN, assert_silent, client, credentials, http, number};

const CAPTCHA_PASS: &str = r#"{"id":576044766492467200,"code":6000,"content":"get action check success","exID":"","result":"success","reason":"","captchaArgs":{"used_type":"slide","user_ip":"183.238.29.30","lot_number":"f80971ac19db489b8054e0c81f9aabfc","scene":"注册"}}"#;

#[tokio::test]
async fn the_request_on_the_wire_is_the_reference_documents_with_the_phone_as_text() {
    let server = Server::answering(http(200, PASS)).await;
    let jpush = client(&server.url()).build().unwrap();
    let verdict = jpush.ask(number().with_ip("183.238.29.30".parse().unwrap())).await.unwrap();
    assert_eq!(verdict.class(), Class::Passed);
    assert_eq!(verdict.id(), Some("117270465679982592"));
    assert_eq!(verdict.risk(), &Risk::from_score(0, Vec::new()));
    assert!(!verdict.is_sandbox());

    let requests = server.requests();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("POST /v2/web/verify HTTP/1.1"));
    let mut headers: Vec<&str> = lines.collect();
    headers.sort_unstable();
    assert_eq!(
        headers,
        [
            "authorization: Basic N2Q0MzFlNDJkZmE2YTZkNjkzYWMyZDA0OjVlOTg3YWM2ZDJlMDRkOTVhOWQ4ZjBkMQ==".to_owned(),
            format!("content-length: {}", body.len()),
            "content-type: application/json".to_owned(),
            format!("host: 127.0.0.1:{}", server.port()),
            concat!("user-agent: tower-jverify/", env!("CARGO_PKG_VERSION")).to_owned(),
        ]
    );
    assert_eq!(body, format!(r#"{{"token":"{TOKEN}","phone":"{PHONE}","exID":"1234566","ip":"183.238.29.30"}}"#));
}

#[tokio::test]
async fn every_kind_asks_its_own_endpoint_also_below_a_prefix() {
    let server = Server::answering(http(200, "{\"code\":9099}")).await;
    let jpush = client(&format!("{}/egress/", server.url())).build().unwrap();
    let phone = Phone::parse(PHONE).unwrap();
    for (check, path) in [
        (number(), "/egress/v2/web/verify"),
        (number().with_channel(Channel::Web), "/egress/v2/web/h5/verify"),
        (Check::captcha("c"), "/egress/action/check"),
        (Check::captcha("c").with_channel(Channel::Web), "/egress/action/check"),
        (Check::risk(phone), "/egress/v2/web/queryBusinessRisk"),
    ] {
        assert_eq!(jpush.ask(check).await.unwrap().class(), Class::Unavailable);
        let request = server.requests().pop().unwrap();
        assert!(request.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{request}");
    }
    assert_eq!(server.connections(), 1, "one after another, they share a connection");
}

#[tokio::test]
async fn a_captcha_passes_by_its_result_and_has_its_scene() {
    let server = Server::answering(http(200, CAPTCHA_PASS)).await;
    let jpush = client(&server.url()).build().unwrap();
    let verdict = jpush.ask(Check::captcha("content")).await.unwrap();
    assert_eq!((verdict.class(), verdict.scene()), (Class::Passed, Some("注册")));

    for result in ["\"fail\"", "\"SUCCESS \"", "null"] {
        let server = Server::answering(http(200, &format!(r#"{{"code":6000,"result":{result}}}"#))).await;
        let jpush = client(&server.url()).build().unwrap();
        assert_eq!(jpush.ask(Check::captcha("content")).await.unwrap().class(), Class::Rejected, "{result}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_and_never_a_pass() {
    for (status, body) in [
        (200, "<html><body>9000 vendor's words</body></html>"),
        (200, ""),
        (200, r#"{"id":117270465679982592,"code":9000,"content":"vendor's words"#),
        (200, r#"{"code":9001,"code":9000}"#),
        (200, r#"{"code":"9000"}"#),
        (200, r#"{"code":9000.0}"#),
        (200, r#"[{"code":9000}]"#),
        (200, "[9000]"),
        (200, r#"{"code":9000,"exID":"vendor's words"}"#),
        (500, PASS),
        (401, PASS),
        (302, PASS),
        (204, ""),
        (502, "{\"code\":4711}"),
    ] {
        let server = Server::answering(http(status, body)).await;
        let jpush = client(&server.url()).build().unwrap();
        let error = jpush.ask(number()).await.unwrap_err();
        assert!(!error.nothing_sent() && !error.is_connect(), "{status} {body}");
        assert_silent(&error);
        assert_eq!(server.requests().len(), 1, "{status} {body}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::answering(http(200, PASS)).await;
    for status in [301, 302, 303, 307, 308] {
        let response = format!("HTTP/1.1 {status} X\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", elsewhere.url());
        let server = Server::answering(response).await;
        let error = client(&server.url()).build().unwrap().ask(number()).await.unwrap_err();
        assert_silent(&error);
        assert_eq!(server.requests().len(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn an_ex_id_that_is_absent_or_empty_or_equal_as_a_number_is_accepted_and_another_is_not() {
    for (ex_id, ours) in [
        ("", true),
        (r#""exID":"","#, true),
        (r#""exID":"1234566","#, true),
        (r#""exID":1234566,"#, true),
        (r#""exID":"1234567","#, false),
        (r#""exID":1234567,"#, false),
    ] {
        let server = Server::answering(http(200, &format!("{{{ex_id}\"code\":9000}}"))).await;
        let told = client(&server.url()).build().unwrap().ask(number()).await;
        assert_eq!(told.is_ok_and(|verdict| verdict.class().is_pass()), ours, "{ex_id}");
    }
}

#[tokio::test]
async fn a_reply_in_many_small_chunks_is_one_reply() {
    let mut response = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    for byte in PASS.chars() {
        response.extend(["1\r\n", byte.encode_utf8(&mut [0; 4]), "\r\n"]);
    }
    response.push_str("0\r\n\r\n");
    let server = Server::answering(response).await;
    assert!(client(&server.url()).build().unwrap().ask(number()).await.unwrap().class().is_pass());
}

#[tokio::test]
async fn the_sandboxs_mark_comes_through() {
    let response =
        format!("HTTP/1.1 200 OK\r\nx-jverify-sandbox-reply: 1\r\ncontent-length: {}\r\n\r\n{PASS}", PASS.len());
    let server = Server::answering(response).await;
    assert!(client(&server.url()).build().unwrap().ask(number()).await.unwrap().is_sandbox());
}

#[tokio::test]
async fn a_one_tap_check_without_a_key_spends_nothing() {
    let server = Server::answering(http(200, "{\"code\":8000}")).await;
    let verdict = client(&server.url()).build().unwrap().ask(Check::one_tap("token")).await.unwrap();
    assert_eq!(verdict.class(), Class::Misconfigured);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn any_service_can_be_the_transport() {
    let transport = tower::service_fn(|request: Request<Full<bytes::Bytes>>| async move {
        assert_eq!(request.uri(), "https://api.verification.jpush.cn/v2/web/verify");
        Ok::<_, std::convert::Infallible>(http::Response::new(PASS.to_owned()))
    });
    let jpush = JPush::builder(credentials()).transport(transport).build().unwrap();
    assert!(jpush.ask(number()).await.unwrap().class().is_pass());
}
