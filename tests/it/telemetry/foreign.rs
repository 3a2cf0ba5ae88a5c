//! What the log says in front of a foreign backend.

use http::{HeaderName, Request};
use http_body_util::{Empty, Full};
use tower_jverify::{ForeignBackend, JVerifyLayer, Rule, captcha, number, one_tap};

use super::Log;
use crate::support::{Application, Verifier, builder, post_json, send};

fn layer() -> JVerifyLayer<Verifier> {
    builder(&Verifier::passing())
        .rule(Rule::post("/login", number()))
        .foreign_backend(ForeignBackend::any())
        .build()
        .unwrap()
}

async fn with_header(layer: &JVerifyLayer<Verifier>, name: &str) {
    let mut request = Request::get("/health").body(Empty::<bytes::Bytes>::new()).unwrap();
    request.headers_mut().insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), "/canary".parse().unwrap());
    send(layer, &Application::default(), request).await;
}

#[tokio::test]
async fn the_first_removal_of_each_header_is_a_warning_that_names_it() {
    let layer = layer();
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

#[tokio::test]
async fn the_event_of_a_refusal_names_the_class_that_refuses() {
    let layer = layer();
    let (log, _listening) = Log::listen();
    let json = |more: &str| format!(r#"{{"token":"t","phone":"13812345678",{more}}}"#);
    for (method, uri, body, class) in [
        ("POST", "/login", json(r#""x":"&phone=canary""#), "hidden_form"),
        ("POST", "/login", json(r#""session":{"phone":"canary"}"#), "other_phone"),
        ("POST", "/?s=/login", json(r#""x":1"#), "route_parameter"),
        ("PUT", "/login", json(r#""x":1"#), "other_method"),
        ("POST", "/login.json", json(r#""x":1"#), "path_spelling"),
        ("CONNECT", "db.example:1", String::new(), "h2c"),
    ] {
        let request = Request::builder().method(method).uri(uri).header("content-type", "application/json");
        send(&layer, &Application::default(), request.body(Full::<bytes::Bytes>::from(body)).unwrap()).await;
        let events = log.take_events();
        let [event] = &events[..] else { panic!("{class}: {events:?}") };
        assert!(event.contains("decision=\"deny\"") && event.contains(&format!("suspicion=\"{class}\"")), "{event}");
        assert!(!event.contains("canary"), "{event}");
    }
    // Refused in front of every backend.
    let twice = post_json("/login", json(r#""phone":"13812345678""#));
    send(&layer, &Application::default(), twice).await;
    let events = log.take_events().concat();
    assert!(events.contains("decision=\"deny\"") && !events.contains("suspicion"), "{events}");
}

#[test]
fn a_rule_for_which_a_captcha_is_enough_is_named_when_the_layer_is_built() {
    let (log, _listening) = Log::listen();
    let build = |backend| {
        builder(&Verifier::passing())
            .rule(Rule::post("/register", captcha()))
            .rule(Rule::post("/signin", captcha().or(number())))
            .rule(Rule::post("/login", captcha().then(number())))
            .rule(Rule::post("/enter", captcha().or(one_tap()).then(number())))
            .rule(Rule::any_method("/join", captcha()))
            .foreign_backend(backend)
            .build()
            .unwrap();
        let is_of_foreign = |event: &String| event.starts_with("WARN") && !event.contains("only proofs are counted");
        log.take_events().into_iter().filter(is_of_foreign).collect::<Vec<_>>()
    };
    let events = build(ForeignBackend::any());
    let [alone, chosen] = &events[..] else { panic!("{events:?}") };
    for (event, rule) in [(alone, "rule=POST /register"), (chosen, "rule=POST /signin")] {
        assert!(event.contains(rule) && event.contains("Rule::any_method"), "{event}");
    }
    let events = build(ForeignBackend::any().without_other_methods());
    assert!(events.len() == 1 && events[0].contains("off=\"other_method\""), "{events:?}");
}
