//! A setting holds for every rule when the layer has it, and for one when that rule has it.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::Request;
use http_body_util::Full;
use tower_jverify::{Coding, HandOn, JVerifyLayer, PhoneGrammar, Rule, number};

use crate::support::{Application, LOGIN, Verifier, builder, post_json, send};

fn login() -> Rule {
    Rule::post("/login", number())
}

/// The same settings on the layer, and on the rule.
macro_rules! both {
    ($verifier:expr, $(.$setting:ident($($value:expr),*))+) => {{
        let on_the_layer = builder($verifier)$(.$setting($($value),*))+.rule(login());
        let on_the_rule = builder($verifier).rule(login()$(.$setting($($value),*))+);
        [on_the_layer.build().unwrap(), on_the_rule.build().unwrap()]
    }};
}

async fn status(layer: &JVerifyLayer<Verifier>, application: &Application, request: Request<Full<Bytes>>) -> u16 {
    send(layer, application, request).await.status().as_u16()
}

#[tokio::test]
async fn ex_id_from_request_id() {
    let verifier = Verifier::passing();
    for layer in both!(&verifier, .ex_id_from_request_id()) {
        let mut request = post_json("/login", LOGIN);
        request.headers_mut().insert("x-request-id", "mine-7".parse().unwrap());
        assert_eq!(status(&layer, &Application::default(), request).await, 200);
        assert_eq!(verifier.asked().pop().unwrap().ex_id().unwrap().as_str(), "mine-7");
    }
}

#[tokio::test]
async fn ignore_query() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let layer = builder(&verifier).rule(login()).build().unwrap();
    let request = || post_json("/login?phone=13900000000", LOGIN);
    assert_eq!(status(&layer, &application, request()).await, 400);
    for layer in both!(&verifier, .ignore_query()) {
        assert_eq!(status(&layer, &application, request()).await, 200);
    }
}

#[tokio::test]
async fn decode() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(LOGIN.as_bytes()).unwrap();
    let body = Bytes::from(encoder.finish().unwrap());
    let request = || {
        let mut request = post_json("/login", body.clone());
        request.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        request
    };
    let layer = builder(&verifier).rule(login()).build().unwrap();
    assert_eq!(status(&layer, &application, request()).await, 415);
    for layer in both!(&verifier, .decode([Coding::Gzip], HandOn::EncodedUnprotected)) {
        assert_eq!(status(&layer, &application, request()).await, 200);
    }
}

#[tokio::test]
async fn canonical_body() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    for layer in both!(&verifier, .canonical_body()) {
        let body = r#"{ "token": "t", "phone": "13812345678" }"#;
        assert_eq!(status(&layer, &application, post_json("/login", body)).await, 200);
        assert_eq!(application.last().body.unwrap(), r#"{"token":"t","phone":"13812345678"}"#);
    }
}

#[tokio::test]
async fn pin_phone_and_phone_grammar_and_forward_phone() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    for layer in both!(&verifier, .pin_phone().phone_grammar(PhoneGrammar::CountryCode).forward_phone()) {
        let body = r#"{"token":"t","phone":"+8613812345678"}"#;
        assert_eq!(status(&layer, &application, post_json("/login", body)).await, 200);
        let seen = application.last();
        assert_eq!(seen.body.unwrap(), r#"{"token":"t","phone":"13812345678"}"#);
        assert_eq!(application.header("x-jverify-phone").as_deref(), Some("13812345678"));
    }
}
