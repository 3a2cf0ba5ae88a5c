//! The event says why a check has no answer, in the layer's words.

use http::StatusCode;
use serde_json::json;
use tower_jverify::{Rule, number, sandbox::Fault};

use super::Log;
use crate::support::Sandboxed;

#[tokio::test(start_paused = true)]
async fn the_event_names_the_cause_and_whether_anything_was_sent() {
    for (fault, class, cause, nothing_sent) in [
        (Fault::Refuse, "unavailable", "no connection: refused", true),
        (Fault::Reset, "unavailable", "the connection broke off", false),
        (Fault::Hang, "unavailable", "timeout", false),
        (Fault::Html, "unreadable", "not JSON", false),
        (Fault::Garbage("{}".into()), "unreadable", "JSON without one integer code", false),
        (Fault::Garbage(r#"{"code":4711}"#.into()), "unknown", "", false),
        (Fault::Status(StatusCode::NOT_FOUND), "unreadable", "http status 404", false),
        (Fault::Status(StatusCode::BAD_GATEWAY), "unavailable", "http status 502", false),
    ] {
        let desk = Sandboxed::new(Rule::post("/login", number()));
        desk.sandbox.fault(fault.clone());
        let (log, _listening) = Log::listen();
        assert_eq!(desk.login(&json!({"token": "sandbox-9000", "phone": "13800000000"})).await.status(), 503);
        let events = log.take_events();
        let [event] = &events[..] else { panic!("{fault:?}: {events:#?}") };
        assert!(event.contains(&format!("classes={class} ")), "{fault:?}: {event}");
        if cause.is_empty() {
            assert!(!event.contains("causes=") && !event.contains("nothing_sent="), "{fault:?}: {event}");
            continue;
        }
        assert!(event.contains(&format!("causes={cause} nothing_sent={nothing_sent} ")), "{fault:?}: {event}");
    }
}

#[tokio::test]
async fn a_check_with_an_answer_has_no_cause() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    let (log, _listening) = Log::listen();
    desk.login(&json!({"token": "sandbox-9000", "phone": "13800000000"})).await;
    assert!(!log.take_events()[0].contains("cause"));
}
