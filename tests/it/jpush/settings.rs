//! `build()` of the client rejects invalid settings and names them.

use std::time::Duration;

use tower_jverify::{ConfigError, Credentials, JPush, JPushBuilder, Secret};

use super::support::{MASTER_SECRET, credentials};

fn refused(set: impl FnOnce(JPushBuilder) -> JPushBuilder) -> ConfigError {
    set(JPush::builder(credentials())).build().expect_err("refused")
}

#[test]
fn each_invalid_setting_is_named() {
    for (error, setting) in [
        (refused(|b| b.base_url("http://api.verification.jpush.cn")), "base_url"),
        (refused(|b| b.base_url("http://10.0.0.1")), "base_url"),
        (refused(|b| b.base_url("https://me:canary@api.verification.jpush.cn")), "base_url"),
        (refused(|b| b.base_url("https://api.verification.jpush.cn?x=canary")), "base_url"),
        (refused(|b| b.base_url("")), "base_url"),
        (refused(|b| b.connect_timeout(Duration::ZERO)), "connect_timeout"),
        (refused(|b| b.call_timeout(Duration::ZERO)), "call_timeout"),
        (refused(|b| b.idle_timeout(Duration::ZERO)), "idle_timeout"),
        (refused(|b| b.max_idle(0)), "max_idle"),
        (refused(|b| b.extra_root_pem(b"canary")), "extra_root_pem"),
        (refused(|b| b.extra_root_pem(b"")), "extra_root_pem"),
        (refused(|b| b.one_tap_key(&Secret::from("canary"))), "one_tap_key"),
        (refused(|b| b.one_tap_key_from_fn(|| "canary")), "one_tap_key"),
        (refused(|b| b.proxy("http://canary:x@proxy:0")), "proxy"),
        (refused(|b| b.proxy("https://canary:x@proxy:443")), "proxy"),
        (refused(|b| b.proxy("http://canary@proxy").base_url("http://127.0.0.1:1")), "proxy"),
        (refused(|b| b.proxy("http://canary@proxy").proxy_from_env()), "proxy_from_env"),
        (refused(|b| b.keep_warm().idle_timeout(Duration::from_millis(999))), "keep_warm"),
        (refused(JPushBuilder::danger_plain_http_to_private_hosts), "danger_plain_http_to_private_hosts"),
        (refused(|b| b.danger_plain_http_to_private_hosts().base_url("http://8.8.8.8")), "base_url"),
        (refused(|b| b.proof_bytes(*b"#\n")), "proof_bytes"),
        (refused(|b| b.proof_bytes(0..=0xff)), "proof_bytes"),
    ] {
        assert_eq!(error.setting(), setting);
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}

#[test]
fn a_setting_of_https_is_refused_where_another_transport_replaces_it() {
    let with = |set: fn(JPushBuilder) -> JPushBuilder| {
        set(JPush::builder(credentials())).transport(()).transport("the last counts").build()
    };
    for (set, setting) in [
        ((|b| b.connect_timeout(Duration::from_secs(1))) as fn(JPushBuilder) -> JPushBuilder, "connect_timeout"),
        (|b| b.idle_timeout(Duration::from_secs(1)), "idle_timeout"),
        (|b| b.max_idle(1), "max_idle"),
        (|b| b.http2(), "http2"),
        (|b| b.platform_roots(), "platform_roots"),
        (|b| b.extra_root_pem(b""), "extra_root_pem"),
        (|b| b.proxy("http://proxy:3128"), "proxy"),
        (|b| b.proxy_from_env(), "proxy_from_env"),
        (|b| b.keep_warm(), "keep_warm"),
    ] {
        assert_eq!(with(set).unwrap_err().setting(), setting);
    }
    assert!(with(|b| b.call_timeout(Duration::from_secs(1)).require_ex_id()).is_ok(), "settings of every transport");
}

#[test]
fn a_custom_transports_base_url_is_checked_as_well() {
    let error = JPush::builder(credentials()).transport(()).base_url("http://jpush.cn").build().err().unwrap();
    assert_eq!(error.setting(), "base_url");
    // Where a name leads is known to the transport alone.
    let with =
        |url| JPush::builder(credentials()).transport(()).base_url(url).danger_plain_http_to_private_hosts().build();
    assert_eq!(with("http://sandbox:4000").unwrap_err().setting(), "base_url");
    assert!(with("http://10.0.0.1:4000").is_ok() && with("http://localhost:4000").is_ok());
}

#[test]
fn empty_credentials_are_refused() {
    assert_eq!(Credentials::new("", MASTER_SECRET).unwrap_err().setting(), "credentials");
    assert_eq!(Credentials::new("key", "").unwrap_err().setting(), "credentials");
}

#[test]
fn nothing_of_a_client_shows_its_secrets() {
    let builder = JPush::builder(credentials()).proxy("http://7d431e42-user:7d431e42-password@proxy.example:3128");
    let shown = format!("{builder:?}");
    let client = builder.build().unwrap();
    let shown = format!("{shown} {client:?} {:?}", credentials());
    assert!(!shown.contains(MASTER_SECRET) && !shown.contains("7d431e42"), "{shown}");
}
