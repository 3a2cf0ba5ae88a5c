//! What JPush receives in addition to the proof, and what the application receives in addition to the decision.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
};

use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;
use tower_jverify::{Channel, ClientIp, Rule, captcha, number, one_tap, sandbox::PhoneForm};

use super::PHONE;
use crate::support::{Sandboxed, post_json};

fn login() -> Request<Full<Bytes>> {
    let body = json!({"token": "sandbox-9000", "phone": PHONE, "captchaContent": "sandbox-pass"});
    post_json("/login", body.to_string())
}

#[tokio::test]
async fn a_browsers_token_is_asked_about_at_the_browsers_endpoint() {
    for (rule, path, channel) in [
        (Rule::post("/login", number()), "/v2/web/verify", Channel::App),
        (Rule::post("/login", number().web()), "/v2/web/h5/verify", Channel::Web),
    ] {
        let desk = Sandboxed::new(rule);
        assert_eq!(desk.send(login()).await.status(), 200, "{path}");
        let call = &desk.sandbox.calls()[0];
        assert_eq!((call.path(), call.channel(), call.phone()), (path, Some(channel), PhoneForm::Text));
    }
    for (rule, path) in [
        (Rule::post("/login", one_tap()), "/v2/web/loginTokenVerify"),
        (Rule::post("/login", one_tap().web()), "/v2/web/h5/loginTokenVerify"),
    ] {
        let desk = Sandboxed::new(rule);
        assert_eq!(desk.login(&json!({"loginToken": "sandbox-8000-13800000000"})).await.status(), 200, "{path}");
        assert_eq!(desk.sandbox.calls()[0].path(), path);
    }
    let desk = Sandboxed::new(Rule::post("/login", captcha().then(number().web().with_risk())));
    assert_eq!(desk.send(login()).await.status(), 200);
    let paths: Vec<_> = desk.sandbox.calls().iter().map(|call| call.path().to_owned()).collect();
    assert_eq!(paths, ["/action/check", "/v2/web/h5/verify", "/v2/web/queryBusinessRisk"]);
}

#[tokio::test]
async fn every_check_has_a_different_id() {
    let desk = Sandboxed::new(Rule::post("/login", captcha().then(number().with_risk())));
    for _ in 0..20 {
        // It could be an exID, but the rule does not set `ex_id`.
        let mut request = login();
        request.headers_mut().insert("x-request-id", "trace-1".parse().unwrap());
        assert_eq!(desk.send(request).await.status(), 200);
    }
    let calls = desk.sandbox.calls();
    let ids: HashSet<_> = calls.iter().map(|call| call.ex_id().expect("an id was sent").to_owned()).collect();
    assert_eq!((calls.len(), ids.len()), (60, 60));
    assert!(!ids.contains("trace-1"));
}

#[tokio::test]
async fn an_id_is_taken_from_the_request_only_when_asked_for_and_well_formed() {
    let desk = Sandboxed::set(|builder| builder.rule(Rule::post("/login", number())).ex_id_from_request_id(true));
    let longest = "x".repeat(64);
    for (ids, taken) in [
        (vec!["trace-1_A"], true),
        (vec![longest.as_str()], true),
        (vec!["7"], true),
        (vec![&*"x".repeat(65)], false),
        (vec![""], false),
        (vec!["a b"], false),
        (vec!["a\"b"], false),
        (vec!["a.b"], false),
        (vec!["trace-1", "trace-2"], false),
        (vec!["trace-1,trace-2"], false),
        (vec![], false),
    ] {
        let mut request = login();
        for id in &ids {
            request.headers_mut().append("x-request-id", id.parse().unwrap());
        }
        assert_eq!(desk.send(request).await.status(), 200, "{ids:?}");
        let calls = desk.sandbox.take_calls();
        let sent = calls[0].ex_id().expect("an id was sent");
        assert_eq!(ids == [sent], taken, "{ids:?}: {sent}");
        assert!((1..=64).contains(&sent.len()), "{ids:?}: {sent}");
    }
}

#[tokio::test]
async fn no_address_is_sent_unless_asked_for() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    let mut request = login();
    request.headers_mut().insert("x-forwarded-for", "203.0.114.9".parse().unwrap());
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([8, 8, 8, 8], 1))));
    request.extensions_mut().insert(SocketAddr::from(([8, 8, 8, 8], 1)));
    assert_eq!(desk.send(request).await.status(), 200);
    assert_eq!(desk.sandbox.calls()[0].ip(), None);
}

#[tokio::test]
async fn forwarded_hops_are_counted_from_the_right() {
    for (hops, lines, sent) in [
        (1, &["8.8.8.8"][..], Some("8.8.8.8")),
        (1, &["6.6.6.6, 8.8.8.8"], Some("8.8.8.8")),
        (2, &["6.6.6.6, 8.8.8.8"], Some("6.6.6.6")),
        (2, &["1.1.1.1, 6.6.6.6,8.8.8.8"], Some("6.6.6.6")),
        (1, &["6.6.6.6", "8.8.8.8"], Some("8.8.8.8")),
        (2, &["6.6.6.6", "8.8.8.8"], Some("6.6.6.6")),
        (1, &["8.8.8.8:4711"], Some("8.8.8.8")),
        (1, &["[2400:3200::1]:4711"], Some("2400:3200::1")),
        (1, &["2400:3200::1"], Some("2400:3200::1")),
        // Fewer hops than configured: none of the addresses is trusted.
        (2, &["8.8.8.8"], None),
        (1, &[], None),
        (1, &["8.8.8.8, unknown"], None),
        (1, &["8.8.8.8, "], None),
        // Addresses of a private network, and text that is not an address.
        (1, &["8.8.8.8, 10.0.0.1"], None),
        (1, &["127.0.0.1"], None),
        (1, &["192.168.1.1"], None),
        (1, &["172.16.0.1"], None),
        (1, &["169.254.169.254"], None),
        (1, &["100.64.0.1"], None),
        (1, &["0.0.0.0"], None),
        (1, &["255.255.255.255"], None),
        (1, &["224.0.0.1"], None),
        (1, &["::1"], None),
        (1, &["fe80::1"], None),
        (1, &["fd00::1"], None),
        (1, &["::ffff:10.0.0.1"], None),
        (1, &["::ffff:8.8.8.8"], Some("8.8.8.8")),
    ] {
        let desk = Sandboxed::set(|builder| {
            builder.rule(Rule::post("/login", number())).client_ip(ClientIp::forwarded(hops)).send_client_ip(true)
        });
        let mut request = login();
        for line in lines {
            request.headers_mut().append("x-forwarded-for", line.parse().unwrap());
        }
        assert_eq!(desk.send(request).await.status(), 200, "{hops} {lines:?}");
        assert_eq!(desk.sandbox.calls()[0].ip(), sent, "{hops} {lines:?}");
    }
}

#[tokio::test]
async fn the_peer_or_a_function_is_used_when_set_and_private_addresses_are_never_sent() {
    for (address, sent) in [("8.8.8.8", Some("8.8.8.8")), ("10.1.2.3", None), ("127.0.0.1", None)] {
        let ip: IpAddr = address.parse().unwrap();
        for source in ["connect info", "socket address", "function"] {
            let client_ip = if source == "function" { ClientIp::from_fn(move |_| Some(ip)) } else { ClientIp::peer() };
            let desk = Sandboxed::new(Rule::post("/login", number()).client_ip(client_ip).send_client_ip(true));
            let mut request = login();
            let peer = SocketAddr::new(ip, 1);
            match source {
                "connect info" => drop(request.extensions_mut().insert(ConnectInfo(peer))),
                "socket address" => drop(request.extensions_mut().insert(peer)),
                _ => {}
            }
            assert_eq!(desk.send(request).await.status(), 200, "{source} {address}");
            assert_eq!(desk.sandbox.calls()[0].ip(), sent, "{source} {address}");
        }
    }
}

#[tokio::test]
async fn an_address_that_says_who_the_client_is_is_not_sent_unless_asked_for() {
    let ip = || ClientIp::from_fn(|_| Some(IpAddr::from([8, 8, 8, 8])));
    for (rule, sent) in [
        (Rule::post("/login", number()).client_ip(ip()), None),
        (Rule::post("/login", number()).client_ip(ip()).send_client_ip(true), Some("8.8.8.8")),
    ] {
        let desk = Sandboxed::new(rule);
        assert_eq!(desk.send(login()).await.status(), 200);
        assert_eq!(desk.sandbox.calls()[0].ip(), sent);
    }
}

#[tokio::test]
async fn a_captcha_is_sent_no_address() {
    let desk = Sandboxed::set(|builder| {
        let ip = ClientIp::from_fn(|_| Some(IpAddr::from([8, 8, 8, 8])));
        builder.rule(Rule::post("/login", captcha().then(number()))).client_ip(ip).send_client_ip(true)
    });
    assert_eq!(desk.send(login()).await.status(), 200);
    let ips: Vec<_> = desk.sandbox.calls().iter().map(|call| call.ip().map(ToOwned::to_owned)).collect();
    assert_eq!(ips, [None, Some("8.8.8.8".to_owned())]);
}

#[tokio::test]
async fn the_proven_phone_is_handed_on_only_when_asked_for() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    assert_eq!(desk.send(login()).await.status(), 200);
    assert_eq!(desk.application.header("x-jverify-phone"), None);

    let desk = Sandboxed::new(Rule::post("/login", captcha().or(number())).forward_phone(true));
    assert_eq!(desk.send(login()).await.status(), 200);
    assert_eq!(desk.application.header("x-jverify-phone").as_deref(), Some(PHONE));
    assert!(desk.application.last().parts.headers["x-jverify-phone"].is_sensitive());
    // A phone that comes with a captcha only is not proven.
    assert_eq!(desk.login(&json!({"captchaContent": "sandbox-pass", "phone": PHONE})).await.status(), 200);
    assert_eq!(desk.application.header("x-jverify-phone"), None);
}

#[tokio::test]
async fn the_prefix_is_a_setting_and_what_is_under_it_is_ours() {
    let desk = Sandboxed::set(|builder| {
        builder.rule(Rule::post("/login", number())).header_prefix("x-acme-login").forward_phone(true)
    });
    let mut request = login();
    request.headers_mut().insert("x_acme_login_decision", "allow".parse().unwrap());
    request.headers_mut().insert("x-acme-login-risk-score", "0".parse().unwrap());
    request.headers_mut().insert("x-acme-loginx", "theirs".parse().unwrap());
    assert_eq!(desk.send(request).await.status(), 200);
    let headers = desk.application.last().parts.headers;
    let mut ours: Vec<_> = headers.keys().map(http::HeaderName::as_str).filter(|name| name.contains("acme")).collect();
    ours.sort_unstable();
    assert_eq!(
        ours,
        [
            "x-acme-login-checks",
            "x-acme-login-decision",
            "x-acme-login-id",
            "x-acme-login-phone",
            "x-acme-login-reason",
            "x-acme-login-risk-level",
            "x-acme-login-risk-score",
            "x-acme-login-sandbox",
            "x-acme-loginx",
        ]
    );
    assert!(!headers.keys().any(|name| name.as_str().starts_with("x-jverify")));
}

#[tokio::test]
async fn ids_are_handed_on_whole_in_the_order_of_the_checks() {
    let desk = Sandboxed::new(Rule::post("/login", captcha().then(number())));
    assert_eq!(desk.send(login()).await.status(), 200);
    let told: Vec<_> = desk.decision().verdicts().iter().map(|verdict| verdict.id().unwrap().to_string()).collect();
    assert_eq!(desk.application.header("x-jverify-id"), Some(told.join(",")));
    assert!(told.iter().all(|id| id.parse::<u64>().unwrap() > 1 << 53), "{told:?}");
}

#[tokio::test]
async fn the_sandbox_is_marked_in_header_and_extension() {
    let desk = Sandboxed::new(Rule::post("/login", number()));
    assert_eq!(desk.send(login()).await.status(), 200);
    assert_eq!(desk.application.header("x-jverify-sandbox").as_deref(), Some("1"));
    assert!(desk.decision().is_sandbox());
    assert!(desk.decision().verdicts()[0].is_sandbox());
}

#[tokio::test]
async fn only_the_sandbox_is_marked() {
    let (verifier, application) = (crate::support::Verifier::passing(), crate::support::Application::default());
    let layer = crate::support::login_layer(&verifier);
    let mut request = post_json("/login", crate::support::LOGIN);
    request.headers_mut().insert("x-jverify-sandbox", "1".parse().unwrap());
    assert_eq!(crate::support::send(&layer, &application, request).await.status(), 200);
    assert_eq!(application.header("x-jverify-sandbox"), None);
}
