//! What the log says in front of a foreign backend.

use http::{HeaderName, Request};
use http_body_util::Empty;
use tower_jverify::{ForeignBackend, Rule, captcha, number};

use super::Log;
use crate::support::{Application, Verifier, builder, send};

async fn with_header(layer: &tower_jverify::JVerifyLayer<Verifier>, name: &str) {
    let mut request = Request::get("/health").body(Empty::<bytes::Bytes>::new()).unwrap();
    request.headers_mut().insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), "/canary".parse().unwrap());
    send(layer, &Application::default(), request).await;
}

#[tokio::test]
async fn the_first_removal_of_each_header_is_a_warning_that_names_it() {
    let layer = builder(&Verifier::passing())
        .rule(Rule::post("/login", number()))
        .foreign_backend(ForeignBackend::any())
        .build()
        .unwrap();
    let (log, _listening) = Log::listen();
    for (name, ours) in [("x_original.url", "X-Original-URL"), ("script-name", "SCRIPT_NAME")] {
        with_header(&layer, name).await;
        let events = log.take_events();
        assert_eq!(events.len(), 1, "{events:?}");
        assert!(events[0].starts_with("WARN") && events[0].contains(&format!("header=\"{ours}\"")), "{events:?}");
        with_header(&layer, name).await;
        assert_eq!(log.take_events(), Vec::<String>::new());
    }
    with_header(&layer, "x-other").await;
    assert!(!log.text().contains("canary"));
}

#[test]
fn a_rule_with_a_captcha_alone_is_named_when_the_layer_is_built() {
    let (log, _listening) = Log::listen();
    let build = |backend| {
        builder(&Verifier::passing())
            .rule(Rule::post("/register", captcha()))
            .rule(Rule::post("/login", captcha().or(number())))
            .rule(Rule::any_method("/signin", captcha()))
            .foreign_backend(backend)
            .build()
            .unwrap();
        let is_of_foreign = |event: &String| event.starts_with("WARN") && !event.contains("only proofs are counted");
        log.take_events().into_iter().filter(is_of_foreign).collect::<Vec<_>>()
    };
    let events = build(ForeignBackend::any());
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].contains("rule=POST /register") && events[0].contains("Rule::any_method"), "{events:?}");
    let events = build(ForeignBackend::any().without_other_methods());
    assert!(events.len() == 1 && events[0].contains("off=\"other_method\""), "{events:?}");
}
