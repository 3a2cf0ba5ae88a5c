//! Limits under attack: full stores, settings that change, and every kind of body.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tokio::time::advance;
use tower_jverify::{
    Breaker, Class, ClientIp, DenialReason, Fallback, Field, ForeignBackend, Guards, JVerifyBuilder, JVerifyLayer,
    Limit, Media, PhoneGrammar, Policy, Prove, Rate, Rule, Sandbox, StorePolicy, captcha, number, sandbox::Fault,
};

use super::{MINUTE, OTHER, PHONE, from, login, outcome, reason};
use crate::{
    support::{Application, Verifier, code, jpush, post_json, send},
    telemetry::Log,
};

/// A layer around a verifier that passes everything.
struct Site {
    verifier: Verifier,
    application: Application,
    layer: JVerifyLayer<Verifier>,
}

impl Site {
    fn with(build: impl FnOnce(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>) -> Self {
        let verifier = Verifier::passing();
        let layer = build(JVerifyLayer::builder(verifier.clone())).build().unwrap();
        Self { verifier, application: Application::default(), layer }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        send(&self.layer, &self.application, request).await
    }

    /// A login with a proof that has this number.
    async fn login(&self, client: &str, number: u32) -> Result<(), DenialReason> {
        let body = json!({"token": format!("t{number}"), "phone": format!("138{number:08}")});
        outcome(&self.send(from(client, post_json("/login", body.to_string()))).await)
    }
}

fn sms() -> Rule {
    let once = Limit::per_client_and_phone(Rate::new(1, MINUTE), Field::body("/phone"));
    Rule::post("/sms", captcha()).client_ip(ClientIp::forwarded(1)).limit(once)
}

#[tokio::test(start_paused = true)]
async fn a_flood_that_fills_the_store_lifts_no_limit_of_the_account() {
    let budget = Guards::builder().capacity(2).daily_budget(20);
    let rate = Guards::builder().capacity(2).per_account(Rate::new(20, MINUTE));
    for (guards, expected) in [(budget, DenialReason::Budget), (rate, DenialReason::AccountLimited)] {
        let site = Site::with(|layer| layer.guards(&guards.build().unwrap()).rule(login()));
        // The store is full before the account is counted for the first time.
        let mut passed = 0;
        for n in 0..30 {
            match site.login(&format!("192.0.2.{n}"), n).await {
                Ok(()) => passed += 1,
                Err(reason) => assert_eq!(reason, expected),
            }
        }
        assert_eq!((passed, site.verifier.calls()), (20, 20), "{expected:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_holds_also_if_the_store_is_full_when_the_day_begins() {
    let guards = Guards::builder().capacity(3).daily_budget(5).build().unwrap();
    let site = Site::with(|layer| layer.guards(&guards).rule(login()));
    for n in 0..3 {
        assert_eq!(site.login(&format!("192.0.2.{n}"), n).await, Ok(()), "{n}");
    }
    // Claims last 15 minutes and keep the store full; the next day begins meanwhile, or later.
    for _ in 0..3 {
        advance(Duration::from_secs(8 * 3600)).await;
        for n in 100..103 {
            site.login(&format!("192.0.2.{n}"), n).await.ok();
        }
    }
    let before = site.verifier.calls();
    for n in 200..220 {
        site.login(&format!("192.0.2.{n}"), n).await.ok();
    }
    assert!(site.verifier.calls() - before <= 5, "{}", site.verifier.calls() - before);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_a_reload_changes_starts_from_zero() {
    let day = Duration::from_secs(24 * 3600);
    let guards = Guards::new();
    let of = |rate: Rate| Site::with(|layer| layer.guards(&guards).rule(login().limit(Limit::per_client(rate))));
    let site = of(Rate::new(1, 30 * day));
    assert_eq!(site.login("192.0.2.1", 1).await, Ok(()));
    assert_eq!(site.login("192.0.2.1", 2).await, Err(DenialReason::RateLimited));
    site.layer.reload(of(Rate::new(100, MINUTE)).layer);
    assert_eq!(site.login("192.0.2.1", 3).await, Ok(()));
}

#[tokio::test]
async fn an_address_in_brackets_is_a_client_with_or_without_a_port() {
    let site = Site::with(|layer| {
        let guards = Guards::builder().per_client(Rate::new(2, MINUTE)).build().unwrap();
        layer.guards(&guards).rule(login())
    });
    let spellings = ["[2001:db8:1:2::1]", "[2001:db8:1:2::1]:443", "2001:db8:1:2::9"];
    for (n, address) in (0..).zip(spellings) {
        assert_eq!(site.login(address, n).await.is_ok(), n < 2, "{address}");
    }
    assert_eq!(site.login("[2001:db8:1:3::1]", 9).await, Ok(()));
    assert_eq!(site.login("nothing", 10).await, Ok(()));
    assert_eq!(site.login("[2001:db8:1:4::1", 11).await, Ok(()), "not found, as the one before");
    assert_eq!(site.login("2001:db8:1:4::1]", 12).await, Err(DenialReason::RateLimited));
}

#[tokio::test]
async fn a_phone_is_limited_in_whichever_body_it_comes() {
    let typed = |content_type: &str, body: String| {
        let request = Request::post("/sms").header("content-type", content_type);
        from("192.0.2.1", request.body(Full::new(body.into())).unwrap())
    };
    let form = |captcha: &str, phone: &str| {
        typed("application/x-www-form-urlencoded", format!("captchaContent={captcha}&phone={phone}"))
    };
    let part =
        |name: &str, value: &str| format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let multipart = |captcha: &str, phone: &str| {
        let body = format!("{}{}--XX--\r\n", part("captchaContent", captcha), part("phone", phone));
        typed("multipart/form-data; boundary=XX", body)
    };
    let json = |captcha: &str, phone: &str| {
        typed("application/json", format!(r#"{{"captchaContent":"{captcha}","phone":{phone}}}"#))
    };
    for is_foreign in [false, true] {
        let rule = sms().accept([Media::Json, Media::Form, Media::Multipart]).phone_grammar(PhoneGrammar::lenient());
        let site = Site::with(|layer| {
            let layer = layer.rule(rule);
            if is_foreign { layer.foreign_backend(ForeignBackend::any()) } else { layer }
        });
        assert_eq!(outcome(&site.send(form("a", PHONE)).await), Ok(()));
        for same in [
            form("b", PHONE),
            form("c", &format!("%2B86{PHONE}")),
            multipart("d", PHONE),
            json("e", PHONE),
            json("f", &format!("\"{PHONE}\"")),
            json("g", &format!("\"86{PHONE}\"")),
        ] {
            assert_eq!(outcome(&site.send(same).await), Err(DenialReason::RateLimited));
        }
        assert_eq!(outcome(&site.send(multipart("h", OTHER)).await), Ok(()));
        for (absent, expected) in [
            (json("i", "null"), "proof_missing"),
            (json("j", "[]"), "proof_malformed"),
            (json("k", "1.3812345678e10"), "proof_malformed"),
            (form("l", ""), "proof_missing"),
            (typed("application/x-www-form-urlencoded", "captchaContent=m".into()), "proof_missing"),
            (
                typed("application/x-www-form-urlencoded", format!("captchaContent=n&phone={PHONE}&phone={OTHER}")),
                "proof_malformed",
            ),
            (
                typed("application/x-www-form-urlencoded", format!("captchaContent=o&phone={OTHER}&phone[]={PHONE}")),
                "proof_malformed",
            ),
        ] {
            let refused = site.send(absent).await;
            assert_eq!(code(&refused), expected);
        }
        let mut query = json("p", PHONE);
        *query.uri_mut() = format!("/sms?phone={OTHER}").parse().unwrap();
        assert_eq!(site.send(query).await.status(), 400);
        assert_eq!((site.verifier.calls(), site.application.runs()), (2, 2));
    }
}

#[tokio::test]
async fn a_phone_in_a_call_is_limited_and_the_answer_is_grpcs() {
    const PATH: &str = "/sms.Sms/Send";
    let text =
        |number: u8, value: &str| [&[number << 3 | 2, u8::try_from(value.len()).unwrap()], value.as_bytes()].concat();
    let call = |captcha: &str, phone: &str| {
        let message = [text(1, captcha), text(2, phone)].concat();
        let body = [&[0], u32::try_from(message.len()).unwrap().to_be_bytes().as_slice(), &message].concat();
        let request = Request::post(PATH).version(http::Version::HTTP_2).header("content-type", "application/grpc");
        from("192.0.2.1", request.header("te", "trailers").body(Full::new(body.into())).unwrap())
    };
    let rule = Rule::post(PATH, captcha().content(Field::body("/1"))).accept([Media::Grpc]);
    let rule = rule.client_ip(ClientIp::forwarded(1));
    let rule = rule.limit(Limit::per_client_and_phone(Rate::new(1, MINUTE), Field::body("/2")));
    let site = Site::with(|layer| layer.rule(rule));
    assert_eq!(site.send(call("a", PHONE)).await.status(), 200);
    let limited = site.send(call("b", PHONE)).await;
    assert_eq!(reason(&limited), DenialReason::RateLimited);
    assert_eq!((limited.status().as_u16(), &limited.headers()["grpc-status"]), (200, &"8".parse().unwrap()));
    assert_eq!(reason(&site.send(call("c", "")).await), DenialReason::ProofMissing);
    assert_eq!(site.application.runs(), 1);
}

#[tokio::test]
async fn a_value_that_chooses_chooses_the_limits_too() {
    let when = |value: &str, rule: Rule| rule.when(Field::body("/op"), value);
    let once = || Limit::per_client(Rate::new(1, MINUTE));
    let rules = [
        when("sms", Rule::post("/rpc", captcha()))
            .limit(once())
            .limit(Limit::per_client_and_phone(Rate::new(1, MINUTE), Field::body("/to"))),
        when("login", Rule::post("/rpc", number())),
        when("mail", Rule::post("/rpc", captcha())).limit(once()),
    ];
    for otherwise in [false, true] {
        let rules = rules.clone().map(|rule| rule.client_ip(ClientIp::forwarded(1)));
        let rules = rules.map(|rule| if otherwise { rule.otherwise_pass() } else { rule });
        let site = Site::with(|layer| layer.rules(rules));
        let rpc = async |body: serde_json::Value| {
            outcome(&site.send(from("192.0.2.1", post_json("/rpc", body.to_string()))).await)
        };
        assert_eq!(rpc(json!({"op": "sms", "captchaContent": "a", "to": PHONE})).await, Ok(()));
        assert_eq!(rpc(json!({"op": "sms", "captchaContent": "b", "to": OTHER})).await, Err(DenialReason::RateLimited));
        assert_eq!(rpc(json!({"op": "mail", "captchaContent": "c"})).await, Ok(()));
        assert_eq!(rpc(json!({"op": "mail", "captchaContent": "d"})).await, Err(DenialReason::RateLimited));
        assert_eq!(rpc(json!({"op": "login", "token": "e", "phone": PHONE})).await, Ok(()));
        assert_eq!(rpc(json!({"op": "sms", "captchaContent": "f"})).await, Err(DenialReason::ProofMissing));
    }
}

#[tokio::test]
async fn a_phone_of_a_limit_stays_what_it_is_where_bodies_are_written_again() {
    let rule = sms().phone_grammar(PhoneGrammar::lenient()).canonical_body(true);
    let site = Site::with(|layer| layer.foreign_backend(ForeignBackend::any()).rule(rule));
    let body = json!({"captchaContent": "a", "phone": format!("+86{PHONE}")}).to_string();
    assert_eq!(outcome(&site.send(from("192.0.2.1", post_json("/sms", body))).await), Ok(()));
    let seen = site.application.last().body.unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&seen).unwrap();
    assert_eq!(seen["phone"], format!("+86{PHONE}"));
}

#[test]
fn the_log_names_rules_with_a_limit_for_another_phone_than_the_proven_one() {
    let (log, _listening) = Log::listen();
    let limit = |phone: &str| Limit::per_client_and_phone(Rate::new(1, MINUTE), Field::body(phone));
    let rules = [
        login().limit(limit("/sms/phone")),
        sms(),
        login().name("same").when(Field::body("/op"), "1").limit(limit("/phone")),
    ];
    for rule in rules {
        drop(Site::with(|layer| layer.rule(rule)));
    }
    let events = log.take_events().into_iter().filter(|event| event.contains("setting=\"limit\""));
    let events: Vec<_> = events.collect();
    assert!(events.len() == 1 && events[0].contains("rules=\"POST /login\""), "{events:#?}");
}

#[tokio::test]
async fn a_store_that_is_full_and_must_count_says_so_at_warn() {
    let guards = Guards::builder().capacity(1).store_policy(StorePolicy::Refuse).build().unwrap();
    let site = Site::with(|layer| layer.guards(&guards).rule(login()));
    let (log, _listening) = Log::listen();
    assert_eq!(site.login("192.0.2.1", 1).await, Err(DenialReason::StoreDown));
    let events = log.take_events();
    assert!(
        events.iter().any(|event| event.starts_with("WARN") && event.contains("reason=\"store_down\"")),
        "{events:#?}"
    );
}

#[tokio::test]
async fn checks_on_demand_are_counted_once_and_when_they_are_asked() {
    let rule = Rule::post("/login", number()).client_ip(ClientIp::forwarded(1)).on_demand();
    let guards = Guards::builder().per_client(Rate::new(1, MINUTE)).build().unwrap();
    let site = Site::with(|layer| layer.guards(&guards).rule(rule));
    let mut proves = Vec::new();
    for n in 0..3 {
        assert_eq!(site.login("192.0.2.1", n).await, Ok(()));
        proves.push(site.application.last().parts.extensions.get::<Prove>().cloned().unwrap());
    }
    let [first, second, _unasked] = proves.as_slice() else { panic!() };
    for prove in [first.clone(), first.clone()] {
        assert!(prove.now().await.is_ok());
    }
    for prove in [second.clone(), second.clone()] {
        let denial = prove.now().await.unwrap_err();
        assert_eq!((denial.reason(), denial.retry_after()), (DenialReason::RateLimited, Some(60)));
    }
    assert_eq!(site.verifier.calls(), 1);
}

#[test]
fn a_limit_of_a_field_that_holds_a_proof_is_refused() {
    let limit = |field: Field| Limit::per_client_and_phone(Rate::new(1, MINUTE), field);
    for rule in [
        Rule::post("/sms", captcha()).limit(limit(Field::body("/captchaContent"))),
        Rule::post("/sms", number()).limit(limit(Field::body("/token"))),
    ] {
        let rule = rule.client_ip(ClientIp::forwarded(1));
        let error = JVerifyLayer::builder(Verifier::passing()).rule(rule).build().err().unwrap();
        assert_eq!(error.setting(), "rule.limit", "{error}");
    }
}

#[tokio::test]
async fn a_fallback_applies_to_no_limit_and_no_full_store() {
    let (minute, down) = (Rate::new(2, MINUTE), || Guards::builder().breaker(Breaker::new().consecutive(1)));
    let guards = || {
        [
            (down().per_client(minute), DenialReason::RateLimited),
            (down().per_account(minute), DenialReason::AccountLimited),
            (down().daily_budget(2), DenialReason::Budget),
            (down().capacity(1).store_policy(StorePolicy::Refuse), DenialReason::StoreDown),
        ]
    };
    let with = |fallback: Fallback| guards().map(|(guards, expected)| (fallback, guards, expected));
    for (fallback, guards, expected) in [with(Fallback::Open), with(Fallback::Captcha)].into_iter().flatten() {
        let sandbox = Sandbox::new();
        if fallback == Fallback::Open {
            sandbox.fault(Fault::Refuse);
        }
        let rule = login().policy(Policy::default().on(Class::Unavailable, fallback));
        let layer = JVerifyLayer::builder(jpush(&sandbox)).guards(&guards.build().unwrap()).rule(rule).build().unwrap();
        let application = Application::default();
        let mut outcomes = Vec::new();
        for n in 0..3 {
            let (token, captcha) = (format!("sandbox-reset-9000#{n}"), format!("sandbox-pass#{n}"));
            let phone = format!("138{n:08}");
            let body = json!({"token": token, "phone": phone, "captchaContent": captcha}).to_string();
            outcomes.push(outcome(&send(&layer, &application, from("192.0.2.1", post_json("/login", body))).await));
        }
        let first = if expected == DenialReason::StoreDown { Err(expected) } else { Ok(()) };
        assert_eq!(outcomes, [first, first, Err(expected)]);
    }
}
