//! Each event of a one-tap check without a usable key says so, and not only the alarm.

use rcgen::{KeyPair, PKCS_RSA_SHA256};
use serde_json::json;
use tower_jverify::{Credentials, JPush, JVerifyLayer, Rule, Sandbox, Secret, one_tap};

use super::Log;
use crate::support::{Application, post_json, send};

#[tokio::test]
async fn the_event_says_whether_a_key_is_missing_or_another_apps() {
    let another = Secret::from(KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap().serialize_pem());
    let own = Sandbox::one_tap_key_pem();
    for (key, token, cause, nothing_sent, advice) in [
        (None, "sandbox-8000-13800000000", "no one-tap key", true, "`JPushBuilder::one_tap_key`"),
        (
            Some(&another),
            "sandbox-8000-13800000000",
            "the one-tap key does not decrypt the phone",
            false,
            "the key of another app",
        ),
        (Some(&own), "sandbox-8000", "the answer has no phone", false, "without a phone"),
    ] {
        let builder = JPush::builder(Credentials::new("k", "s").unwrap()).transport(Sandbox::new());
        let jpush = if let Some(key) = key { builder.one_tap_key(key) } else { builder }.build().unwrap();
        let layer = JVerifyLayer::builder(jpush).rule(Rule::post("/login", one_tap())).build().unwrap();
        let (log, _listening) = Log::listen();
        for is_first in [true, false] {
            let body = json!({"loginToken": token}).to_string();
            assert_eq!(send(&layer, &Application::default(), post_json("/login", body)).await.status(), 503);
            let events = log.take_events();
            let [event] = &events[..] else { panic!("{cause}: {events:#?}") };
            assert!(event.contains(&format!("causes={cause} nothing_sent={nothing_sent} ")), "{event}");
            assert!(event.starts_with("ERROR") == is_first && event.contains(advice) == is_first, "{event}");
        }
    }
}
