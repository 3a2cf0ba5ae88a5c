//! A setting of the layer applies to every rule, and a setting of a rule to that rule.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::Request;
use http_body_util::Full;
use tower_jverify::{ClientIp, Coding, HandOn, JVerifyLayer, PhoneGrammar, Rule, number};

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
    for layer in both!(&verifier, .ex_id_from_request_id(true)) {
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
    for layer in both!(&verifier, .ignore_query(true)) {
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
    for layer in both!(&verifier, .canonical_body(true)) {
        let body = r#"{ "token": "t", "phone": "13812345678" }"#;
        assert_eq!(status(&layer, &application, post_json("/login", body)).await, 200);
        assert_eq!(application.last().body.unwrap(), r#"{"token":"t","phone":"13812345678"}"#);
    }
}

#[tokio::test]
async fn pin_phone_and_phone_grammar_and_forward_phone() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    for layer in both!(&verifier, .pin_phone(true).phone_grammar(PhoneGrammar::CountryCode).forward_phone(true)) {
        let body = r#"{"token":"t","phone":"+8613812345678"}"#;
        assert_eq!(status(&layer, &application, post_json("/login", body)).await, 200);
        let seen = application.last();
        assert_eq!(seen.body.unwrap(), r#"{"token":"t","phone":"13812345678"}"#);
        assert_eq!(application.header("x-jverify-phone").as_deref(), Some("13812345678"));
    }
}

/// A flag that the layer sets, and the rule takes back.
macro_rules! undone {
    ($verifier:expr, $flag:ident) => {
        builder($verifier).$flag(true).rule(login().$flag(false))
    };
}

#[tokio::test]
async fn a_rule_undoes_what_the_layer_sets() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let spaced = r#"{ "token": "t", "phone": "13812345678" }"#;

    let layer = undone!(&verifier, ignore_query).build().unwrap();
    assert_eq!(status(&layer, &application, post_json("/login?phone=13900000000", LOGIN)).await, 400);

    let layer = undone!(&verifier, ex_id_from_request_id).build().unwrap();
    let mut request = post_json("/login", LOGIN);
    request.headers_mut().insert("x-request-id", "mine-7".parse().unwrap());
    assert_eq!(status(&layer, &application, request).await, 200);
    assert_ne!(verifier.asked().pop().unwrap().ex_id().unwrap().as_str(), "mine-7");

    let layer = undone!(&verifier, canonical_body).build().unwrap();
    assert_eq!(status(&layer, &application, post_json("/login", spaced)).await, 200);
    assert_eq!(application.last().body.unwrap(), spaced);

    let layer = undone!(&verifier, pin_phone).phone_grammar(PhoneGrammar::CountryCode).build().unwrap();
    let body = r#"{"token":"t","phone":"+8613812345678"}"#;
    assert_eq!(status(&layer, &application, post_json("/login", body)).await, 200);
    assert_eq!(application.last().body.unwrap(), body);

    let layer = undone!(&verifier, forward_phone).build().unwrap();
    assert_eq!(status(&layer, &application, post_json("/login", LOGIN)).await, 200);
    assert_eq!(application.header("x-jverify-phone"), None);

    let found = ClientIp::from_fn(|_| Some([8, 8, 8, 8].into()));
    let layer = undone!(&verifier, send_client_ip).client_ip(found).build().unwrap();
    assert_eq!(status(&layer, &application, post_json("/login", LOGIN)).await, 200);
    assert_eq!(verifier.asked().pop().unwrap().ip(), None);
}
