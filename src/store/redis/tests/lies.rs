//! A server that answers as no Redis does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{DEADLINE, KEY, Server, builder};
use crate::{
    ex_id::ExId,
    secret::Secret,
    store::{Calendar, Claimed, Purpose, Rate, Redis, Store, StoreError, Subject, Taken},
};

const MINUTE: Duration = Duration::from_secs(60);

/// A server that gives one answer to everything.
async fn liar(answer: &'static str) -> Redis {
    let (url, _) = liar_of(answer, answer).await;
    Redis::builder(url).deployment_key(Secret::from(KEY)).build().unwrap()
}

/// A server that gives one answer over its first connection and another one over all others, and the number of its connections.
async fn liar_of(first: &'static str, others: &'static str) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = if counted.fetch_add(1, SeqCst) == 0 { first } else { others };
            tokio::spawn(async move {
                let mut bytes = [0; 4_096];
                while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (format!("redis://127.0.0.1:{port}"), connections)
}

#[tokio::test]
async fn no_lie_is_taken_for_a_claim_or_a_count() {
    let answers = [
        ":-1\r\n",
        ":1\r\n:1\r\n",
        "+QUEUED\r\n",
        "$5\r\nhello\r\n",
        "*0\r\n",
        "*1\r\n:1\r\n",
        "-WRONGTYPE no\r\n",
        "-ERR no\r\n",
        "-NOAUTH no\r\n",
        "-LOADING no\r\n",
        "-NOSCRIPT no\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "\u{0}\u{1}\u{2}",
        "$-7\r\n",
        "%1\r\n+a\r\n+b\r\n",
        "_\r\n",
    ];
    let parts: [&[u8]; 1] = [b"subject"];
    let [claim, rate, sum] =
        [Purpose::Claim, Purpose::ClientRate, Purpose::Budget].map(|purpose| Subject::new(purpose, &parts));
    for answer in answers {
        let redis = liar(answer).await;
        let claimed = redis.claim(&claim, &ExId::generate(), MINUTE).await;
        assert!(!matches!(claimed, Ok(Claimed::New(_))), "{answer:?}: {claimed:?}");
        // A number is an answer to a count: one that is not negative.
        if !answer.starts_with(":1") {
            let taken = redis.take(&rate, Rate::new(1, MINUTE), 1).await;
            assert!(taken.is_err(), "{answer:?}: {taken:?}");
            let added = redis.add(&sum, 1, Calendar::new().today()).await;
            assert!(added.is_err(), "{answer:?}: {added:?}");
        }
    }
}

#[tokio::test]
async fn a_name_that_holds_something_else_is_taken_and_not_counted() {
    let Some(server) = Server::start() else { return };
    let redis = builder(&server).build().unwrap();
    let parts: [&[u8]; 1] = [b"subject"];
    let (claim, rate) = (Subject::new(Purpose::Claim, &parts), Subject::new(Purpose::ClientRate, &parts));
    for subject in [&claim, &rate] {
        server.execute(&[&["RPUSH", redis.name(subject, None).as_str(), "a list"]]);
    }
    for _ in 0..10 {
        let claimed = redis.claim(&claim, &ExId::generate(), MINUTE).await;
        assert_eq!(claimed, Ok(Claimed::Taken { by: None }));
        assert_eq!(redis.take(&rate, Rate::new(1, MINUTE), 1).await, Err(StoreError::Unreadable));
    }
}

#[tokio::test]
async fn a_replica_loses_its_connection_and_another_one_is_dialled_once_in_100_ms() {
    let parts: [&[u8]; 1] = [b"client"];
    let subject = Subject::new(Purpose::ClientRate, &parts);
    // Again where this machine needs too long for the first operation.
    for _ in 0..50 {
        let (url, connections) = liar_of("-READONLY a replica\r\n", ":0\r\n").await;
        let redis = Redis::builder(url).deployment_key(Secret::from(KEY)).deadline(DEADLINE).build().unwrap();
        let take = async || redis.take(&subject, Rate::new(1, MINUTE), 1).await;
        let began = Instant::now();
        let first = take().await;
        tokio::time::pause();
        if began.elapsed() > Duration::from_millis(80) {
            tokio::time::resume();
            continue;
        }
        assert_eq!(first, Err(StoreError::ReadOnly));
        assert_eq!((take().await, connections.load(SeqCst)), (Err(StoreError::Down), 1), "too soon for another dial");
        tokio::time::advance(Duration::from_millis(100)).await;
        tokio::time::resume();
        assert_eq!((take().await, connections.load(SeqCst)), (Ok(Taken::Now), 2), "the replica is not asked again");
        return;
    }
    panic!("this machine is too slow");
}
