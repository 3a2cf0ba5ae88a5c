//! Redis that is down, frozen, full, or a replica.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use super::{Server, builder};
use crate::{
    ex_id::ExId,
    store::{Calendar, Claimed, Nonce, Purpose, Rate, Redis, RedisWait, Store, StoreError, Subject, Taken},
};

const MINUTE: Duration = Duration::from_secs(60);

async fn claim(redis: &Redis, token: &str) -> Result<Claimed, StoreError> {
    redis.claim(&Subject::new(Purpose::Claim, &[token.as_bytes()]), &ExId::generate(), MINUTE).await
}

/// Claims one token after the other until one is claimed.
async fn until_it_claims(redis: &Redis) {
    let claimed = async {
        for number in 0.. {
            if claim(redis, &format!("back {number}")).await.is_ok() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), claimed).await.expect("Redis is back");
}

/// After five failures requests do not wait: a thousand operations take less time than ten that wait.
async fn is_skipped(redis: &Redis) {
    let began = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(claim(redis, "skipped").await, Err(StoreError::Down));
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_killed_redis_is_left_alone_and_used_again_when_it_is_back() {
    let Some(mut server) = Server::start() else { return };
    let redis = builder(&server).build().unwrap();
    assert!(matches!(claim(&redis, "before").await, Ok(Claimed::New(_))));
    server.kill();
    for _ in 0..5 {
        assert_eq!(claim(&redis, "while it is down").await, Err(StoreError::Down));
    }
    is_skipped(&redis).await;
    server.spawn();
    until_it_claims(&redis).await;
}

#[tokio::test]
async fn a_frozen_redis_costs_five_deadlines_and_then_nothing() {
    let Some(server) = Server::start() else { return };
    let redis = builder(&server).build().unwrap();
    assert!(matches!(claim(&redis, "before").await, Ok(Claimed::New(_))));
    server.signal("STOP");
    for _ in 0..5 {
        let began = Instant::now();
        assert_eq!(claim(&redis, "frozen").await, Err(StoreError::Timeout));
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
    is_skipped(&redis).await;
    server.signal("CONT");
    until_it_claims(&redis).await;
}

#[tokio::test]
async fn a_redis_that_was_never_there_is_used_once_it_comes() {
    let Some(mut server) = Server::start() else { return };
    server.kill();
    let redis = builder(&server).build().unwrap();
    for _ in 0..10 {
        assert_eq!(claim(&redis, "nobody").await, Err(StoreError::Down));
    }
    server.spawn();
    until_it_claims(&redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_operations_before_a_frozen_redis_all_end() {
    let Some(server) = Server::start() else { return };
    let redis = builder(&server).build().unwrap();
    assert!(matches!(claim(&redis, "before").await, Ok(Claimed::New(_))));
    server.signal("STOP");
    let claims = (0..10_000).map(|number| {
        let redis = redis.clone();
        tokio::spawn(async move { claim(&redis, &format!("t{number}")).await.is_err() })
    });
    let ended = timeout(Duration::from_secs(20), join_all(claims.collect::<Vec<_>>())).await.expect("all end");
    assert!(ended.into_iter().all(|failed| failed.unwrap()));
    server.signal("CONT");
    until_it_claims(&redis).await;
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_not_the_answer_to_the_next_command() {
    let Some(server) = Server::start() else { return };
    let redis = builder(&server).deadline(Duration::from_millis(400)).build().unwrap();
    let (late, nonce) = (Subject::new(Purpose::Claim, &[b"late"]), Nonce::fresh());
    let name = redis.name(&late, None);
    assert!(matches!(claim(&redis, "taken").await, Ok(Claimed::New(_))));
    server.pause(600);
    assert_eq!(
        redis.claim_as(&name, nonce, &ExId::generate(), MINUTE, &mut RedisWait::default()).await,
        Err(StoreError::Timeout)
    );
    // The next ones are answered over the same connection, after it.
    let rate = Rate::new(1, MINUTE);
    let counted = Subject::new(Purpose::ClientRate, &[b"client"]);
    assert_eq!(redis.take(&counted, rate, 1).await, Ok(Taken::Now));
    assert!(matches!(redis.take(&counted, rate, 1).await, Ok(Taken::Wait(_))));
    assert!(matches!(claim(&redis, "taken").await, Ok(Claimed::Taken { .. })));
    assert!(matches!(claim(&redis, "new").await, Ok(Claimed::New(_))));
    // What timed out was done, and its nonce releases it.
    assert!(matches!(claim(&redis, "late").await, Ok(Claimed::Taken { .. })));
    assert_eq!(redis.release_name(&name, nonce).await, Ok(()));
    assert!(matches!(claim(&redis, "late").await, Ok(Claimed::New(_))));
}

#[tokio::test]
async fn a_claim_that_was_sent_twice_is_still_its_own() {
    let Some(server) = Server::start() else { return };
    let redis = builder(&server).build().unwrap();
    let (subject, nonce, by) = (Subject::new(Purpose::Claim, &[b"twice"]), Nonce::fresh(), ExId::generate());
    let name = redis.name(&subject, None);
    for _ in 0..2 {
        assert_eq!(redis.claim_as(&name, nonce, &by, MINUTE, &mut RedisWait::default()).await, Ok(Claimed::New(nonce)));
    }
    assert_eq!(claim(&redis, "twice").await, Ok(Claimed::Taken { by: Some(by) }), "and nobody else's");
}

#[tokio::test]
async fn an_idle_connection_that_the_server_closes_costs_no_operation() {
    let Some(server) = Server::start() else { return };
    let redis = builder(&server).build().unwrap();
    for number in 0..5 {
        assert!(matches!(claim(&redis, &format!("token {number}")).await, Ok(Claimed::New(_))), "{number}");
        server.execute(&[&["CLIENT", "KILL", "TYPE", "normal"]]);
        // Longer than the shortest time between two dials.
        sleep(Duration::from_millis(150)).await;
    }
}

#[tokio::test]
async fn operations_that_are_dropped_mix_up_no_answers() {
    let Some(server) = Server::start() else { return };
    let redis = builder(&server).build().unwrap();
    assert!(matches!(claim(&redis, "first").await, Ok(Claimed::New(_))));
    for round in 0..300_u64 {
        let token = format!("dropped {round}");
        let dropped = timeout(Duration::from_micros(round), claim(&redis, &token)).await;
        drop(dropped);
        assert!(matches!(claim(&redis, "first").await, Ok(Claimed::Taken { by: Some(_) })), "{round}");
        assert!(matches!(claim(&redis, &format!("new {round}")).await, Ok(Claimed::New(_))), "{round}");
    }
}

#[tokio::test]
async fn a_replica_is_read_only_until_it_is_the_master() {
    let Some(server) = Server::start() else { return };
    let redis = builder(&server).build().unwrap();
    let counted = Subject::new(Purpose::ClientRate, &[b"client"]);
    let sum = Subject::new(Purpose::Budget, &[b"account"]);
    assert!(matches!(claim(&redis, "before").await, Ok(Claimed::New(_))));
    // The master that it names does not exist.
    server.execute(&[&["CONFIG", "SET", "replica-serve-stale-data", "yes"], &["REPLICAOF", "127.0.0.1", "1"]]);
    assert_eq!(claim(&redis, "replica").await, Err(StoreError::ReadOnly));
    sleep(Duration::from_millis(110)).await;
    assert_eq!(redis.take(&counted, Rate::new(1, MINUTE), 1).await, Err(StoreError::ReadOnly));
    sleep(Duration::from_millis(110)).await;
    assert_eq!(redis.add(&sum, 1, Calendar::new().today()).await, Err(StoreError::ReadOnly));
    for _ in 0..10 {
        assert!(claim(&redis, "replica").await.is_err());
    }
    server.execute(&[&["REPLICAOF", "NO", "ONE"]]);
    until_it_claims(&redis).await;
}

#[tokio::test]
async fn a_full_redis_says_so_and_still_releases() {
    let Some(server) = Server::start() else { return };
    let redis = builder(&server).build().unwrap();
    let Ok(Claimed::New(nonce)) = claim(&redis, "held").await else { panic!("not claimed") };
    server.execute(&[&["CONFIG", "SET", "maxmemory", "1"]]);
    let counted = Subject::new(Purpose::ClientRate, &[b"client"]);
    for _ in 0..10 {
        assert_eq!(claim(&redis, "one more").await, Err(StoreError::Full));
        assert_eq!(redis.take(&counted, Rate::new(1, MINUTE), 1).await, Err(StoreError::Full));
    }
    assert!(matches!(claim(&redis, "held").await, Err(StoreError::Full) | Ok(Claimed::Taken { .. })));
    let held = Subject::new(Purpose::Claim, &[b"held"]);
    assert_eq!(redis.release(&held, nonce).await, Ok(()));
    server.execute(&[&["CONFIG", "SET", "maxmemory", "0"]]);
    assert!(matches!(claim(&redis, "held").await, Ok(Claimed::New(_))), "it was never left alone");
}

#[tokio::test]
async fn a_redis_that_forgets_forgets_claims_and_scripts_alone() {
    let Some(server) = Server::start() else { return };
    let redis = builder(&server).build().unwrap();
    let counted = Subject::new(Purpose::ClientRate, &[b"client"]);
    assert!(matches!(claim(&redis, "token").await, Ok(Claimed::New(_))));
    assert_eq!(redis.take(&counted, Rate::new(1, MINUTE), 1).await, Ok(Taken::Now));
    server.execute(&[&["FLUSHALL"], &["SCRIPT", "FLUSH"]]);
    assert!(matches!(claim(&redis, "token").await, Ok(Claimed::New(_))));
    assert_eq!(redis.take(&counted, Rate::new(1, MINUTE), 1).await, Ok(Taken::Now));
    assert!(matches!(redis.take(&counted, Rate::new(1, MINUTE), 1).await, Ok(Taken::Wait(_))));
}

#[tokio::test]
async fn a_clock_that_was_set_back_delays_a_request_by_a_whole_burst_at_most() {
    let Some(server) = Server::start() else { return };
    let redis = builder(&server).build().unwrap();
    let counted = Subject::new(Purpose::ClientRate, &[b"client"]);
    let rate = Rate::new(60, MINUTE).burst(3);
    // As a clock had left it that was a century ahead.
    let name = redis.name(&counted, None);
    server.execute(&[&["SET", name.as_str(), "5000000000000000", "PX", "60000"]]);
    let Ok(Taken::Wait(wait)) = redis.take(&counted, rate, 1).await else { panic!("it does not wait") };
    assert!(wait <= Duration::from_secs(3), "{wait:?}");
}

#[test]
fn a_runtime_that_ends_leaves_a_link_that_the_next_one_can_use() {
    let Some(server) = Server::start() else { return };
    let redis = Arc::new(builder(&server).build().unwrap());
    for round in 0..5 {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            until_it_claims(&redis).await;
            assert!(claim(&redis, &format!("round {round}")).await.is_ok());
        });
        drop(runtime);
        server.execute(&[&["FLUSHALL"]]);
    }
}

#[tokio::test]
async fn a_request_asks_nothing_more_once_it_has_waited_for_the_whole_deadline() {
    let Some(server) = Server::start() else { return };
    let redis = builder(&server).build().unwrap();
    let (name, by) = (redis.name(&Subject::new(Purpose::Claim, &[b"one"]), None), ExId::generate());
    assert!(matches!(claim(&redis, "before").await, Ok(Claimed::New(_))));
    server.signal("STOP");
    let mut redis_wait = RedisWait::default();
    let frozen = redis.claim_as(&name, Nonce::fresh(), &by, MINUTE, &mut redis_wait).await;
    assert_eq!(frozen, Err(StoreError::Timeout));
    assert!(redis_wait.is_over(redis.deadline()));
    server.signal("CONT");
    // Redis answers others again.
    until_it_claims(&redis).await;
    let later = redis.claim_as(&name, Nonce::fresh(), &by, MINUTE, &mut redis_wait).await;
    assert_eq!(later, Err(StoreError::Timeout));
}
