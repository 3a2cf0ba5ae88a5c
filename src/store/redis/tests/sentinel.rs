//! A master that dies, and the replica that Sentinel puts in its place.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::{
    DEADLINE, KEY, Server,
    redis_server::{PASSWORD, Watched},
};
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
    let Some(Watched { mut master, replica, sentinel }) = Watched::start() else { return };
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
    let redis = Redis::sentinel("other", [sentinel.url()]).deployment_key(Secret::from(KEY));
    // A busy machine needs longer than the default.
    let redis = redis.deadline(Duration::from_secs(1)).build().unwrap();
    assert_eq!(claim(&redis, "token").await, Err(StoreError::Down));
}

/// A Sentinel without a password answers an `AUTH` with an error.
#[tokio::test]
async fn a_master_gets_its_password_and_the_sentinel_that_names_it_does_not() {
    let Some(master) = Server::start_with(&["--requirepass", PASSWORD]) else { return };
    let Some(sentinel) = Server::start_sentinel(master.port) else { return };
    let builder = || {
        let redis = Redis::sentinel("main", [sentinel.url()]).deployment_key(Secret::from(KEY));
        redis.deadline(Duration::from_secs(1))
    };
    assert_eq!(claim(&builder().build().unwrap(), "without").await, Err(StoreError::Down));
    for (password, token) in [("a wrong password", "wrong"), (PASSWORD, "right")] {
        let redis = builder().auth(None, Secret::from(password)).build().unwrap();
        assert_eq!(claim(&redis, token).await.is_ok(), password == PASSWORD, "{token}");
    }
}

#[test]
fn sentinels_with_tls_and_without_are_refused_together() {
    let urls = ["rediss://one.example", "redis://other.example"];
    let error = Redis::sentinel("main", urls).deployment_key(Secret::from(KEY)).build().unwrap_err();
    assert_eq!((error.setting(), error.value()), ("redis.url", None));
}
