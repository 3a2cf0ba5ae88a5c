//! Redis does not answer.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::{sleep, timeout};
use tower_jverify::{DenialReason, Guards, GuardsBuilder, JVerifyLayer, Rule, StorePolicy, number};

use super::{Instance, PHONE, builder};
use crate::{
    support::{Application, Verifier, post_json, redis_server::Server, send},
    telemetry::Log,
};

const STORE_DOWN: Result<(), DenialReason> = Err(DenialReason::StoreDown);

fn refuse(guards: GuardsBuilder) -> GuardsBuilder {
    guards.store_policy(StorePolicy::Refuse)
}

/// Logs in with one token after the other, until one passes.
async fn until_it_passes(instance: &Instance) {
    let passes = async {
        for number in 1_000.. {
            if instance.login(&format!("back {number}"), number).await.is_ok() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), passes).await.expect("Redis is back");
}

#[tokio::test]
async fn without_redis_the_memory_of_the_instance_decides_and_one_warning_says_so() {
    let Some(mut server) = Server::start() else { return };
    let instance = Instance::new(&server);
    assert_eq!(instance.login("before", 1).await, Ok(()));
    server.kill();
    let (log, _listening) = Log::listen();
    for number in 0..10 {
        let token = format!("token {number}");
        assert_eq!(instance.login(&token, number).await, Ok(()));
        assert_eq!(instance.login(&token, 100 + number).await, Err(DenialReason::Replayed));
    }
    assert_eq!(instance.login("before", 50).await, Err(DenialReason::Replayed), "it was claimed here");
    // Limits hold too.
    for number in 0..6 {
        let login = instance.login_from("192.0.2.1", &format!("limited {number}"), super::PHONE).await;
        assert_eq!(login, if number < 3 { Ok(()) } else { Err(DenialReason::RateLimited) });
    }
    let warnings: Vec<_> = log.take_events().into_iter().filter(|event| event.contains("store_local")).collect();
    assert!(warnings.len() == 1 && warnings[0].starts_with("WARN"), "{warnings:?}");
}

#[tokio::test]
async fn without_redis_a_policy_that_refuses_asks_nothing_until_it_is_back() {
    let Some(mut server) = Server::start() else { return };
    let instance = Instance::with(&server, refuse);
    assert_eq!(instance.login("before", 1).await, Ok(()));
    server.kill();
    for number in 2..20 {
        assert_eq!(instance.login(&format!("token {number}"), number).await, STORE_DOWN);
    }
    assert_eq!(instance.verifier.calls(), 1);
    server.spawn();
    until_it_passes(&instance).await;
    assert_eq!(instance.login("token 2", 2).await, Ok(()), "a refused request claims nothing");
}

#[tokio::test]
async fn a_frozen_redis_holds_up_a_few_requests_and_then_none() {
    let Some(server) = Server::start() else { return };
    let instance = Instance::new(&server);
    assert_eq!(instance.login("before", 1).await, Ok(()));
    server.signal("STOP");
    for number in 2..8 {
        assert_eq!(instance.login(&format!("token {number}"), number).await, Ok(()));
    }
    // A thousand requests take less time than ten that wait.
    let began = Instant::now();
    for number in 10..1_010 {
        assert_eq!(instance.login(&format!("token {number}"), number).await, Ok(()));
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    server.signal("CONT");
}

#[tokio::test]
async fn a_read_only_redis_is_used_again_once_it_can_write() {
    let Some(server) = Server::start() else { return };
    let (refusing, local) = (Instance::with(&server, refuse), Instance::new(&server));
    assert_eq!(refusing.login("before", 1).await, Ok(()));
    server.tell(&[&["REPLICAOF", "127.0.0.1", "1"]]);
    for number in 2..10 {
        assert_eq!(refusing.login(&format!("token {number}"), number).await, STORE_DOWN);
        assert_eq!(local.login(&format!("other {number}"), 20 + number).await, Ok(()));
    }
    server.tell(&[&["REPLICAOF", "NO", "ONE"]]);
    until_it_passes(&refusing).await;
}

#[tokio::test]
async fn a_full_redis_stops_no_request_under_local_and_all_under_refuse() {
    let Some(server) = Server::start_with(&["--maxmemory", "1"]) else { return };
    let (refusing, local) = (Instance::with(&server, refuse), Instance::new(&server));
    assert_eq!(refusing.login("token", 1).await, STORE_DOWN);
    assert_eq!(local.login("token", 1).await, Ok(()));
    assert_eq!(local.login("token", 2).await, Err(DenialReason::Replayed));
    server.tell(&[&["CONFIG", "SET", "maxmemory", "0"]]);
    assert_eq!(refusing.login("token 2", 3).await, Ok(()), "at once: it had answered");
}

#[tokio::test]
async fn a_budget_goes_on_in_the_memory_from_what_redis_said_last() {
    let Some(mut server) = Server::start() else { return };
    let budget = |guards: GuardsBuilder| guards.daily_budget(6);
    let (one, other) = (Instance::with(&server, budget), Instance::with(&server, budget));
    for number in 0..4 {
        let instance = if number < 3 { &one } else { &other };
        assert_eq!(instance.login(&format!("token {number}"), number).await, Ok(()));
    }
    server.kill();
    for number in 10..15 {
        let login = other.login(&format!("token {number}"), number).await;
        assert_eq!(login, if number < 12 { Ok(()) } else { Err(DenialReason::Budget) }, "{number}");
    }
}

#[tokio::test]
async fn a_check_does_not_start_with_the_little_time_that_a_frozen_redis_has_left() {
    let Some(server) = Server::start() else { return };
    let guards = Guards::builder().redis(builder(&server.url()).build().unwrap()).build().unwrap();
    let verifier = Verifier::passing();
    let rule = Rule::post("/login", number()).deadline(Duration::from_millis(1_400));
    let layer = JVerifyLayer::builder(verifier.clone()).guards(&guards).rule(rule).build().unwrap();
    let request = post_json("/login", json!({"token": "one", "phone": PHONE}).to_string());
    server.signal("STOP");
    assert_eq!(send(&layer, &Application::default(), request).await.status(), 503);
    assert_eq!(verifier.calls(), 0, "a proof that JPush takes and nobody waits for is lost");
    server.signal("CONT");
}
