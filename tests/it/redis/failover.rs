//! A master that dies while many requests are under way.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};
use tower_jverify::{Class, DenialReason, Question, Redis, RedisBuilder, Secret, StorePolicy, Verdict};

use super::{DEADLINE, Instance};
use crate::support::{
    Verifier,
    redis_server::{KEY, Server, Watched},
};

const TASKS: u32 = 64;

/// How often each token was asked about.
type Asked = Arc<Mutex<HashMap<String, u32>>>;

/// As JPush: a token passes once.
fn once_each() -> (Verifier, Asked) {
    let asked = Asked::default();
    let counted = Arc::clone(&asked);
    let verifier = Verifier::answering(move |check| {
        let Question::Number { token, .. } = check.question() else { return None };
        let mut asked = counted.lock().unwrap();
        let times = asked.entry(token.expose().to_owned()).or_default();
        *times += 1;
        Some(Verdict::new(check.kind(), if *times == 1 { Class::Passed } else { Class::Stale }))
    });
    (verifier, asked)
}

impl Instance {
    /// Logs in with one token after the other, until that server gets what this instance writes: five times in a row, because claims that
    /// are still released change its size too.
    async fn until_it_writes_to(&self, server: &Server, first: u32) {
        let held = || server.execute(&[&["DBSIZE"]]);
        let mut in_a_row = 0;
        for number in first.. {
            let before = held();
            let _ = self.login(&format!("back {number}"), number).await;
            in_a_row = if held() == before { 0 } else { in_a_row + 1 };
            if in_a_row == 5 {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Watched {
    fn builder(&self) -> RedisBuilder {
        Redis::sentinel("main", [self.sentinel.url()]).deployment_key(Secret::from(KEY)).deadline(DEADLINE)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_master_dies_every_request_is_answered_and_no_token_passes_twice() {
    for policy in [StorePolicy::Local, StorePolicy::Refuse] {
        let Some(mut watched) = Watched::start() else { return };
        let (verifier, asked) = once_each();
        let instances: Arc<Vec<Instance>> = Arc::new(
            (0..2)
                .map(|_| Instance::of(verifier.clone(), watched.builder(), |guards| guards.store_policy(policy)))
                .collect(),
        );
        for number in 0..50 {
            assert_eq!(instances[0].login(&format!("before {number}"), number).await, Ok(()));
        }
        // What has reached the replica survives.
        let held = watched.master.execute(&[&["DBSIZE"]]);
        watched.replica.wait_for(&["DBSIZE"], &held);
        let (is_over, passed, answered) =
            (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let tasks = (0..TASKS).map(|task| {
            let (instances, is_over) = (Arc::clone(&instances), Arc::clone(&is_over));
            let (passed, answered) = (Arc::clone(&passed), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut round = 0;
                while !is_over.load(Ordering::SeqCst) {
                    let (token, number) = (format!("{task} {round}"), 1_000 + task * 100_000 + round * 2);
                    // The same token by both instances at the same time, and once more.
                    let both = async {
                        tokio::join!(instances[0].login(&token, number), instances[1].login(&token, number + 1))
                    };
                    let (one, other) = timeout(Duration::from_secs(10), both).await.expect("both are answered");
                    assert!(one.is_err() || other.is_err(), "{token} passes twice");
                    for answer in [one, other] {
                        answered.fetch_add(1, Ordering::Relaxed);
                        match answer {
                            Ok(()) => drop(passed.fetch_add(1, Ordering::Relaxed)),
                            Err(DenialReason::Replayed | DenialReason::Verdict(Class::Stale)) => {}
                            Err(DenialReason::StoreDown) => assert_eq!(policy, StorePolicy::Refuse),
                            Err(reason) => panic!("{token}: {reason:?}"),
                        }
                    }
                    round += 1;
                    sleep(Duration::from_millis(5)).await;
                }
            })
        });
        let tasks: Vec<_> = tasks.collect();
        sleep(Duration::from_millis(500)).await;
        watched.master.kill();
        watched.replica.wait_for(&["ROLE"], "master");
        sleep(Duration::from_secs(2)).await;
        is_over.store(true, Ordering::SeqCst);
        for task in join_all(tasks).await {
            task.expect("no request fails");
        }
        for (instance, first) in instances.iter().zip([70_000_000, 80_000_000]) {
            timeout(Duration::from_secs(30), instance.until_it_writes_to(&watched.replica, first))
                .await
                .expect("the new master is used");
        }
        // Claims that the replica had are kept: the other instance, which made none of them, asks about none.
        for number in 0..50 {
            let again = instances[1].login(&format!("before {number}"), 50_000 + number).await;
            assert_eq!(again, Err(DenialReason::Replayed), "{number}");
        }
        let asked = asked.lock().unwrap();
        assert!((0..50).all(|number| asked[&format!("before {number}")] == 1));
        // Each instance asks once about a token at most, whatever Redis has lost.
        assert!(asked.values().all(|times| *times <= 2));
        assert!(passed.load(Ordering::Relaxed) > TASKS && answered.load(Ordering::Relaxed) > 2 * TASKS);
    }
}
