//! A master that dies, and the replica that Sentinel puts in its place.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::{DEADLINE, KEY, Server};
use crate::{
    ex_id::ExId,
    secret::Secret,
    store::{Claimed, Purpose, Redis, Store, StoreError, Subject},
};

async fn claim(redis: &Redis, token: &str) -> Result<Claimed, StoreError> {
    let parts: [&[u8]; 1] = [token.as_bytes()];
    redis.claim(&Subject::new(Purpose::Claim, &parts), &ExId::generate(), Duration::from_secs(60)).await
}

#[tokio::test]
async fn after_a_failover_claims_go_to_the_new_master_and_every_operation_ended_meanwhile() {
    let fast = ["--repl-diskless-sync-delay", "0"];
    let Some(mut master) = Server::start_with(&fast) else { return };
    let port = master.port.to_string();
    let Some(replica) = Server::start_with(&["--replicaof", &format!("127.0.0.1 {port}")]) else { return };
    replica.wait_for(&["INFO", "replication"], "master_link_status:up");
    let Some(sentinel) = Server::start_sentinel(master.port) else { return };
    sentinel.wait_for(&["SENTINEL", "replicas", "main"], &replica.port.to_string());
    // The first Sentinel is gone.
    let urls = ["redis://127.0.0.1:1".to_owned(), sentinel.url()];
    let redis = Redis::sentinel("main", urls).deployment_key(Secret::from(KEY)).deadline(DEADLINE).build().unwrap();
    assert!(matches!(claim(&redis, "before").await, Ok(Claimed::New(_))));
    replica.wait_for(&["DBSIZE"], ":1");
    master.kill();
    let written = async {
        for number in 0.. {
            let began = Instant::now();
            let claimed = claim(&redis, &format!("meanwhile {number}")).await;
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
            if claimed.is_ok() {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(60), written).await.expect("it writes to the new master");
    assert!(matches!(claim(&redis, "before").await, Ok(Claimed::Taken { .. })), "what was replicated holds");
    replica.wait_for(&["ROLE"], "master");
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_is_down() {
    let Some(master) = Server::start() else { return };
    let Some(sentinel) = Server::start_sentinel(master.port) else { return };
    let redis = Redis::sentinel("other", [sentinel.url()]).deployment_key(Secret::from(KEY)).build().unwrap();
    assert_eq!(claim(&redis, "token").await, Err(StoreError::Down));
}

#[test]
fn sentinels_with_tls_and_without_are_refused_together() {
    let urls = ["rediss://one.example", "redis://other.example"];
    let error = Redis::sentinel("main", urls).deployment_key(Secret::from(KEY)).build().unwrap_err();
    assert_eq!((error.setting(), error.value()), ("redis.url", None));
}
