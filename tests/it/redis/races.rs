//! Two processes and one token.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use futures_util::{StreamExt, stream};
use tower_jverify::{DenialReason, Guards, StorePolicy};

use super::{Instance, builder};
use crate::support::{Verifier, redis_server::Server};

const TOKENS: u32 = 1_000;

const URL: &str = "JVERIFY_TEST_RACE";

/// One of the processes. It says that it is ready, waits for a line, and then how often it asked and was refused.
#[test]
#[ignore = "a process of the race: the test below starts it"]
fn a_process_of_the_race() {
    let Ok(url) = env::var(URL) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (calls, replays) = runtime.block_on(async {
        let redis = builder(&url).deadline(std::time::Duration::from_secs(1));
        let instance = Instance::of(Verifier::passing(), redis, |_: tower_jverify::GuardsBuilder| {
            let redis = builder(&url).deadline(std::time::Duration::from_secs(1)).build().unwrap();
            Guards::builder().redis(redis).store_policy(StorePolicy::Refuse)
        });
        println!("ready");
        std::io::stdin().lock().read_line(&mut String::new()).unwrap();
        let instance = &instance;
        let logins = stream::iter(0..TOKENS)
            .map(|number| async move { instance.login(&format!("token {number}"), number).await });
        let answers: Vec<_> = logins.buffered(16).collect().await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok(()) | Err(DenialReason::Replayed))), "{answers:?}");
        (instance.verifier.calls(), answers.iter().filter(|answer| answer.is_err()).count())
    });
    println!("asked {calls} {replays}");
}

struct Racer {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Racer {
    fn start(url: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["redis::races::a_process_of_the_race", "--exact", "--ignored", "--nocapture"])
            .env(URL, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut racer = Self { child, lines };
        racer.line("ready");
        racer
    }

    /// What follows these words in the next line that has them.
    fn line(&mut self, words: &str) -> String {
        loop {
            let line = self.lines.next().expect("it says so").unwrap();
            if let Some((_, rest)) = line.split_once(words) {
                return rest.trim().to_owned();
            }
        }
    }
}

#[test]
fn two_processes_ask_once_about_each_of_a_thousand_tokens() {
    let Some(server) = Server::start() else { return };
    let mut racers = [Racer::start(&server.url()), Racer::start(&server.url())];
    for racer in &mut racers {
        racer.child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    let (mut calls, mut replays) = (0, 0);
    for racer in &mut racers {
        let numbers: Vec<u32> = racer.line("asked").split(' ').map(|number| number.parse().unwrap()).collect();
        calls += numbers[0];
        replays += numbers[1];
        assert!(racer.child.wait().unwrap().success());
    }
    assert_eq!((calls, replays), (TOKENS, TOKENS));
}
