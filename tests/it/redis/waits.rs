//! How often a request waits for Redis.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    select,
};
use tower_jverify::DenialReason;

use super::{Instance, builder};
use crate::support::{Verifier, redis_server::Server};

/// An instance whose connections to Redis are relayed.
struct Relayed {
    instance: Instance,
    /// How often it has written first, or after an answer.
    waits: Arc<AtomicU32>,
}

impl Relayed {
    async fn new(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let (port, waits) = (server.port, Arc::new(AtomicU32::new(0)));
        let counted = Arc::clone(&waits);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::spawn(relay(client, server, Arc::clone(&counted)));
            }
        });
        Self { instance: Instance::of(Verifier::passing(), builder(&url), |guards| guards), waits }
    }

    /// The answer to a login, and how often it waited.
    async fn login(&self, token: &str, number: u32) -> (Result<(), DenialReason>, u32) {
        let before = self.waits.load(SeqCst);
        let answer = self.instance.login(token, number).await;
        (answer, self.waits.load(SeqCst) - before)
    }
}

async fn relay(mut client: TcpStream, mut server: TcpStream, waits: Arc<AtomicU32>) {
    let (mut asked, mut answered) = ([0; 4_096], [0; 4_096]);
    let mut has_answered = true;
    loop {
        select! {
            biased;
            Ok(read @ 1..) = client.read(&mut asked) => {
                waits.fetch_add(u32::from(has_answered), SeqCst);
                has_answered = false;
                server.write_all(&asked[..read]).await.unwrap();
            }
            Ok(read @ 1..) = server.read(&mut answered) => {
                has_answered = true;
                client.write_all(&answered[..read]).await.unwrap();
            }
            else => return,
        }
    }
}

#[tokio::test]
async fn a_login_waits_twice_and_a_replay_where_it_was_asked_once() {
    let Some(server) = Server::start() else { return };
    let (one, other) = (Relayed::new(&server).await, Relayed::new(&server).await);
    // Each brings the scripts, and connects.
    for relayed in [&one, &other] {
        assert_eq!(relayed.login(&format!("first of {relayed:p}"), 1).await.0, Ok(()));
    }
    for number in 2..7 {
        let token = format!("token {number}");
        assert_eq!(one.login(&token, number).await, (Ok(()), 2), "the limits of the client, then the claim");
        assert_eq!(other.login(&token, 10 + number).await, (Err(DenialReason::Replayed), 2), "elsewhere");
        assert_eq!(
            one.login(&token, 20 + number).await,
            (Err(DenialReason::Replayed), 1),
            "the memory knows the claim"
        );
    }
}
