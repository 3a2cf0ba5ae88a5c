//! Redis does not answer.

use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};
use tower_jverify::{
    Breaker, Class, Denial, DenialReason, Fallback, Guards, GuardsBuilder, JVerifyLayer, Policy, Rate, Rule, Sandbox,
    StorePolicy, number, sandbox::Fault,
};

use super::{DEADLINE, Instance, PHONE, builder};
use crate::{
    support::{Application, Verifier, jpush, post_json, redis_server::Server, send},
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
        let login = instance.login_from("192.0.2.1", &format!("limited {number}"), PHONE).await;
        assert_eq!(login, if number < 3 { Ok(()) } else { Err(DenialReason::RateLimited) });
    }
    let warnings: Vec<_> = log.take_events().into_iter().filter(|event| event.contains("store_local")).collect();
    assert!(warnings.len() == 1 && warnings[0].starts_with("WARN"), "{warnings:?}");
}

#[tokio::test]
async fn without_redis_and_without_room_in_memory_an_alarm_says_that_proofs_are_not_claimed() {
    let Some(mut server) = Server::start() else { return };
    let [full, roomy] =
        [1, 1_000].map(|claims| Instance::with(&server, |guards| guards.capacity(claims).without_client_limits()));
    assert_eq!(full.login("fills the memory", 1).await, Ok(()));
    let (log, _listening) = Log::listen();
    let alarms = || log.take_events().iter().filter(|event| event.contains("store_full")).count();
    assert_eq!((full.login("only in Redis", 2).await, alarms()), (Ok(()), 0));
    server.kill();
    assert_eq!((roomy.login("only in memory", 3).await, alarms()), (Ok(()), 0));
    assert_eq!((full.login("nowhere", 4).await, alarms()), (Ok(()), 1));
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

/// JPush is down as well, and the policy opens for that.
#[tokio::test]
async fn a_policy_that_opens_does_not_open_while_redis_is_down() {
    let Some(mut server) = Server::start() else { return };
    let sandbox = Sandbox::new();
    sandbox.fault(Fault::Refuse);
    let redis = builder(&server.url()).build().unwrap();
    let guards = refuse(Guards::builder().redis(redis).breaker(Breaker::new().consecutive(1))).build().unwrap();
    let rule = Rule::post("/login", number()).policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    let layer = JVerifyLayer::builder(jpush(&sandbox)).guards(&guards).rule(rule).build().unwrap();
    let application = Application::default();
    let login = async |token: &str| {
        let body = json!({"token": token, "phone": PHONE}).to_string();
        let response = send(&layer, &application, post_json("/login", body)).await;
        (response.status().as_u16(), response.extensions().get::<Denial>().map(Denial::reason))
    };
    for token in ["one", "two"] {
        assert_eq!(login(token).await, (200, None), "it opens for JPush");
    }
    server.kill();
    for number in 0..10 {
        assert_eq!(login(&format!("token-{number}")).await, (503, Some(DenialReason::StoreDown)));
    }
    assert_eq!(application.runs(), 2);
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
    // The clock goes on only with what is waited for.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    for number in 10..1_010 {
        assert_eq!(instance.login(&format!("token {number}"), number).await, Ok(()));
    }
    assert!(began.elapsed() <= DEADLINE, "{:?}", began.elapsed());
    server.signal("CONT");
}

#[tokio::test]
async fn a_read_only_redis_is_used_again_once_it_can_write() {
    let Some(server) = Server::start() else { return };
    let (refusing, local) = (Instance::with(&server, refuse), Instance::new(&server));
    assert_eq!(refusing.login("before", 1).await, Ok(()));
    server.execute(&[&["REPLICAOF", "127.0.0.1", "1"]]);
    for number in 2..10 {
        assert_eq!(refusing.login(&format!("token {number}"), number).await, STORE_DOWN);
        assert_eq!(local.login(&format!("other {number}"), 20 + number).await, Ok(()));
    }
    server.execute(&[&["REPLICAOF", "NO", "ONE"]]);
    until_it_passes(&refusing).await;
}

#[tokio::test]
async fn a_full_redis_stops_no_request_under_local_and_all_under_refuse() {
    let Some(server) = Server::start_with(&["--maxmemory", "1"]) else { return };
    let (refusing, local) = (Instance::with(&server, refuse), Instance::new(&server));
    assert_eq!(refusing.login("token", 1).await, STORE_DOWN);
    assert_eq!(local.login("token", 1).await, Ok(()));
    assert_eq!(local.login("token", 2).await, Err(DenialReason::Replayed));
    server.execute(&[&["CONFIG", "SET", "maxmemory", "0"]]);
    assert_eq!(refusing.login("token 2", 3).await, Ok(()), "at once: it had answered");
}

#[tokio::test]
async fn a_budget_continues_in_the_memory_from_the_last_sum_of_redis() {
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
async fn a_frozen_redis_holds_up_a_request_once_however_much_it_asks() {
    let Some(server) = Server::start() else { return };
    let minute = Duration::from_secs(60);
    let limits = |guards: GuardsBuilder| guards.per_account(Rate::new(1_000, minute)).daily_budget(1_000);
    let (local, refusing) = (Instance::with(&server, limits), Instance::with(&server, |guards| refuse(limits(guards))));
    assert_eq!((local.login("one", 1).await, refusing.login("two", 2).await), (Ok(()), Ok(())));
    server.signal("STOP");
    // The clock goes on with what is waited for: no machine is too slow for it.
    tokio::time::pause();
    for (instance, expected) in [(&local, Ok(())), (&refusing, STORE_DOWN)] {
        let began = tokio::time::Instant::now();
        assert_eq!(instance.login("frozen", 3).await, expected);
        let waited = began.elapsed();
        assert!(waited >= DEADLINE && waited <= DEADLINE + Duration::from_millis(10), "{waited:?}");
    }
    assert_eq!(local.login("frozen", 4).await, Err(DenialReason::Replayed), "the memory has claimed it");
    assert_eq!((local.verifier.calls(), refusing.verifier.calls()), (2, 1));
    server.signal("CONT");
}

#[test]
fn a_deadline_that_a_frozen_redis_can_use_up_is_refused() {
    let redis = || builder("redis://127.0.0.1").deadline(Duration::from_millis(400)).build().unwrap();
    let guards = Guards::builder().redis(redis()).build().unwrap();
    let of = |deadline: u64, guards: &Guards| {
        let rule = Rule::post("/login", number()).deadline(Duration::from_millis(deadline));
        JVerifyLayer::builder(Verifier::passing()).guards(guards).rule(rule).build().map(drop)
    };
    for deadline in [1_001, 1_400] {
        let error = of(deadline, &guards).unwrap_err();
        assert_eq!(error.setting(), "deadline", "{error}");
        assert!(of(deadline, &Guards::new()).is_ok(), "without Redis nothing takes time");
    }
    assert!(of(1_401, &guards).is_ok());
}
