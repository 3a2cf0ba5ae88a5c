//! The limits of a client, and how clients are identified.

use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use serde_json::json;
use tokio::time::advance;
use tower_jverify::{Check, Class, ClientIp, DenialReason, Guards, Rate, Rule, Verdict, number, one_tap};

use super::{Desk, LIMITED, phone, retry_after};
use crate::guards::{MINUTE, OTHER, PHONE, from, login, outcome, reason};
use crate::{
    support::{Verifier, code, post_json, send},
    telemetry::{Log, metrics::Recorded},
};

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
