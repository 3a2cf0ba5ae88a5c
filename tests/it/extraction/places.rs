//! A part of a proof in one of several places, and a phone in two parts.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower_jverify::{Field, JVerifyLayer, Question, Rule, captcha, number};

use super::post_form;
use crate::support::{Guarded, Verifier, post_json};

/// A token in a header, the query or the body.
fn anywhere() -> Guarded {
    let token = Field::header("x-token").or(Field::query("token")).or(Field::body("/token"));
    Guarded::by([Rule::post("/login", number().token(token))])
}

fn request(query: &str, headers: &[(&'static str, &'static str)], body: &str) -> Request<Full<Bytes>> {
    let mut request = post_json(&format!("/login{query}"), body.to_owned());
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn a_token_is_found_in_each_of_its_places() {
    let guarded = anywhere();
    for (query, headers, body) in [
        ("", &[("x-token", "t")][..], r#"{"phone":"13812345678"}"#),
        ("?token=t", &[], r#"{"phone":"13812345678"}"#),
        ("", &[], r#"{"phone":"13812345678","token":"t"}"#),
        ("?token=%74", &[("x-token", "t")], r#"{"phone":"13812345678","token":"\u0074"}"#),
    ] {
        guarded.verifies(request(query, headers, body), &format!("{query} {headers:?} {body}")).await;
        match guarded.verifier.asked().last().unwrap().question() {
            Question::Number { token, .. } => assert_eq!(token.expose(), "t"),
            other => panic!("{other:?}"),
        }
    }
    guarded.refuses(request("", &[], r#"{"phone":"13812345678"}"#), "proof_missing", "nowhere").await;
}

#[tokio::test]
async fn two_places_that_disagree_are_refused() {
    let guarded = anywhere();
    for (query, headers, body) in [
        ("", &[("x-token", "t")][..], r#"{"phone":"13812345678","token":"u"}"#),
        ("?token=t", &[], r#"{"phone":"13812345678","token":"u"}"#),
        ("?token=u", &[("x-token", "t")], r#"{"phone":"13812345678"}"#),
        ("?token=t", &[("x-token", "t")], r#"{"phone":"13812345678","token":"u"}"#),
        // Each place stays guarded as if it were the only one.
        ("?token=t&token=t", &[], r#"{"phone":"13812345678"}"#),
        ("?Token=t", &[], r#"{"phone":"13812345678","token":"t"}"#),
        ("", &[("x-token", "t"), ("x-token", "t")], r#"{"phone":"13812345678"}"#),
        ("", &[("x-token", "t"), ("x_token", "t")], r#"{"phone":"13812345678"}"#),
        ("", &[("x-token", "t")], r#"{"phone":"13812345678","Token":"t"}"#),
        ("", &[("x-token", "t")], r#"{"phone":"13812345678","token":"t","token":"t"}"#),
    ] {
        let what = format!("{query} {headers:?} {body}");
        guarded.refuses(request(query, headers, body), "proof_malformed", &what).await;
    }
}

#[tokio::test]
async fn a_phone_as_text_and_as_a_number_is_one_value() {
    let phone = Field::header("x-phone").or(Field::body("/phone"));
    let guarded = Guarded::by([Rule::post("/login", number().phone(phone))]);
    let with = |phone, body| request("", &[("x-phone", phone)], body);
    guarded.verifies(with("13812345678", r#"{"token":"t","phone":13812345678}"#), "the same").await;
    guarded.refuses(with("13812345678", r#"{"token":"t","phone":13912345678}"#), "proof_malformed", "another").await;
}

#[test]
fn places_that_would_not_all_be_read_are_errors() {
    let body = || Field::body("/token");
    for (token, phone) in [
        (body().or(body()), Field::body("/phone")),
        (Field::header("x-token").or(Field::header("X_Token")), Field::body("/phone")),
        (Field::query("t").or(Field::query("t")), Field::body("/phone")),
        (Field::header("x-token").or(body()), body()),
        (Field::query("t").or(body()), Field::query("t")),
        (body().or(Field::header("host")), Field::body("/phone")),
    ] {
        let what = format!("{token}, {phone}");
        let rule = Rule::post("/login", number().token(token).phone(phone));
        let error = JVerifyLayer::builder(Verifier::passing()).rule(rule).build().expect_err(&what);
        assert_eq!(error.setting(), "field", "{what}: {error}");
    }
}

#[tokio::test]
async fn a_phone_of_another_country_is_refused() {
    let guarded = Guarded::by([Rule::post("/login", number().country_code(Field::body("/cc")))]);
    let body = |code: &str| format!(r#"{{"token":"t","phone":"13812345678"{code}}}"#);
    for code in ["", r#","cc":"86""#, r#","cc":"+86""#, r#","cc":86"#] {
        guarded.verifies(post_json("/login", body(code)), code).await;
    }
    for code in [
        r#","cc":"1""#,
        r#","cc":"0086""#,
        r#","cc":"+ 86""#,
        r#","cc":" 86""#,
        r#","cc":"086""#,
        r#","cc":"852""#,
        r#","cc":852"#,
        r#","cc":0"#,
        r#","cc":-86"#,
        r#","cc":86.0"#,
        r#","cc":["86"]"#,
        r#","cc":"86","cc":"86""#,
        r#","cc":"86","CC":"1""#,
        r#","cc":"８６""#,
    ] {
        guarded.refuses(post_json("/login", body(code)), "proof_malformed", code).await;
    }
    guarded.verifies(post_form("token=t&phone=13812345678&cc=%2B86"), "a form").await;
    guarded.refuses(post_form("token=t&phone=13812345678&cc=+86"), "proof_malformed", "a space").await;
}

#[tokio::test]
async fn a_country_code_counts_wherever_a_phone_does() {
    let either = captcha().or(number().country_code(Field::body("/cc")));
    let guarded = Guarded::by([Rule::post("/login", either)]);
    let body = r#"{"captchaContent":"c","phone":"13812345678","cc":"1"}"#;
    guarded.refuses(post_json("/login", body), "proof_malformed", "beside a captcha").await;

    let shared = Rule::post("/login", number().country_code(Field::body("/phone")));
    let error = JVerifyLayer::builder(Verifier::passing()).rule(shared).build().err().unwrap();
    assert_eq!(error.setting(), "rule.ask");
}
