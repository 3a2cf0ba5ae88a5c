//! What Redis sees.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use tower_jverify::{DenialReason, GuardsBuilder, Rate};

use super::{Instance, PHONE};
use crate::support::redis_server::{Server, encoded};

const TOKEN: &str = "canary-token-5d1e";
const CLIENT: &str = "198.51.100.77";

#[tokio::test]
async fn redis_sees_no_token_no_phone_and_no_address() {
    let Some(server) = Server::start() else { return };
    let mut monitor = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    monitor.write_all(encoded(&["MONITOR"]).as_bytes()).unwrap();
    monitor.read_exact(&mut [0; 5]).unwrap();
    let listening = thread::spawn(move || {
        let mut seen = Vec::new();
        let _ = monitor.read_to_end(&mut seen);
        String::from_utf8_lossy(&seen).into_owned()
    });
    let limits =
        |guards: GuardsBuilder| guards.daily_budget(100).per_account(Rate::new(10, Duration::from_secs(3_600)));
    let (one, other) = (Instance::with(&server, limits), Instance::with(&server, limits));
    assert_eq!(one.login_from(CLIENT, TOKEN, PHONE).await, Ok(()));
    assert!(other.login_from(CLIENT, TOKEN, PHONE).await.is_err());
    let keys = server.execute(&[&["KEYS", "*"]]);
    // Claim, client, client and phone, account, budget: the second request finds the same.
    assert_eq!(keys.matches("jverify:1:").count(), 5, "{keys}");
    server.execute(&[&["SHUTDOWN", "NOSAVE"]]);
    let seen = listening.join().unwrap();
    for expected in ["\"SET\" \"jverify:1:", "\"EVALSHA\"", "\"NX\"", "\"PX\""] {
        assert!(seen.contains(expected), "{expected}: {seen}");
    }
    let phones = [PHONE, &PHONE[3..], TOKEN, CLIENT, "198.51.100", "c633644d"];
    for canary in phones {
        assert!(!seen.contains(canary) && !keys.contains(canary), "{canary}: {seen}");
    }
}

#[tokio::test]
async fn a_login_asks_three_commands_and_waits_twice_and_so_does_a_replay_elsewhere() {
    let Some(server) = Server::start() else { return };
    let (instance, other) = (Instance::new(&server), Instance::new(&server));
    assert_eq!(instance.login("brings the scripts", 1).await, Ok(()));
    let commands = || {
        let info = server.execute(&[&["INFO", "commandstats"]]);
        ["evalsha", "eval", "set", "get"].map(|command| {
            let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
            line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse::<u32>().unwrap())
        })
    };
    let since = |before: [u32; 4]| {
        let mut now = commands();
        now.iter_mut().zip(before).for_each(|(now, before)| *now -= before);
        now
    };
    // What scripts ask is counted too: `SET` and `GET` of the two limits at the same time, and then of the claim.
    let before = commands();
    assert_eq!(instance.login("counted", 2).await, Ok(()));
    assert_eq!(since(before), [3, 0, 3, 2]);
    let before = commands();
    assert_eq!(other.login("counted", 3).await, Err(DenialReason::Replayed));
    assert_eq!(since(before), [3, 0, 3, 3]);
    let before = commands();
    assert_eq!(instance.login("counted", 4).await, Err(DenialReason::Replayed));
    assert_eq!(since(before), [2, 0, 2, 2], "where it was asked, the memory answers");
}

#[test]
fn settings_show_no_secret() {
    let builder = tower_jverify::Redis::builder("redis://user:canary-password@127.0.0.1/not-a-number")
        .deployment_key(tower_jverify::Secret::from("canary-key-0123456789-0123456789-ab"))
        .auth(Some("user"), tower_jverify::Secret::from("canary-password"));
    let debug = format!("{builder:?}");
    let error = builder.build().unwrap_err();
    assert_eq!(error.setting(), "redis.url");
    for text in [debug, format!("{error} {error:?}")] {
        assert!(!text.contains("canary"), "{text}");
    }
}
