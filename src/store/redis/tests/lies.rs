//! A server that answers as no Redis does.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{KEY, Server, builder};
use crate::{
    ex_id::ExId,
    secret::Secret,
    store::{Calendar, Claimed, Purpose, Rate, Redis, Store, StoreError, Subject},
};

const MINUTE: Duration = Duration::from_secs(60);

/// A server that gives one answer to everything.
async fn liar(answer: &'static str) -> Redis {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
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
    Redis::builder(format!("redis://127.0.0.1:{port}")).deployment_key(Secret::from(KEY)).build().unwrap()
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
