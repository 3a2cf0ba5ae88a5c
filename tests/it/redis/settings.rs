//! Settings of Redis that cannot work are refused by name, and none shows a value that may be secret.

use std::time::Duration;

use tower_jverify::{ConfigError, Guards, JVerifyLayer, Redis, RedisBuilder, Rule, Secret, number};

use crate::support::{Verifier, redis_server::KEY};

const URL: &str = "redis://127.0.0.1";

fn built(builder: RedisBuilder) -> Result<(), ConfigError> {
    builder.deployment_key(Secret::from(KEY)).build().map(drop)
}

/// The setting that is refused.
fn refused(builder: RedisBuilder) -> &'static str {
    let error = built(builder).expect_err("it is refused");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    error.setting()
}

#[test]
fn a_deadline_below_10_ms_or_above_1_s_is_refused() {
    let with = |micros| Redis::builder(URL).deadline(Duration::from_micros(micros));
    for micros in [0, 9_999, 1_000_001] {
        assert_eq!(refused(with(micros)), "redis.deadline", "{micros}");
    }
    for micros in [10_000, 1_000_000] {
        assert_eq!(built(with(micros)), Ok(()), "{micros}");
    }
}

/// The deadline of a rule must be longer than 1 s and that of Redis together.
#[test]
fn by_default_a_request_waits_for_redis_for_100_ms() {
    let redis = Redis::builder(URL).deployment_key(Secret::from(KEY)).build().unwrap();
    let guards = Guards::builder().redis(redis).build().unwrap();
    let with = |millis| {
        let rule = Rule::post("/login", number()).deadline(Duration::from_millis(millis));
        JVerifyLayer::builder(Verifier::passing()).guards(&guards).rule(rule).build().map(drop)
    };
    assert_eq!(with(1_100).unwrap_err().setting(), "deadline");
    assert_eq!(with(1_101), Ok(()));
}

#[test]
fn a_url_that_is_not_one_of_redis_is_refused() {
    for url in [
        "",
        "127.0.0.1:6379",
        "http://127.0.0.1",
        "unix:///run/redis.sock",
        "redis+unix:///run/redis.sock",
        "redis://",
        "redis://127.0.0.1:65536",
        "redis://127.0.0.1/one",
        "redis://127.0.0.1/65536",
        "redis://127.0.0.1/-1",
        "redis://127.0.0.1?canary=1",
        "redis://127.0.0.1#insecure",
        "rediss://127.0.0.1/#insecure",
        "redis://user:canary%ff@127.0.0.1",
        "redis://canary@127.0.0.1",
    ] {
        assert_eq!(refused(Redis::builder(url)), "redis.url", "{url}");
        assert_eq!(refused(Redis::sentinel("main", [URL, url])), "redis.url", "{url}");
        assert_eq!(refused(Redis::cluster([URL, url])), "redis.url", "{url}");
    }
    for url in [URL, "redis://[::1]:6380/15", "rediss://user:p%40ss@redis.internal", "valkey://:pass@127.0.0.1"] {
        assert_eq!(built(Redis::builder(url)), Ok(()), "{url}");
    }
}

#[test]
fn a_list_without_a_server_and_a_cluster_that_the_client_cannot_use_are_refused() {
    assert_eq!(refused(Redis::sentinel("main", [""; 0])), "redis.url");
    assert_eq!(refused(Redis::cluster([""; 0])), "redis.url");
    for url in ["rediss://127.0.0.1", "redis://127.0.0.1/1"] {
        assert_eq!(refused(Redis::cluster([url])), "redis.url", "{url}");
    }
    for urls in [["redis://one", "rediss://two"], ["rediss://one", "redis://two"]] {
        assert_eq!(refused(Redis::sentinel("main", urls)), "redis.url");
        assert_eq!(refused(Redis::cluster(urls)), "redis.url");
    }
    assert_eq!(built(Redis::cluster([URL, "redis://two:6380"])), Ok(()));
}

#[test]
fn a_root_that_is_not_a_certificate_is_refused() {
    let broken = "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n";
    for pem in ["", "canary", broken] {
        assert_eq!(refused(Redis::builder(URL).extra_root_pem(pem)), "redis.extra_root_pem", "{pem}");
    }
}
