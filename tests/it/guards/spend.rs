//! The limits of a client, a rule and an account.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body_util::Full;
use serde_json::json;
use tokio::time::advance;
use tower_jverify::{
    Check, CheckKind, Class, ClientIp, DenialReason, Field, ForeignBackend, Guards, GuardsBuilder, JVerifyLayer, Limit,
    PhoneGrammar, Rate, Rule, StorePolicy, Verdict, captcha, number, one_tap,
};

use super::{MINUTE, OTHER, PHONE, from, login, outcome, reason};
use crate::{
    support::{Application, Verifier, code, post_json, send},
    telemetry::{Log, metrics::Recorded},
};

/// A layer, and requests with another proof each time.
struct Desk {
    verifier: Verifier,
    application: Application,
    layer: JVerifyLayer<Verifier>,
    next: std::sync::atomic::AtomicUsize,
}

impl Desk {
    fn new(guards: GuardsBuilder, rules: impl IntoIterator<Item = Rule>) -> Self {
        Self::of(Verifier::passing(), guards, rules)
    }

    fn of(verifier: Verifier, guards: GuardsBuilder, rules: impl IntoIterator<Item = Rule>) -> Self {
        let layer = JVerifyLayer::builder(verifier.clone()).guards(&guards.build().unwrap()).rules(rules);
        let layer = layer.build().unwrap();
        Self { verifier, application: Application::default(), layer, next: 0.into() }
    }

    fn request(&self, path: &str, client: &str, phone: &str) -> Request<Full<Bytes>> {
        let next = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let proof = format!("proof-{next}");
        let body = json!({"token": proof, "phone": phone, "captchaContent": proof});
        from(client, post_json(path, body.to_string()))
    }

    async fn send(&self, path: &str, client: &str, phone: &str) -> Response<Bytes> {
        send(&self.layer, &self.application, self.request(path, client, phone)).await
    }

    /// Whether a login passes, and otherwise why it does not.
    async fn login(&self, client: &str, phone: &str) -> Result<(), DenialReason> {
        outcome(&self.send("/login", client, phone).await)
    }
}

fn phone(number: u32) -> String {
    format!("138{number:08}")
}

fn retry_after<B>(response: &Response<B>) -> u64 {
    response.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

const LIMITED: Result<(), DenialReason> = Err(DenialReason::RateLimited);

#[tokio::test(start_paused = true)]
async fn a_client_tries_one_phone_three_times_in_ten_minutes_and_locks_out_no_other_client() {
    let desk = Desk::new(Guards::builder(), [login()]);
    for _ in 0..3 {
        assert_eq!(desk.login("192.0.2.1", PHONE).await, Ok(()));
    }
    let fourth = desk.send("/login", "192.0.2.1", PHONE).await;
    assert_eq!((fourth.status().as_u16(), code(&fourth)), (429, "throttled".into()));
    assert_eq!((reason(&fourth), desk.verifier.calls()), (DenialReason::RateLimited, 3));
    assert_eq!(retry_after(&fourth), 200, "a third of ten minutes");
    assert_eq!(desk.login("192.0.2.2", PHONE).await, Ok(()), "another client may try this phone");
    assert_eq!(desk.login("192.0.2.1", OTHER).await, Ok(()), "and this client another phone");
    advance(Duration::from_secs(200)).await;
    assert_eq!(desk.login("192.0.2.1", PHONE).await, Ok(()));
    assert_eq!(desk.login("192.0.2.1", PHONE).await, LIMITED);
}

#[tokio::test(start_paused = true)]
async fn one_network_is_over_its_rate_with_all_its_addresses_and_any_phones() {
    let desk = Desk::new(Guards::builder(), [login()]);
    for n in 0..300 {
        assert_eq!(desk.login(&format!("2001:db8:1:2::{n:x}"), &phone(n)).await, Ok(()), "{n}");
    }
    let next = desk.send("/login", "2001:db8:1:2:ffff::", &phone(300)).await;
    assert_eq!((reason(&next), retry_after(&next), desk.verifier.calls()), (DenialReason::RateLimited, 1, 300));
    assert_eq!(desk.login("2001:db8:1:3::1", &phone(301)).await, Ok(()), "the network next to it");
    // One in 100 ms.
    advance(Duration::from_millis(200)).await;
    for n in 0..3 {
        assert_eq!(desk.login("2001:db8:1:2::", &phone(400 + n)).await.is_ok(), n < 2, "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn spellings_of_one_address_are_one_client_and_what_has_none_is_one_too() {
    let desk = Desk::new(Guards::builder(), [login()]);
    let same = ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1:4711", "2002:c000:201::1"];
    for (n, address) in same.into_iter().enumerate() {
        assert_eq!(desk.login(address, PHONE).await.is_ok(), n < 3, "{address}");
    }
    let (log, _listening) = Log::listen();
    for n in 0..4 {
        assert_eq!(desk.login("no address", PHONE).await.is_ok(), n < 3);
    }
    let warnings = log.take_events().into_iter().filter(|event| event.contains("found no address"));
    let warnings: Vec<_> = warnings.collect();
    assert!(warnings.len() == 1 && warnings[0].starts_with("WARN"), "{warnings:?}");
}

#[tokio::test]
async fn what_is_malformed_is_refused_before_it_counts_and_what_is_refused_later_has_counted() {
    let rules = [login(), Rule::post("/web", number().web()).client_ip(ClientIp::forwarded(1))];
    let desk = Desk::of(Verifier::of_class(Class::Rejected), Guards::builder(), rules);
    for _ in 0..10 {
        let no_phone = desk.send("/login", "192.0.2.1", "12345").await;
        assert_eq!(reason(&no_phone), DenialReason::ProofMalformed);
    }
    // Whichever rule asks, and whatever comes of it.
    for path in ["/login", "/web", "/login"] {
        assert_eq!(reason(&desk.send(path, "192.0.2.1", PHONE).await), DenialReason::Verdict(Class::Rejected));
    }
    assert_eq!(desk.login("192.0.2.1", PHONE).await, LIMITED);
}

#[tokio::test]
async fn a_replay_counts_and_a_limited_request_claims_nothing() {
    let desk = Desk::new(Guards::builder(), [login()]);
    let body = json!({"token": "one", "phone": PHONE}).to_string();
    let send = async |client: &str, body: &str| {
        outcome(&send(&desk.layer, &desk.application, from(client, post_json("/login", body.to_owned()))).await)
    };
    assert_eq!(send("192.0.2.1", &body).await, Ok(()));
    for _ in 0..2 {
        assert_eq!(send("192.0.2.1", &body).await, Err(DenialReason::Replayed));
    }
    let fresh = json!({"token": "fresh", "phone": PHONE}).to_string();
    assert_eq!(send("192.0.2.1", &fresh).await, LIMITED);
    assert_eq!(send("192.0.2.2", &fresh).await, Ok(()), "the proof was not claimed by the request that was limited");
}

#[tokio::test]
async fn the_peer_is_not_the_client_unless_configured_and_the_log_says_so_once() {
    let (log, _listening) = Log::listen();
    let rules = || [Rule::post("/login", number()), Rule::post("/web", number().web())];
    let desk = Desk::new(Guards::builder(), rules());
    let warnings = |log: &Log| {
        let events = log.take_events().into_iter();
        events.filter(|event| event.starts_with("WARN")).collect::<Vec<_>>()
    };
    let lines = warnings(&log);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines.iter().all(|line| line.contains("rules=\"POST /login, POST /web\"")), "{lines:#?}");
    assert!(lines[0].contains("no client of these rules is limited"), "{lines:#?}");
    assert!(lines[1].contains("only proofs are counted"), "{lines:#?}");
    let peer: std::net::SocketAddr = "192.0.2.1:4711".parse().unwrap();
    for _ in 0..10 {
        let mut request = desk.request("/login", "192.0.2.1", PHONE);
        request.extensions_mut().insert(peer);
        assert_eq!(send(&desk.layer, &desk.application, request).await.status(), 200);
    }
    drop(log.take_events());
    // With a key there are limits, and breakers count proofs still.
    let keyed = rules().map(|rule| rule.spend_key(|_| None));
    drop(Desk::new(Guards::builder(), keyed));
    let lines = warnings(&log);
    assert!(lines.len() == 1 && lines[0].contains("only proofs are counted"), "{lines:#?}");
    drop(Desk::new(Guards::builder().without_client_limits().without_breaker(), rules()));
    drop(Desk::new(Guards::builder(), rules().map(|rule| rule.client_ip(ClientIp::peer()))));
    assert_eq!(warnings(&log), Vec::<String>::new());
}

#[derive(Clone)]
struct Device(&'static str);

fn device(head: &Parts) -> Option<Bytes> {
    Some(head.extensions.get::<Device>()?.0.into())
}

#[tokio::test]
async fn a_key_of_the_users_says_whose_requests_are_counted_together() {
    for with_address in [false, true] {
        let rule = Rule::post("/login", number()).spend_key(device);
        let rule = if with_address { rule.client_ip(ClientIp::forwarded(1)) } else { rule };
        let desk = Desk::new(Guards::builder(), [rule]);
        let login = async |address: &str, device: Option<&'static str>| {
            let mut request = desk.request("/login", address, PHONE);
            if let Some(device) = device {
                request.extensions_mut().insert(Device(device));
            }
            outcome(&send(&desk.layer, &desk.application, request).await)
        };
        for n in 0..3 {
            assert_eq!(login(&format!("192.0.2.{n}"), Some("a")).await, Ok(()));
        }
        assert_eq!(login("192.0.2.9", Some("a")).await, LIMITED, "from whichever address");
        assert_eq!(login("192.0.2.9", Some("b")).await, Ok(()));
        // Without a key, the address counts where it is known, and else they are one.
        for n in 0..3 {
            assert_eq!(login(&format!("192.0.2.{n}"), None).await, Ok(()));
        }
        assert_eq!(login("192.0.2.9", None).await, if with_address { Ok(()) } else { LIMITED });
    }
}

#[tokio::test]
async fn a_key_and_an_address_are_never_the_same_client() {
    let octets = [4, 0, 0, 0, 0, 192, 0, 2, 1];
    let rule = Rule::post("/login", number()).client_ip(ClientIp::forwarded(1));
    let rule =
        rule.spend_key(move |head| head.headers.contains_key("x-keyed").then(|| Bytes::copy_from_slice(&octets)));
    let desk = Desk::new(Guards::builder(), [rule]);
    for _ in 0..3 {
        assert_eq!(desk.login("192.0.2.1", PHONE).await, Ok(()));
    }
    assert_eq!(desk.login("192.0.2.1", PHONE).await, LIMITED);
    let mut request = desk.request("/login", "192.0.2.1", PHONE);
    request.headers_mut().insert("x-keyed", "1".parse().unwrap());
    assert_eq!(send(&desk.layer, &desk.application, request).await.status(), 200);
}

#[tokio::test]
async fn a_key_that_panics_lets_nothing_through() {
    let desk = Desk::new(Guards::builder(), [Rule::post("/login", number()).spend_key(|_| panic!("the user's"))]);
    assert_eq!(desk.login("192.0.2.1", PHONE).await, Err(DenialReason::Panicked));
    assert_eq!((desk.verifier.calls(), desk.application.runs()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_account_has_a_rate_for_all_clients_together() {
    let guards = Guards::builder().without_client_limits().per_account(Rate::new(2, MINUTE));
    let desk = Desk::new(guards, [login()]);
    for n in 0..2 {
        assert_eq!(desk.login(&format!("192.0.2.{n}"), &phone(n)).await, Ok(()));
    }
    let third = desk.send("/login", "192.0.2.9", &phone(9)).await;
    assert_eq!((third.status().as_u16(), reason(&third)), (503, DenialReason::AccountLimited));
    assert_eq!((retry_after(&third), desk.verifier.calls()), (1, 2));
    advance(Duration::from_secs(30)).await;
    assert_eq!(desk.login("192.0.2.9", &phone(9)).await, Ok(()));
}

#[tokio::test]
async fn a_client_that_is_over_its_rate_uses_up_nothing_of_the_accounts() {
    let guards = Guards::builder().per_client(Rate::new(1, MINUTE)).per_account(Rate::new(3, MINUTE)).daily_budget(3);
    let desk = Desk::new(guards, [login()]);
    assert_eq!(desk.login("192.0.2.1", &phone(0)).await, Ok(()));
    for n in 1..10 {
        assert_eq!(desk.login("192.0.2.1", &phone(n)).await, LIMITED);
    }
    for n in 0..2 {
        assert_eq!(desk.login(&format!("192.0.2.{}", 2 + n), &phone(20 + n)).await, Ok(()));
    }
}

/// How long it is until the next midnight in Shanghai.
fn until_midnight() -> Duration {
    let day = 24 * 60 * 60;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 8 * 60 * 60;
    Duration::from_secs(day - now % day)
}

#[tokio::test(start_paused = true)]
async fn a_daily_budget_ends_at_midnight_in_shanghai_and_the_log_has_its_marks_once() {
    let ((desk, log, _listening), recorded) = Recorded::around(|| {
        let guards = Guards::builder().daily_budget(10);
        let desk = Desk::new(guards, [login().name("login")]);
        let (log, listening) = Log::listen();
        (desk, log, listening)
    });
    advance(until_midnight().saturating_sub(MINUTE)).await;
    for n in 0..10 {
        assert_eq!(desk.login("192.0.2.1", &phone(n)).await, Ok(()), "{n}");
        // With the eighth.
        assert_eq!(log.text().contains("budget: four fifths"), n >= 7, "{n}");
    }
    for n in 10..15 {
        let refused = desk.send("/login", "192.0.2.1", &phone(n)).await;
        assert_eq!((refused.status().as_u16(), reason(&refused)), (503, DenialReason::Budget));
    }
    assert_eq!(desk.verifier.calls(), 10);
    let events = log.take_events();
    let of = |level: &str| events.iter().filter(|event| event.starts_with(level) && event.contains("budget: ")).count();
    assert_eq!((of("WARN"), of("ERROR")), (1, 1), "{events:#?}");
    let reasons = events.iter().filter(|event| event.contains("reason=\"budget\"")).count();
    assert_eq!(reasons, 5);
    let counted = recorded.counted();
    assert_eq!(counted.get("jverify_alarms_total{kind=budget}"), Some(&2));
    assert_eq!(counted.get("jverify_saved_checks_total{by=budget}"), Some(&5));
    advance(2 * MINUTE).await;
    assert_eq!(desk.login("192.0.2.1", &phone(20)).await, Ok(()));
}

#[tokio::test]
async fn a_budget_counts_what_is_billed() {
    let rules = [
        Rule::post("/captcha", captcha()),
        Rule::post("/both", captcha().then(number().with_risk())),
        Rule::post("/login", number()),
    ];
    let desk = Desk::new(Guards::builder().daily_budget(3), rules);
    for _ in 0..20 {
        assert_eq!(outcome(&desk.send("/captcha", "-", PHONE).await), Ok(()));
    }
    assert_eq!(outcome(&desk.send("/both", "-", PHONE).await), Ok(()), "a number and a risk query");
    assert_eq!(outcome(&desk.send("/both", "-", PHONE).await), Err(DenialReason::Budget), "one is left of the two");
    assert_eq!(outcome(&desk.send("/captcha", "-", PHONE).await), Ok(()), "is free");
}

#[tokio::test]
async fn accounts_have_separate_limits_and_layers_with_one_handle_share_them() {
    let guards = Guards::builder().build().unwrap();
    let verifier = Verifier::passing();
    let of = |account: &str| {
        let layer = JVerifyLayer::builder(verifier.clone()).guards(&guards).account(account).rule(login());
        let (layer, application) = (layer.build().unwrap(), Application::default());
        Desk { verifier: verifier.clone(), application, layer, next: 0.into() }
    };
    // Another token each time, over all of them.
    let (one, again, two) = (of("one"), of("one"), of("two"));
    again.next.store(100, std::sync::atomic::Ordering::Relaxed);
    for desk in [&one, &again, &one] {
        assert_eq!(desk.login("192.0.2.1", PHONE).await, Ok(()));
    }
    assert_eq!(again.login("192.0.2.1", PHONE).await, LIMITED);
    assert_eq!(two.login("192.0.2.1", PHONE).await, Ok(()));
    one.layer.reload(of("one").layer);
    assert_eq!(one.login("192.0.2.1", PHONE).await, LIMITED, "also after a reload");
}

fn sms() -> Rule {
    Rule::post("/sms", captcha()).client_ip(ClientIp::forwarded(1))
}

#[tokio::test(start_paused = true)]
async fn a_rule_limits_what_the_application_pays_for_itself() {
    let hour = Duration::from_secs(3600);
    let rule = sms()
        .limit(Limit::per_client(Rate::new(4, hour)))
        .limit(Limit::per_client_and_phone(Rate::new(2, hour), Field::body("/phone")));
    let desk = Desk::new(Guards::builder(), [rule, login()]);
    let send = async |client: &str, phone: &str| outcome(&desk.send("/sms", client, phone).await);
    assert_eq!((send("192.0.2.1", PHONE).await, send("192.0.2.1", PHONE).await), (Ok(()), Ok(())));
    assert_eq!(send("192.0.2.1", PHONE).await, LIMITED, "this phone");
    assert_eq!(send("192.0.2.2", PHONE).await, Ok(()), "another client");
    assert_eq!(send("192.0.2.1", OTHER).await, Ok(()), "another phone");
    assert_eq!(send("192.0.2.1", OTHER).await, LIMITED, "this client: the refused one has counted");
    assert_eq!(desk.verifier.kinds(), [CheckKind::Captcha; 4]);
    assert_eq!(desk.login("192.0.2.1", PHONE).await, Ok(()), "other rules are not limited by it");
    advance(hour).await;
    assert_eq!(send("192.0.2.1", PHONE).await, Ok(()));
}

#[tokio::test]
async fn a_limit_for_a_phone_reads_the_phone_with_the_rules_grammar() {
    let limit = || Limit::per_client_and_phone(Rate::new(1, MINUTE), Field::body("/phone"));
    let rule = sms().limit(limit()).phone_grammar(PhoneGrammar::lenient());
    let desk = Desk::new(Guards::builder(), [rule]);
    assert_eq!(outcome(&desk.send("/sms", "192.0.2.1", PHONE).await), Ok(()));
    for same in [format!("+86{PHONE}"), format!("86 {PHONE}")] {
        assert_eq!(outcome(&desk.send("/sms", "192.0.2.1", &same).await), LIMITED, "{same}");
    }
    for (phone, expected) in [("", "proof_missing"), ("1381234567", "proof_malformed")] {
        let refused = desk.send("/sms", "192.0.2.1", phone).await;
        assert_eq!((code(&refused), desk.verifier.calls()), (expected.into(), 1), "{phone}");
    }
    // Its name is guarded, as that of every phone.
    let layer = JVerifyLayer::builder(desk.verifier.clone()).rule(sms().limit(limit()));
    let layer = layer.foreign_backend(ForeignBackend::any()).build().unwrap();
    for body in [
        format!(r#"{{"captchaContent":"c","phone":"{PHONE}","phone":"{OTHER}"}}"#),
        format!(r#"{{"captchaContent":"c","phone":"{PHONE}","Phone":"{OTHER}"}}"#),
        format!(r#"{{"captchaContent":"c","phone":"{PHONE}","sms":{{"phone":"{OTHER}"}}}}"#),
    ] {
        let request = from("192.0.2.1", post_json("/sms", body.clone()));
        assert_eq!(send(&layer, &desk.application, request).await.status(), 400, "{body}");
    }
    assert_eq!(desk.verifier.calls(), 1);
}

#[test]
fn limits_that_can_never_hold_are_refused_with_their_names() {
    let none = Rate::new(0, MINUTE);
    for (guards, setting) in [
        (Guards::builder().per_client(none), "guards.per_client"),
        (Guards::builder().per_client_and_phone(none), "guards.per_client_and_phone"),
        (Guards::builder().per_account(none), "guards.per_account"),
        (Guards::builder().daily_budget(0), "guards.daily_budget"),
    ] {
        assert_eq!(guards.build().unwrap_err().setting(), setting);
    }
    let limit = || Limit::per_client(Rate::new(1, MINUTE));
    for rule in [Rule::post("/sms", captcha()).limit(limit()), sms().limit(Limit::per_client(none))] {
        let error = JVerifyLayer::builder(Verifier::passing()).rule(rule).build().unwrap_err();
        assert_eq!((error.setting(), error.rule()), ("rule.limit", Some("POST /sms")), "{error}");
    }
}

#[tokio::test]
async fn what_cannot_be_counted_is_asked_or_refused_as_the_policy_says() {
    for (policy, expected) in [(StorePolicy::Local, Ok(())), (StorePolicy::Refuse, Err(DenialReason::StoreDown))] {
        let desk = Desk::new(Guards::builder().capacity(1).store_policy(policy).without_replay_guard(), [login()]);
        let mut last = Ok(());
        for n in 0..4 {
            last = desk.login(&format!("192.0.2.{n}"), &phone(n)).await;
        }
        assert_eq!(last, expected, "{policy:?}");
    }
}

#[tokio::test]
async fn a_request_through_two_services_of_one_layer_counts_once() {
    let desk = Desk::new(Guards::builder(), [login()]);
    let service = || tower::Layer::layer(&desk.layer, tower::Layer::layer(&desk.layer, desk.application.clone()));
    for _ in 0..3 {
        let request = desk.request("/login", "192.0.2.1", PHONE);
        assert_eq!(tower::ServiceExt::oneshot(service(), request).await.unwrap().status(), 200);
    }
    assert_eq!(desk.login("192.0.2.1", PHONE).await, LIMITED);
}

#[tokio::test]
async fn a_limited_request_leaves_an_event_with_a_masked_phone_and_a_number() {
    let ((desk, log, _listening), recorded) = Recorded::around(|| {
        let desk = Desk::new(Guards::builder(), [login()]);
        let (log, listening) = Log::listen();
        (desk, log, listening)
    });
    for _ in 0..4 {
        desk.login("192.0.2.77", PHONE).await.ok();
    }
    let text = log.text();
    let event = text.lines().last().unwrap();
    for part in [
        "INFO",
        "reason=\"rate_limited\"",
        "detail=\"the client is over its rate for this phone\"",
        "phone=138****5678",
    ] {
        assert!(event.contains(part), "{part}: {event}");
    }
    assert!(!text.contains("192.0.2.77") && !text.contains(PHONE), "{text}");
    assert_eq!(recorded.counted().get("jverify_saved_checks_total{by=spend}"), Some(&1));
}

#[tokio::test]
async fn a_login_token_whose_phone_is_not_known_counts_for_the_client_alone() {
    let answer = |check: &Check| Some(Verdict::new(check.kind(), Class::Passed).with_phone(PHONE.parse().unwrap()));
    let rule = Rule::post("/tap", one_tap()).client_ip(ClientIp::forwarded(1));
    let desk = Desk::of(Verifier::answering(answer), Guards::builder().per_client(Rate::new(5, MINUTE)), [rule]);
    for n in 0..6 {
        let request = from("192.0.2.1", post_json("/tap", json!({"loginToken": format!("t{n}")}).to_string()));
        assert_eq!(send(&desk.layer, &desk.application, request).await.status(), if n < 5 { 200 } else { 429 });
    }
}

#[tokio::test]
async fn of_a_thousand_requests_at_once_a_budget_lets_as_many_through_as_it_has() {
    let desk = Arc::new(Desk::new(Guards::builder().daily_budget(100), [Rule::post("/login", number())]));
    let all = (0..1_000).map(|n| {
        let desk = Arc::clone(&desk);
        async move { desk.login("-", &phone(n)).await.is_ok() }
    });
    let passed = futures_util::future::join_all(all).await.into_iter().filter(|passed| *passed).count();
    assert_eq!((passed, desk.verifier.calls()), (100, 100));
}
