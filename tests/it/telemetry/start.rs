//! The events when a layer is built, and when it is dropped.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tower_jverify::{
    Action, Class, ClientIp, Coding, Cors, Credentials, Extracted, Fallback, Field, ForeignBackend, Guards,
    GuardsBuilder, HandOn, JPush, JVerifyLayer, Level, Passes, Policy, Rule, Sandbox, captcha, number, one_tap,
};

use super::Log;
use crate::support::{Application, LOGIN, Verifier, builder, post_json, send};

#[tokio::test]
async fn the_first_line_says_what_of_a_request_this_build_reads() {
    let (log, _listening) = Log::listen();
    let layer = builder(&Verifier::passing()).rule(Rule::post("/login", number())).client_ip(ClientIp::peer());
    let layer = layer.account("one").build().unwrap();
    let events = log.take_events();
    let [event, rule, guards] = &events[..] else { panic!("{events:#?}") };
    assert!(rule.starts_with("DEBUG"), "{rule}");
    assert!(guards.contains("these guards are switched off"), "those of the tests are: {guards}");
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

#[test]
fn the_settings_that_weaken_a_client_are_in_its_first_line_where_they_are_set() {
    let (log, _listening) = Log::listen();
    let builder = || JPush::builder(Credentials::new("key", "secret").unwrap());
    let wider = builder().proof_bytes(*b"#|").proof_bytes(0x80..=0xff);
    let plain = builder().base_url("http://10.0.0.1:3001").danger_plain_http_to_private_hosts();
    let usual = [builder(), builder().proof_bytes(*b"a+")];
    let both = [wider.build().unwrap(), plain.build().unwrap()];
    let events = log.take_events();
    let [bytes, switch] = &events[..] else { panic!("{events:#?}") };
    let bytes_of = "proof_bytes=\"0x23,0x7c,0x80-0xff\"";
    let switch_of = "danger_plain_http_to_private_hosts=true";
    assert!(bytes.starts_with("INFO") && bytes.contains(bytes_of) && !bytes.contains("danger_"), "{bytes}");
    assert!(switch.starts_with("INFO") && switch.contains(switch_of) && !switch.contains("proof_bytes"), "{switch}");
    for builder in usual {
        drop(builder.build().unwrap());
        let event = log.take_events().concat();
        assert!(event.contains("the JPush client") && !event.contains("proof_bytes") && !event.contains("danger_"));
    }
    drop(both);
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
async fn all_rules_spend_from_one_account_by_default_and_the_event_names_it() {
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

#[test]
fn each_rule_is_a_line_at_debug_with_what_it_asks() {
    let (log, _listening) = Log::listen();
    let rules = [
        Rule::post("/login", number().web().with_risk()).name("login"),
        Rule::any_method("/v1/{tenant}/in", captcha().scene("canary").then(number().or(one_tap()))),
        Rule::post("/enter", captcha()).when(Field::body("/type"), "sms"),
        Rule::any_request(captcha()),
    ];
    let layer = builder(&Verifier::passing()).rules(rules).build().unwrap();
    let lines: Vec<String> = log.take_events().into_iter().filter(|event| event.starts_with("DEBUG")).collect();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    for (line, parts) in lines.iter().zip([
        ["rule=\"login\"", "method=\"POST\" path=\"/login\"", "asks=\"number (web) with risk\""],
        ["rule=\"* /v1/{tenant}/in\"", "method=\"*\"", "asks=\"captcha, then number or one_tap\""],
        ["rule=\"POST /enter when", "when=\"body /type is \\\"sms\\\"\"", "asks=\"captcha\""],
        ["rule=\"* *\"", "path=\"*\"", "asks=\"captcha\""],
    ]) {
        assert!(parts.iter().all(|part| line.contains(part)), "{line}\nwants {parts:?}");
        assert!(!line.contains("canary"), "{line}");
    }
    drop(layer);
}

fn weakened(log: &Log) -> Vec<String> {
    let events = log.take_events().into_iter();
    let weakening = events.filter(|event| event.contains("this setting weakens"));
    weakening.inspect(|event| assert!(event.starts_with("INFO"), "{event}")).collect()
}

#[test]
fn guards_that_are_switched_off_are_a_line_at_info() {
    let (log, _listening) = Log::listen();
    let off = |guards: GuardsBuilder| {
        let rule = Rule::post("/login", number());
        drop(JVerifyLayer::builder(Verifier::passing()).rule(rule).guards(&guards.build().unwrap()).build().unwrap());
        let events = log.take_events().into_iter();
        events.filter(|event| event.contains("these guards are switched off")).collect::<Vec<_>>()
    };
    assert_eq!(off(Guards::builder()), Vec::<String>::new());
    for (set, name) in [
        (GuardsBuilder::without_breaker as fn(GuardsBuilder) -> GuardsBuilder, "without_breaker"),
        (GuardsBuilder::without_replay_guard, "without_replay_guard"),
        (GuardsBuilder::without_client_limits, "without_client_limits"),
    ] {
        let lines = off(set(Guards::builder()));
        let [line] = &lines[..] else { panic!("{name}: {lines:#?}") };
        assert!(line.starts_with("INFO") && line.contains(&format!("off=\"{name}\"")), "{line}");
    }
}

#[test]
fn each_setting_that_weakens_a_rule_is_a_line_at_info_with_the_rules_names() {
    type Set = fn(Rule) -> Rule;
    let (log, _listening) = Log::listen();
    let lenient = || Policy::default().band(900, Level::High, Action::StepUp);
    let cases: [(&str, Set); 18] = [
        ("otherwise_pass", |rule| rule.when(Field::body("/type"), "sms").otherwise_pass()),
        ("preflight_passes", Rule::preflight_passes),
        ("other_methods", |rule| rule.other_methods([Method::DELETE])),
        ("guard_unless", |rule| rule.guard_unless(|_| false)),
        ("on_demand", Rule::on_demand),
        ("other_phones", |rule| rule.other_phones(["/a/phone"])),
        ("decode with HandOn::EncodedUnprotected", |rule| rule.decode([Coding::Gzip], HandOn::EncodedUnprotected)),
        ("extract", |rule| rule.extract(["text/x-login"], |_, _| Ok(Extracted::new()))),
        ("send_client_ip", |rule| rule.client_ip(ClientIp::peer()).send_client_ip(true)),
        ("forward_phone", |rule| rule.forward_phone(true)),
        ("ignore_query", |rule| rule.ignore_query(true)),
        ("client_streaming", |rule| rule.client_streaming(true)),
        ("grpc_answers", |rule| rule.grpc_answers(true)),
        ("cors with every origin", |rule| rule.cors(Cors::origins(["*"]))),
        ("policy.on", |rule| rule.policy(Policy::default().on(Class::Throttled, Fallback::Captcha))),
        ("policy.unknown_risk", |rule| rule.policy(Policy::default().unknown_risk(Action::Allow))),
        ("policy.disclose_risk", |rule| rule.policy(Policy::default().disclose_risk())),
        ("policy.band", |rule| rule.policy(Policy::default().band(300, Level::Medium, Action::Allow))),
    ];
    for (setting, set) in cases {
        let build = |rule: Rule| {
            let builder = builder(&Verifier::passing()).rule(rule).rule(Rule::post("/other", captcha()));
            builder.build().unwrap_or_else(|error| panic!("{setting}: {error}"))
        };
        let rule = || match setting {
            "preflight_passes" => Rule::any_method("/login", number()),
            _ => Rule::post("/login", number()),
        };
        drop(build(rule()));
        assert_eq!(weakened(&log), Vec::<String>::new());
        drop(build(set(rule())));
        let lines = weakened(&log);
        let [line] = &lines[..] else { panic!("{setting}: {lines:#?}") };
        assert!(line.contains(&format!("setting=\"{setting}\"")) && line.contains("rules=\""), "{line}");
        assert!(line.contains("/login") && !line.contains("/other\""), "{line}");
    }
    // Passes need guards that claim them.
    let passes = Passes::hs256("a", "0123456789abcdef0123456789abcdef").audience("accounts");
    let rule = Rule::post("/login", number()).passes(passes).retry_pass([401]);
    drop(JVerifyLayer::builder(Verifier::passing()).rule(rule).build().unwrap());
    let lines = weakened(&log);
    let names = ["passes", "retry_pass"].map(|setting| format!("setting=\"{setting}\""));
    assert!(lines.len() == 2 && lines.iter().zip(&names).all(|(line, name)| line.contains(name)), "{lines:#?}");
    // For each rule that opens for an outage there is a separate line.
    let open = || Rule::post("/login", number()).policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    let rules = [open(), Rule::post("/other", captcha()), open().name("second").when(Field::body("/op"), "2")];
    drop(builder(&Verifier::passing()).rules(rules).build().unwrap());
    let events = log.take_events();
    let lines: Vec<_> = events.iter().filter(|event| event.contains("setting=\"policy.on\"")).collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    for (line, rule) in lines.iter().zip(["rule=\"POST /login\"", "rule=\"second\""]) {
        assert!(line.starts_with("WARN") && line.contains(rule) && line.contains("class=\"unavailable\""), "{line}");
    }
    // Of the layer: for each rule.
    drop(
        builder(&Verifier::passing()).rule(Rule::post("/login", number())).policy(lenient()).ignore_query(true).build(),
    );
    let lines = weakened(&log);
    assert!(lines.len() == 2 && lines.iter().all(|line| line.contains("rules=\"POST /login\"")), "{lines:#?}");
}

#[test]
fn what_a_foreign_backends_setting_leaves_in_place_is_a_line() {
    let (log, _listening) = Log::listen();
    let guards = Guards::new();
    let rule = || Rule::post("/login", number()).client_ip(ClientIp::peer());
    let login = || JVerifyLayer::builder(Verifier::passing()).guards(&guards).rule(rule());
    let cases: [(ForeignBackend, &[&str]); 4] = [
        (ForeignBackend::any(), &[]),
        (ForeignBackend::any().without_cookies().without_h2c(), &["off=\"cookie,h2c\""]),
        (
            ForeignBackend::any().keep_header("X-Forwarded-Prefix"),
            &["setting=\"foreign_backend.keep_header\"", "X-Forwarded-Prefix"],
        ),
        (
            ForeignBackend::any().route_parameters(["page"]),
            &["setting=\"foreign_backend.route_parameters\"", "names=\"page\""],
        ),
    ];
    for (backend, parts) in cases {
        drop(login().foreign_backend(backend).build().unwrap());
        let events = log.take_events();
        let lines: Vec<_> = events.iter().skip(1).filter(|event| !event.starts_with("DEBUG")).collect();
        assert_eq!(lines.len(), usize::from(!parts.is_empty()), "{lines:#?}");
        assert!(parts.iter().all(|part| lines[0].contains(part)), "{lines:#?}");
    }
}

#[tokio::test]
async fn a_reload_is_a_line_and_has_the_rules_again() {
    let layer = builder(&Verifier::passing()).rules([Rule::post("/login", number()), Rule::post("/gone", number())]);
    let layer = layer.build().unwrap();
    let new = builder(&Verifier::passing()).rules([Rule::post("/login", number()), Rule::post("/new", captcha())]);
    let new = new.account("two").ignore_query(true).build().unwrap();
    let (log, _listening) = Log::listen();
    layer.reload(new);
    let events = log.take_events();
    assert_eq!(events.iter().filter(|event| event.starts_with("DEBUG")).count(), 2, "{events:#?}");
    let parts = ["INFO", "the layer is reloaded", "{\"two\"}", "added=\"POST /new\"", "removed=\"POST /gone\""];
    assert!(parts.iter().all(|part| events[0].contains(part)), "{events:#?}");
    assert!(events.iter().any(|event| event.contains("setting=\"ignore_query\"")), "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn rules_that_nothing_matched_in_a_day_are_events_with_the_next_guarded_request() {
    let rules = || {
        let enter = Rule::post("/enter", number()).when(Field::body("/type"), "sms");
        [Rule::post("/login", number()), Rule::post("/gone", captcha()), enter]
    };
    let built = || builder(&Verifier::passing()).rules(rules()).build().unwrap();
    let layer = built();
    let application = Application::default();
    let login = || send(&layer, &application, post_json("/login", LOGIN));
    let (log, _listening) = Log::listen();
    login().await;
    tokio::time::advance(Duration::from_secs(24 * 60 * 60 - 1)).await;
    login().await;
    assert!(log.take_events().iter().all(|event| event.contains("decision=")), "a second is left");
    tokio::time::advance(Duration::from_secs(1)).await;
    send(&layer, &Application::default(), post_json("/other", LOGIN)).await;
    assert_eq!(log.take_events(), Vec::<String>::new(), "it is not looked at on unmatched requests");

    // The first request for a rule is in time, though it is the one that looks.
    let first = r#"{"type":"sms","token":"t","phone":"13812345678"}"#;
    assert_eq!(send(&layer, &Application::default(), post_json("/enter", first)).await.status(), 200);
    let events = log.take_events();
    let [unused, decided] = &events[..] else { panic!("{events:#?}") };
    assert!(unused.starts_with("WARN") && unused.contains("rule=\"POST /gone\" after=\"a day\""), "{unused}");
    assert!(decided.contains("decision=\"allow\""), "{decided}");
    assert_eq!(layer.unused_rules(), ["POST /gone"]);
    tokio::time::advance(Duration::from_secs(24 * 60 * 60)).await;
    login().await;
    assert_eq!(log.take_events().len(), 1, "once");
}

#[tokio::test(start_paused = true)]
async fn a_reload_does_not_delay_that_and_a_new_rule_has_a_whole_day() {
    const HOUR: Duration = Duration::from_secs(60 * 60);
    let rules = |new: &'static str| {
        [Rule::post("/login", number()), Rule::post("/gone", captcha()), Rule::post(new, captcha())]
    };
    let built = |new| builder(&Verifier::passing()).rules(rules(new)).build().unwrap();
    let (layer, application) = (built("/old"), Application::default());
    let (log, _listening) = Log::listen();
    let unused = async || {
        log.take_events();
        send(&layer, &application, post_json("/login", LOGIN)).await;
        let events = log.take_events().into_iter().filter(|event| event.contains("after=\"a day\""));
        let names = events.map(|event| event.split("rule=\"").nth(1).unwrap().split('"').next().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    for hour in 1..=60 {
        tokio::time::advance(HOUR).await;
        // Every hour, and from the tenth on with another rule.
        layer.reload(built(if hour < 10 { "/old" } else { "/new" }));
        let expected: &[&str] = match hour {
            24 => &["POST /gone"],
            34 => &["POST /new"],
            _ => &[],
        };
        assert_eq!(unused().await, expected, "after {hour} hours");
    }
}

#[tokio::test(start_paused = true)]
async fn no_event_in_a_day_if_every_rule_has_matched() {
    let layer = builder(&Verifier::passing()).rule(Rule::post("/login", number())).build().unwrap();
    let (log, _listening) = Log::listen();
    tokio::time::advance(Duration::from_secs(48 * 60 * 60)).await;
    assert_eq!(send(&layer, &Application::default(), post_json("/login", Bytes::from("{}"))).await.status(), 400);
    assert_eq!(log.take_events().len(), 1);
}
