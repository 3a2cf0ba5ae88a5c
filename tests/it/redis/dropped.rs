//! Requests that are dropped while they wait for Redis.

use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};
use tower_jverify::{DenialReason, Guards, GuardsBuilder, Rule, StorePolicy, number};

use super::{Instance, PHONE, builder};
use crate::{
    support::{Sandboxed, Verifier, redis_server::Server},
    telemetry::metrics::Recorded,
};

#[tokio::test]
async fn a_request_that_is_dropped_before_its_check_leaves_no_claim() {
    let Some(server) = Server::start() else { return };
    let other = Instance::with(&server, |guards| guards.store_policy(StorePolicy::Refuse));
    let mut dropped = 0;
    for number in 0..400_u32 {
        let verifier = Verifier::passing();
        let one = Instance::of(verifier.clone(), builder(&server.url()), |guards| guards);
        let token = format!("token {number}");
        let patience = Duration::from_micros(u64::from(number) * 10);
        let _ = timeout(patience, one.login(&token, number)).await;
        if verifier.calls() > 0 {
            assert_eq!(other.login(&token, 1_000 + number).await, Err(DenialReason::Replayed), "{number}");
            continue;
        }
        dropped += 1;
        // The release is a task: it may come a moment later.
        let released = async {
            for client in 0.. {
                if other.login(&token, 100_000 + number * 1_000 + client).await.is_ok() {
                    return;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(10), released).await.unwrap_or_else(|_| panic!("{token} is still claimed"));
    }
    assert!(dropped > 0);
}

#[tokio::test]
async fn a_proof_that_can_be_used_again_is_released_for_all_instances() {
    let Some(server) = Server::start() else { return };
    let instance = || {
        let guards = Guards::builder().redis(builder(&server.url()).build().unwrap()).build().unwrap();
        Sandboxed::set(|layer| layer.guards(&guards).rule(Rule::post("/login", number())))
    };
    let (one, other) = (instance(), instance());
    for (token, is_released) in [("sandbox-9000", true), ("sandbox-once-9000", false)] {
        let body = json!({"token": token, "phone": PHONE});
        assert_eq!(one.login(&body).await.status(), 200, "{token}");
        let mut status = other.login(&body).await.status().as_u16();
        // The release is a task: it may come a moment later.
        for _ in 0..500 {
            if is_released && status != 200 {
                sleep(Duration::from_millis(10)).await;
                status = other.login(&body).await.status().as_u16();
            }
        }
        assert_eq!(status, if is_released { 200 } else { 403 }, "{token}");
    }
}

#[tokio::test]
async fn a_shutdown_waits_until_claims_are_released() {
    let Some(server) = Server::start() else { return };
    let guards = Guards::builder().redis(builder(&server.url()).build().unwrap()).build().unwrap();
    let desk = Sandboxed::set(|layer| layer.guards(&guards).rule(Rule::post("/login", number())));
    for drained in [true, false].repeat(20) {
        assert_eq!(desk.login(&json!({"token": "sandbox-9000", "phone": PHONE})).await.status(), 200);
        if drained {
            guards.drained().await;
            assert!(server.execute(&[&["DBSIZE"]]).starts_with(":0"), "the claim is given back");
        } else {
            desk.layer.drained().await;
            assert!(server.execute(&[&["DBSIZE"]]).starts_with(":0"), "the claim is given back");
        }
    }
}

#[tokio::test]
async fn a_release_that_redis_does_not_answer_is_counted() {
    let Some(server) = Server::start() else { return };
    let refuse = |guards: GuardsBuilder| guards.store_policy(StorePolicy::Refuse).without_client_limits();
    let (instance, recorded) = Recorded::around(|| Instance::with(&server, refuse));
    assert_eq!(instance.login("one", 1).await, Ok(()));
    server.signal("STOP");
    // It may be claimed, so it is released.
    assert_eq!(instance.login("frozen", 2).await, Err(DenialReason::StoreDown));
    instance.layer.drained().await;
    let counted = recorded.counted();
    for operation in ["claim", "release"] {
        let series = format!("jverify_store_errors_total{{op={operation},kind=timeout}}");
        assert_eq!(counted.get(&series), Some(&1), "{counted:?}");
    }
    server.signal("CONT");
}
