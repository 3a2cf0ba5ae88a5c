//! What the layer writes when it is built, and when it is gone.

use tower_jverify::{ClientIp, Credentials, JPush, JVerifyLayer, Rule, Sandbox, captcha, number};

use super::Log;
use crate::support::{Application, LOGIN, Verifier, builder, post_json, send};

#[tokio::test]
async fn the_first_line_says_what_of_a_request_this_build_reads() {
    let (log, _listening) = Log::listen();
    let layer = builder(&Verifier::passing()).rule(Rule::post("/login", number())).client_ip(ClientIp::peer());
    let layer = layer.account("one").build().unwrap();
    let events = log.take_events();
    let [event] = &events[..] else { panic!("{events:#?}") };
    // These tests run with the features `axum` and `tonic`; tests/features.rs has the line without them.
    for part in ["INFO", "original path: axum's `OriginalUri`", "`ConnectInfo`", "`TcpConnectInfo`", "{\"one\"}"] {
        assert!(event.contains(part), "{event}");
    }
    assert_eq!(format!("{layer:?}"), "JVerifyLayer { accounts: {\"one\"}, .. }");
}

#[test]
fn a_client_says_at_its_start_whom_it_asks_and_how() {
    let (log, _listening) = Log::listen();
    let builder = || JPush::builder(Credentials::new("canary-key", "canary-secret").unwrap());
    let proxied = builder().proxy("http://canary-user:canary-password@proxy.example:3128").build().unwrap();
    let plain = builder().base_url("http://127.0.0.1:3001/canary-path").build().unwrap();
    let sandbox = Sandbox::new().client().build().unwrap();
    let events = log.take_events();
    let [https, http, in_process] = &events[..] else { panic!("{events:#?}") };
    for (event, parts) in [
        (
            https,
            [
                "host=\"api.verification.jpush.cn\"",
                "tls=true",
                "proxy=\"proxy.example:3128\"",
                "transport=\"https\"",
                "sandbox=false",
            ],
        ),
        (http, ["host=\"127.0.0.1\"", "tls=false", "proxy=\"none\"", "transport=\"https\"", "sandbox=false"]),
        (
            in_process,
            [
                "host=\"api.verification.jpush.cn\"",
                "tls=true",
                "proxy=\"none\"",
                "transport=\"sandbox\"",
                "sandbox=true",
            ],
        ),
    ] {
        assert!(event.starts_with("INFO") && !event.contains("canary"), "{event}");
        for part in parts {
            assert!(event.contains(part), "{part} is not in {event}");
        }
    }
    drop((proxied, plain, sandbox));
}

#[tokio::test]
async fn rules_that_nothing_matched_are_events_once_the_last_of_the_layer_is_gone() {
    let rules = [Rule::post("/login", number()), Rule::post("/api/login", captcha()), Rule::post("/gone", number())];
    let layer =
        rules.into_iter().fold(builder(&Verifier::passing()), tower_jverify::JVerifyBuilder::rule).build().unwrap();
    let service = tower::Layer::layer(&layer, Application::default());
    assert_eq!(send(&layer, &Application::default(), post_json("/login", LOGIN)).await.status(), 200);
    let (log, _listening) = Log::listen();
    drop(layer);
    assert_eq!(log.take_events(), Vec::<String>::new(), "a service is left");
    drop(service);
    let events = log.take_events();
    let [one, other] = &events[..] else { panic!("{events:#?}") };
    for (event, rule) in [(one, "POST /api/login"), (other, "POST /gone")] {
        assert!(event.starts_with("WARN") && event.contains("no request has matched this rule"), "{event}");
        assert!(event.contains(&format!("rule=\"{rule}\"")), "{event}");
    }
}

#[tokio::test]
async fn all_rules_spend_from_one_account_unless_said_and_the_event_names_it() {
    for (account, shown) in [(None, "default"), (Some("1f2e3d4c"), "1f2e3d4c")] {
        let rules = [Rule::post("/login", number()).in_flight(3), Rule::post("/register", number()).in_flight(5)];
        let with_rules = rules.into_iter().fold(builder(&Verifier::passing()), tower_jverify::JVerifyBuilder::rule);
        let layer = match account {
            None => with_rules,
            Some(account) => with_rules.account(account),
        };
        let layer: JVerifyLayer<_> = layer.build().unwrap();
        assert_eq!(format!("{layer:?}"), format!("JVerifyLayer {{ accounts: {{\"{shown}\"}}, .. }}"));
        let (log, _listening) = Log::listen();
        for path in ["/login", "/register"] {
            assert_eq!(send(&layer, &Application::default(), post_json(path, LOGIN)).await.status(), 200);
            assert!(log.take_events()[0].contains(&format!("account=\"{shown}\"")), "{path}");
        }
    }
}
