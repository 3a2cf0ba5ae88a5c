//! `used_types` and `bind_client_ip`: the type of a captcha, and the network from which it was solved.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use tower::Layer;
use tower_jverify::{
    Ask, CheckKind, Class, ClientIp, ConfigError, DenialReason, Fallback, Policy, Prefix, Rule, Verdict, captcha,
    number, sandbox::Fault,
};

use super::PHONE;
use crate::support::{Guarded, Sandboxed, Verifier, builder, code, denial, exchange, post_json, serve};

const USUAL: Prefix = Prefix { v4: 24, v6: 48 };

fn error(rule: Rule) -> Option<ConfigError> {
    builder(&Verifier::passing()).rule(rule).build().err()
}

/// A rule whose clients are at this address.
fn from(ask: impl Into<Ask>, client: Option<&str>) -> Rule {
    let client = client.map(|client| client.parse::<IpAddr>().unwrap());
    Rule::post("/login", ask).client_ip(ClientIp::from_fn(move |_| client))
}

/// The answer to a captcha: `None` if it passed.
async fn refused(rule: Rule, content: &str) -> Option<DenialReason> {
    let desk = Sandboxed::new(rule);
    let response = desk.login(&json!({"captchaContent": content})).await;
    assert_eq!(desk.asked(), [CheckKind::Captcha], "{content}");
    if response.status() == 200 {
        assert_eq!(desk.application.runs(), 1);
        return None;
    }
    assert_eq!((response.status().as_u16(), &*code(&response)), (403, "verification_failed"), "{content}");
    assert_eq!(desk.application.runs(), 0, "{content}");
    let denial = denial(&response);
    assert_eq!(denial.verdicts()[0].class(), Class::Rejected, "{content}: it does not count as passed");
    Some(denial.reason())
}

#[tokio::test]
async fn a_captcha_of_another_type_or_of_none_is_unbound() {
    let unbound = Some(DenialReason::CaptchaUnbound);
    for (content, reason) in [
        ("sandbox-pass", None),
        ("sandbox-pass-type-slide", None),
        ("sandbox-pass-type-click", None),
        ("sandbox-pass-type-nine", unbound),
        ("sandbox-pass-type-Slide", unbound),
        ("sandbox-pass-type-", unbound),
        ("sandbox-pass-bare", unbound),
    ] {
        let rule = Rule::post("/login", captcha().used_types(["slide", "click"]));
        assert_eq!(refused(rule, content).await, reason, "{content}");
    }
    assert_eq!(refused(Rule::post("/login", captcha()), "sandbox-pass-bare").await, None, "off by default");
}

#[tokio::test]
async fn a_captcha_counts_from_the_clients_network_only() {
    for (client, solver, prefix, holds) in [
        ("203.0.113.7", "203.0.113.7", USUAL, true),
        ("203.0.113.255", "203.0.113.0", USUAL, true),
        ("203.0.112.7", "203.0.113.7", USUAL, false),
        ("203.0.112.7", "203.0.113.7", Prefix { v4: 23, v6: 48 }, true),
        ("203.0.113.6", "203.0.113.7", Prefix { v4: 32, v6: 128 }, false),
        ("203.0.113.7", "203.0.113.7", Prefix { v4: 32, v6: 128 }, true),
        ("127.0.0.1", "128.0.0.1", Prefix { v4: 1, v6: 1 }, false),
        ("1.2.3.4", "127.0.0.1", Prefix { v4: 1, v6: 1 }, true),
        ("2001:db8:1::1", "2001:db8:1:ffff:ffff:ffff:ffff:ffff", USUAL, true),
        ("2001:db8:1::1", "2001:db8:2::1", USUAL, false),
        ("2001:db8::1", "2001:db8::2", Prefix { v4: 24, v6: 128 }, false),
        ("8000::", "1::", Prefix { v4: 24, v6: 1 }, false),
        // One IPv4 address, however it is written.
        ("::ffff:203.0.113.7", "203.0.113.9", USUAL, true),
        ("203.0.113.7", "::ffff:203.0.113.9", USUAL, true),
        ("203.0.113.7", "::ffff:cb00:7109", USUAL, true),
        ("::ffff:203.0.113.7", "::ffff:203.0.112.7", USUAL, false),
        ("64:ff9b::203.0.113.7", "203.0.113.9", USUAL, true),
        ("2002:cb00:7107::1", "203.0.113.9", USUAL, true),
        // IPv4-compatible addresses are not read as IPv4 addresses.
        ("::203.0.113.7", "203.0.113.7", USUAL, false),
        // The other family.
        ("2001:db8:1::1", "203.0.113.7", USUAL, false),
        ("203.0.113.7", "2001:db8:1::1", USUAL, false),
        ("0.0.0.0", "::", USUAL, false),
    ] {
        let rule = from(captcha().bind_client_ip(prefix), Some(client));
        let found = refused(rule, &format!("sandbox-pass-ip-{solver}")).await;
        let expected = (!holds).then_some(DenialReason::CaptchaUnbound);
        assert_eq!(found, expected, "{client} {solver} {prefix:?}");
    }
    // Of a client that is not found, nothing holds.
    let unknown = from(captcha().bind_client_ip(USUAL), None);
    assert_eq!(refused(unknown, "sandbox-pass").await, Some(DenialReason::CaptchaUnbound));
}

#[tokio::test]
async fn an_address_that_cannot_be_read_is_another_one() {
    let reply = |args: &str| Fault::Garbage(format!(r#"{{"code":6000,"result":"success"{args}}}"#).into());
    for (args, holds) in [
        (r#","captchaArgs":{"user_ip":"203.0.113.7"}"#, true),
        (r#","captchaArgs":{"user_ip":"203.0.113.7:80"}"#, false),
        (r#","captchaArgs":{"user_ip":"203.0.113.007"}"#, false),
        (r#","captchaArgs":{"user_ip":"203.0.113"}"#, false),
        (r#","captchaArgs":{"user_ip":"203.0.113.7 "}"#, false),
        (r#","captchaArgs":{"user_ip":"203.0.113.7, 203.0.113.8"}"#, false),
        (r#","captchaArgs":{"user_ip":"0xcb.0.113.7"}"#, false),
        (r#","captchaArgs":{"user_ip":"[::ffff:203.0.113.7]"}"#, false),
        (r#","captchaArgs":{"user_ip":"[::ffff:203.0.113.7]:80"}"#, false),
        (r#","captchaArgs":{"user_ip":"::ffff:203.0.113.7%eth0"}"#, false),
        (r#","captchaArgs":{"user_ip":"::ffff:203.0.113.7"}"#, true),
        (r#","captchaArgs":{"user_ip":""}"#, false),
        (r#","captchaArgs":{"user_ip":3405803783}"#, false),
        (r#","captchaArgs":{"user_ip":null}"#, false),
        (r#","captchaArgs":{"user_ip":["203.0.113.7"]}"#, false),
        (r#","captchaArgs":{"user_ip":"203.0.113.7","user_ip":"203.0.113.7"}"#, false),
        (r#","captchaArgs":{"user_ip":"203.0.113.7","scene":"a","scene":"b"}"#, false),
        (r#","captchaArgs":{"User_ip":"203.0.113.7"}"#, false),
        (r#","captchaArgs":{}"#, false),
        (r#","captchaArgs":["slide","203.0.113.7"]"#, false),
        (r#","captchaArgs":null"#, false),
        (r#","user_ip":"203.0.113.7""#, false),
        ("", false),
    ] {
        let desk = Sandboxed::new(from(captcha().bind_client_ip(USUAL), Some("203.0.113.9")));
        desk.sandbox.fault(reply(args));
        let response = desk.login(&json!({"captchaContent": "sandbox-pass"})).await;
        assert_eq!(response.status().as_u16(), if holds { 200 } else { 403 }, "{args}");
        if !holds {
            assert_eq!(denial(&response).reason(), DenialReason::CaptchaUnbound, "{args}");
        }
    }
}

#[tokio::test]
async fn over_sockets_a_reply_without_captcha_args_is_unbound() {
    let rule = Rule::post("/login", captcha().bind_client_ip(USUAL)).client_ip(ClientIp::forwarded(1));
    for (content, status) in [("sandbox-pass-bare", 403), ("sandbox-pass", 200), ("sandbox-pass-ip-198.51.100.7", 403)]
    {
        let desk = Sandboxed::new(rule.clone());
        let address: SocketAddr = serve(desk.layer.layer(desk.application.clone())).await;
        let body = json!({"captchaContent": content}).to_string();
        let head = format!(
            "POST /login HTTP/1.1\r\nhost: h\r\nconnection: close\r\nx-forwarded-for: 203.0.113.99\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let answer = exchange(address, head + &body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{content}: {answer}");
        assert_eq!(answer.contains("\"verification_failed\""), status == 403, "{content}: {answer}");
        assert_eq!(desk.application.runs(), usize::from(status == 200), "{content}");
    }
}

#[tokio::test]
async fn an_unbound_captcha_steps_up_no_risk_and_takes_the_place_of_no_check() {
    let login = |token: &str, captcha: &str| json!({"token": token, "phone": PHONE, "captchaContent": captcha});
    let here = "sandbox-pass-type-slide-ip-203.0.113.1";
    let step_up = || number().step_up_used_types(["slide"]).step_up_bind_client_ip(USUAL);
    let first = || captcha().used_types(["slide"]).bind_client_ip(USUAL).then(number());
    for ask in [Ask::from(step_up()), first()] {
        let policy = Policy::default().on(Class::Inconclusive, Fallback::Captcha);
        let rule = from(ask, Some("203.0.113.99")).policy(policy);
        for token in ["sandbox-9000-risk-700", "sandbox-9002"] {
            for (captcha, status) in [
                (here, 200),
                ("sandbox-pass-type-click-ip-203.0.113.1", 403),
                ("sandbox-pass-type-slide-ip-203.0.112.1", 403),
                ("sandbox-pass-bare", 403),
            ] {
                let desk = Sandboxed::new(rule.clone());
                let response = desk.login(&login(token, captcha)).await;
                assert_eq!(response.status(), status, "{token} {captcha}");
                assert_eq!(desk.application.runs(), usize::from(status == 200), "{token} {captcha}");
                if status != 200 {
                    assert_eq!(denial(&response).reason(), DenialReason::CaptchaUnbound, "{token} {captcha}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_custom_verifier_may_return_where_a_captcha_was_solved() {
    for (solver, status) in [(Some("203.0.113.1"), 200), (Some("203.0.112.1"), 403), (None, 403)] {
        let solver: Option<IpAddr> = solver.map(|solver| solver.parse().unwrap());
        let verifier = Verifier::answering(move |check| {
            let verdict = Verdict::new(check.kind(), Class::Passed).with_lot_number("lot 1");
            Some(solver.map_or(verdict.clone(), |solver| verdict.with_user_ip(solver)))
        });
        let rule = from(captcha().bind_client_ip(USUAL), Some("203.0.113.99"));
        let guarded = Guarded::asking(verifier, |verifier| builder(verifier).rule(rule).build().unwrap());
        let response = guarded.send(post_json("/login", r#"{"captchaContent":"c"}"#)).await;
        assert_eq!(response.status(), status, "{solver:?}");
    }
}

#[test]
fn bindings_that_cannot_hold_are_refused() {
    let with_clients = |ask: Ask| Rule::post("/login", ask).client_ip(ClientIp::peer());
    for prefix in [(0, 48), (33, 48), (24, 0), (24, 129), (0, 0), (255, 255)] {
        let prefix = Prefix { v4: prefix.0, v6: prefix.1 };
        for ask in [Ask::from(captcha().bind_client_ip(prefix)), number().step_up_bind_client_ip(prefix).into()] {
            let error = error(with_clients(ask)).unwrap_or_else(|| panic!("{prefix:?}"));
            assert_eq!((error.setting(), error.rule()), ("bind_client_ip", Some("POST /login")));
        }
    }
    for prefix in [USUAL, Prefix { v4: 1, v6: 1 }, Prefix { v4: 32, v6: 128 }] {
        assert_eq!(error(with_clients(captcha().bind_client_ip(prefix).into())), None, "{prefix:?}");
    }
    for ask in [Ask::from(captcha().bind_client_ip(USUAL)), number().step_up_bind_client_ip(USUAL).into()] {
        let error = error(Rule::post("/login", ask)).unwrap();
        assert_eq!((error.setting(), error.rule()), ("bind_client_ip", Some("POST /login")));
        assert!(error.to_string().contains("`client_ip`"), "{error}");
    }
    let types = |types: &[&'static str]| captcha().used_types(types.iter().copied());
    for ask in [types(&[]), types(&["slide", ""])] {
        assert_eq!(error(Rule::post("/login", ask)).unwrap().setting(), "used_types");
    }
    let twice = captcha().then(number().step_up_used_types(["slide"]));
    assert_eq!(error(Rule::post("/login", twice)).unwrap().setting(), "rule.ask", "the captcha of the rule has them");
}

#[tokio::test]
async fn the_event_has_the_lot_number_encoded_and_bounded() {
    let (log, _listening) = crate::telemetry::Log::listen();
    let reply = |lot_number: Value| json!({"code": 6000, "result": "success", "captchaArgs": {"lot_number": lot_number, "user_ip": "198.51.100.77"}});
    for (lot_number, shown) in [
        (
            json!("f80971ac19db489b8054e0c81f9aabfc"),
            Some("lot_number=\"f80971ac19db489b8054e0c81f9aabfc\" ".to_owned()),
        ),
        (json!("a\nb decision=\"allow\""), Some("lot_number=\"a%0Ab%20decision%3D%22allow%22\" ".to_owned())),
        (json!("7".repeat(10_000)), Some(format!("lot_number=\"{}\" ", "7".repeat(64)))),
        (json!(""), None),
        (json!(null), None),
        (json!(7), None),
    ] {
        let desk = Sandboxed::new(Rule::post("/login", captcha()));
        desk.sandbox.fault(Fault::Garbage(reply(lot_number.clone()).to_string().into()));
        log.take_events();
        desk.login(&json!({"captchaContent": "sandbox-pass"})).await;
        let events = log.take_events();
        let event = events.iter().find(|event| event.contains("decision=")).unwrap();
        match shown {
            Some(shown) => assert!(event.contains(&shown), "{shown}\n{event}"),
            None => assert!(!event.contains("lot_number"), "{lot_number}\n{event}"),
        }
        assert!(!event.contains("198.51.100.77"), "{event}");
    }
}
