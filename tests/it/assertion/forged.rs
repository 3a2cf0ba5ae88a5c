//! What a client writes in the assertion's name never reaches the application, and the assertion is in no log.

use std::fmt::Write;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::StreamBody;
use tower_jverify::Mode;

use super::{HEADER, asserting, login, passed, text, verified};
use crate::{
    support::{Guarded, LOGIN, post_json},
    telemetry::Log,
};

const FORGED: [&str; 8] = [
    "x-jverify-assertion",
    "X-JVerify-Assertion",
    "X_Jverify_Assertion",
    "x-jverify_assertion",
    "x.jverify.assertion",
    "x-jverify~assertion",
    "X_JVERIFY-ASSERTION",
    "x-jverify-assertion_",
];

/// The names that some server reads as the assertion's.
fn assertions_in(headers: &HeaderMap) -> Vec<&HeaderName> {
    let bent = |name: &HeaderName| name.as_str().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    headers.keys().filter(|name| bent(name).starts_with("x-jverify-assertion")).collect()
}

#[tokio::test]
async fn a_forged_one_is_removed_in_every_spelling() {
    for (path, is_matched) in [("/login", true), ("/health", false)] {
        let with = asserting(|builder| builder.rule(login()));
        let without = Guarded::by([login()]);
        for (guarded, signs) in [(with, is_matched), (without, false)] {
            // Each alone, and all at once.
            for names in FORGED.chunks(1).chain([&FORGED[..]]) {
                let mut request = post_json(path, LOGIN);
                for name in names {
                    let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                    request.headers_mut().append(name, HeaderValue::from_static("forged"));
                }
                let seen = passed(&guarded, request).await;
                assert!(seen.parts.headers.values().all(|value| value != "forged"), "{path} {names:?}");
                let expected: &[&str] = if signs { &[HEADER] } else { &[] };
                assert_eq!(assertions_in(&seen.parts.headers), expected, "{path} {names:?}");
                assert_eq!(verified(&seen).is_ok(), signs, "{path} {names:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_valid_one_of_another_request_is_replaced() {
    let guarded = asserting(|builder| builder.rule(login()));
    let stolen = text(&passed(&guarded, post_json("/login", LOGIN)).await);
    let mut request = post_json("/login", LOGIN);
    request.headers_mut().insert(HEADER, HeaderValue::from_str(&stolen).unwrap());
    let seen = passed(&guarded, request).await;
    assert_ne!(text(&seen), stolen);
    let mut request = post_json("/health", LOGIN);
    request.headers_mut().insert(HEADER, HeaderValue::from_str(&stolen).unwrap());
    assert!(!passed(&guarded, request).await.parts.headers.contains_key(HEADER));
}

#[tokio::test]
async fn a_forged_one_is_removed_from_trailers_and_over_a_socket() {
    let guarded = asserting(|builder| builder.rule(login()));
    let trailers: HeaderMap = FORGED
        .into_iter()
        .map(|name| (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static("forged")))
        .collect();
    let frames = [Frame::data(Bytes::from_static(LOGIN.as_bytes())), Frame::trailers(trailers)];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, std::convert::Infallible>)));
    let response = guarded.send(post_json("/login", "").map(|_| body)).await;
    assert_eq!(response.status(), 200);
    let seen = guarded.application.last();
    assert!(seen.trailers.as_ref().is_none_or(HeaderMap::is_empty), "{:?}", seen.trailers);
    assert!(verified(&seen).is_ok());

    guarded.removes_over_a_socket(&FORGED).await;
}

#[tokio::test]
async fn no_event_no_record_and_no_debug_output_has_any_of_it() {
    let (log, _listening) = Log::listen();
    let records = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let written = std::sync::Arc::clone(&records);
    let guarded = asserting(|builder| {
        let record = move |decided: &tower_jverify::Decided<'_>| {
            let json = serde_json::to_string(decided).unwrap_or_default();
            writeln!(written.lock().unwrap(), "{decided:?} {json}").unwrap();
        };
        builder.rule(login()).forward_phone(true).on_decision(record)
    });
    let mut shown = format!("{:?} {:?}", super::assertions(), guarded.layer);
    let mut texts = vec![text(&passed(&guarded, post_json("/login", LOGIN)).await)];
    let watched = asserting(|builder| builder.rule(login().mode(Mode::Shadow)));
    texts.push(text(&passed(&watched, post_json("/login", "{}")).await));
    let seen = guarded.application.last();
    let decision = seen.parts.extensions.get::<tower_jverify::Decision>();
    write!(shown, "{:?} {decision:?} {:?}", seen.parts, verified(&seen)).unwrap();
    shown.push_str(&log.text());
    shown.push_str(&records.lock().unwrap());
    assert!(shown.contains("POST /login"), "{shown}");
    let private = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, super::pkcs8(1));
    for part in texts.iter().flat_map(|text| text.split('.')).chain([&*private, "[1, 1, 1, 1", "13812345678"]) {
        assert!(!shown.contains(part), "{part}: {shown}");
    }
}
