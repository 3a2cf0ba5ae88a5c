//! The sandbox accepts every client, so a client from another host is a warning.

use std::{net::SocketAddr, time::Duration};

use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower_jverify::{ClientIp, Rule, number};

use super::Log;
use crate::support::{Guarded, LOGIN, Sandboxed, post_json};

/// Gives a request what a server knows of its client.
type Set = Box<dyn Fn(&mut Request<Full<Bytes>>)>;

fn login(token: &str) -> Request<Full<Bytes>> {
    post_json("/login", format!(r#"{{"token":"{token}","phone":"13800000000"}}"#))
}

/// How often the log warned since the last time.
fn warnings(log: &Log) -> usize {
    let events = log.take_events();
    let warnings = events.iter().filter(|event| event.contains("the sandbox let a client through")).inspect(|event| {
        assert!(event.starts_with("WARN") && event.contains("rule=\"POST /login\""), "{event}");
        assert!(!event.contains("203.0.113") && !event.contains("2001:db8"), "an address is a personal datum: {event}");
    });
    warnings.count()
}

#[tokio::test]
async fn it_goes_by_the_clients_address_or_the_peers() {
    let peer = |address: &'static str| {
        move |request: &mut Request<_>| {
            request.extensions_mut().insert(address.parse::<SocketAddr>().unwrap());
        }
    };
    let axum = |address: &'static str| {
        move |request: &mut Request<_>| {
            request.extensions_mut().insert(ConnectInfo(address.parse::<SocketAddr>().unwrap()));
        }
    };
    let cases: [(&str, Set, usize); 10] = [
        ("not known", Box::new(|_| ()), 0),
        ("this host", Box::new(peer("127.0.0.1:1")), 0),
        ("this host, by its whole network", Box::new(peer("127.9.9.9:1")), 0),
        ("this host, IPv6", Box::new(peer("[::1]:1")), 0),
        ("this host, mapped", Box::new(peer("[::ffff:127.0.0.1]:1")), 0),
        ("elsewhere", Box::new(peer("203.0.113.7:1")), 1),
        ("elsewhere, private", Box::new(peer("10.0.0.7:1")), 1),
        ("elsewhere, IPv6", Box::new(peer("[2001:db8::7]:1")), 1),
        ("elsewhere, mapped", Box::new(peer("[::ffff:203.0.113.7]:1")), 1),
        ("elsewhere, axum", Box::new(axum("203.0.113.7:1")), 1),
    ];
    for (what, set, expected) in cases {
        let desk = Sandboxed::new(Rule::post("/login", number()));
        let (log, _listening) = Log::listen();
        let mut request = login("sandbox-9000");
        set(&mut request);
        assert_eq!(desk.send(request).await.status(), 200);
        assert_eq!(warnings(&log), expected, "{what}");
    }
}

#[tokio::test]
async fn the_setting_client_ip_says_who_the_client_is() {
    for (address, peer, expected) in [
        ("203.0.113.7", "127.0.0.1:1", 1),
        ("127.0.0.1", "203.0.113.7:1", 0),
        // It finds none.
        ("unknown", "203.0.113.7:1", 1),
    ] {
        let desk = Sandboxed::new(Rule::post("/login", number()).client_ip(ClientIp::forwarded(1)));
        let (log, _listening) = Log::listen();
        let mut request = login("sandbox-9000");
        request.headers_mut().insert("x-forwarded-for", address.parse().unwrap());
        request.extensions_mut().insert(peer.parse::<SocketAddr>().unwrap());
        assert_eq!(desk.send(request).await.status(), 200);
        assert_eq!(warnings(&log), expected, "{address}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_written_once_a_minute_and_only_of_what_was_let_through() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    let (log, _listening) = Log::listen();
    let send = |token: &'static str| {
        let mut request = login(token);
        request.extensions_mut().insert("203.0.113.7:1".parse::<SocketAddr>().unwrap());
        desk.send(request)
    };
    assert_eq!(send("sandbox-9001").await.status(), 403);
    assert_eq!(warnings(&log), 0);
    for (after, expected) in [(0, 1), (0, 0), (59, 0), (1, 1), (30, 0)] {
        tokio::time::advance(Duration::from_secs(after)).await;
        assert_eq!(send("sandbox-9000").await.status(), 200);
        assert_eq!(warnings(&log), expected, "after {after} s");
    }
}

#[tokio::test]
async fn a_carriers_answer_warns_of_nothing() {
    let guarded = Guarded::login();
    let (log, _listening) = Log::listen();
    let mut request = post_json("/login", LOGIN);
    request.extensions_mut().insert("203.0.113.7:1".parse::<SocketAddr>().unwrap());
    guarded.verifies(request, "a carrier's").await;
    assert_eq!(warnings(&log), 0);
}
