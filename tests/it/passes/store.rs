//! The single use of a pass: in the memory, and in Redis for all instances.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Waker},
    time::Duration,
};

use futures_util::{StreamExt, future::join_all, stream};
use serde_json::json;
use tower::service_fn;
use tower_jverify::{
    Check, CheckKind, Class, DenialReason, Guards, JVerifyLayer, Redis, Risk, Secret, StorePolicy, Verdict,
};

use super::{Desk, PHONE, claims, denial_reason, login, next, passes, solved, verifier, with_pass};
use crate::support::{
    Application, post_json,
    redis_server::{KEY, Server, encoded},
};

const PASSES: u32 = 1_000;

const URL: &str = "JVERIFY_TEST_PASS_RACE";

fn guards(url: &str, policy: StorePolicy) -> Guards {
    let redis = Redis::builder(url).deployment_key(Secret::from(KEY)).deadline(Duration::from_secs(1));
    Guards::builder().redis(redis.build().unwrap()).store_policy(policy).build().unwrap()
}

fn sharing(url: &str, policy: StorePolicy) -> Desk {
    let guards = guards(url, policy);
    Desk::set(|builder| builder.guards(&guards).passes(passes()).rule(login()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_requests_with_one_pass_one_gets_through() {
    let desk = std::sync::Arc::new(Desk::new());
    for round in 0..20 {
        let pass = desk.earned().await;
        let race = (0..16).map(|_| {
            let (desk, pass) = (std::sync::Arc::clone(&desk), pass.clone());
            tokio::spawn(async move { desk.by_pass(&pass, &solved()).await.status().as_u16() })
        });
        let mut statuses: Vec<u16> = join_all(race).await.into_iter().map(Result::unwrap).collect();
        statuses.sort_unstable();
        assert_eq!((statuses[0], statuses[1]), (200, 403), "{round}");
    }
}

#[tokio::test]
async fn a_full_memory_takes_no_pass() {
    let guards = Guards::builder().capacity(1).build().unwrap();
    let desk = Desk::set(|builder| builder.guards(&guards).passes(passes()).rule(login()));
    // The token's claim fills it.
    let pass = desk.earned().await;
    desk.refuses(&pass, &solved(), DenialReason::PassInvalid, "full").await;
}

#[tokio::test]
async fn a_pass_is_claimed_whatever_guards_a_reload_brings() {
    let desk = Desk::new();
    let lenient = Guards::builder().without_replay_guard().build().unwrap();
    let desk = Desk {
        layer: JVerifyLayer::builder(desk.verifier.clone()).guards(&lenient).rule(login()).build().unwrap(),
        ..desk
    };
    desk.layer.reload(JVerifyLayer::builder(desk.verifier.clone()).passes(passes()).rule(login()).build().unwrap());
    let pass = desk.earned().await;
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
    desk.refuses(&pass, &solved(), DenialReason::PassUsed, "again").await;
}

/// A new memory does not know which passes were used.
#[tokio::test]
async fn a_reload_that_brings_guards_accepts_no_pass_from_before() {
    let desk = Desk::new();
    let (used, unused) = (desk.earned().await, desk.earned().await);
    assert_eq!(desk.by_pass(&used, &solved()).await.status(), 200);
    let new = JVerifyLayer::builder(desk.verifier.clone()).guards(&Guards::new()).passes(passes()).rule(login());
    desk.layer.reload(new.build().unwrap());
    for (pass, what) in [(&used, "used"), (&unused, "not used")] {
        desk.refuses(pass, &solved(), DenialReason::PassInvalid, what).await;
    }
    let pass = desk.earned().await;
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200, "from after it");
}

/// A restart is a new memory.
#[tokio::test]
async fn a_pass_that_was_used_before_a_restart_is_not_used_after_it() {
    let set = || Desk::set(|builder| builder.passes(passes()).retry_pass([401]).rule(login()));
    let before = set();
    before.answers(401);
    let mut response = before.login(&json!({"token": "100 t", "phone": PHONE})).await;
    for n in 0..3 {
        let pass = response.headers()[super::PASS].to_str().unwrap().to_owned();
        response = before.by_pass(&pass, &json!({"phone": PHONE})).await;
        assert_eq!(response.status(), 401);
        // Also one that was signed after the restart, of a check from before it.
        set().refuses(&pass, &json!({"phone": PHONE}), DenialReason::PassInvalid, &n.to_string()).await;
    }
}

/// Dropped after each number of polls: once the captcha was asked, the pass is spent.
#[tokio::test]
async fn a_request_that_is_dropped_at_any_poll_uses_its_pass_at_most_once() {
    for polls in 0..30 {
        let captchas = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&captchas);
        let verifier = service_fn(move |check: Check| {
            let captchas = Arc::clone(&counted);
            async move {
                let verdict = Verdict::new(check.kind(), Class::Passed);
                let is_number = check.kind() == CheckKind::Number;
                captchas.fetch_add(usize::from(!is_number), SeqCst);
                for _ in 0..4 {
                    tokio::task::yield_now().await;
                }
                let risky = || verdict.clone().with_risk(Risk::from_score(650, Vec::new()));
                Ok::<_, std::convert::Infallible>(if is_number { risky() } else { verdict })
            }
        });
        let layer = JVerifyLayer::builder(verifier).passes(passes()).rule(login()).build().unwrap();
        let application = Application::default();
        let send = |request| tower::ServiceExt::oneshot(tower::Layer::layer(&layer, application.clone()), request);
        let denied = send(post_json("/login", json!({"token": "t", "phone": PHONE}).to_string())).await.unwrap();
        let pass = denied.headers()[super::PASS].to_str().unwrap().to_owned();
        let mut request = Box::pin(send(with_pass(&pass, post_json("/login", solved().to_string()))));
        for _ in 0..polls {
            if request.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(request);
        layer.drained().await;
        let asked = captchas.load(SeqCst);
        let again = send(with_pass(&pass, post_json("/login", solved().to_string()))).await.unwrap();
        assert_eq!(again.status() == 200, asked == 0, "{polls} {asked}");
        assert!(application.runs() <= 1, "{polls}");
    }
}

#[tokio::test]
async fn a_pass_is_refused_while_redis_is_down() {
    for policy in [StorePolicy::Local, StorePolicy::Refuse] {
        let pass = Desk::new().earned().await;
        let desk = sharing("redis://127.0.0.1:1", policy);
        desk.refuses(&pass, &solved(), DenialReason::PassInvalid, "no store answers").await;
    }
}

#[tokio::test]
async fn instances_share_the_single_use_of_a_pass_and_redis_does_not_see_it() {
    let Some(server) = Server::start() else { return };
    let desks = [sharing(&server.url(), StorePolicy::Local), sharing(&server.url(), StorePolicy::Local)];
    let mut monitor = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    monitor.write_all(encoded(&["MONITOR"]).as_bytes()).unwrap();
    monitor.read_exact(&mut [0; 5]).unwrap();
    let watched = monitor.try_clone().unwrap();
    let watching = std::thread::spawn(move || {
        let mut seen = Vec::new();
        let _ = monitor.read_to_end(&mut seen);
        String::from_utf8_lossy(&seen).into_owned()
    });
    let pass = desks[0].earned().await;
    let without = desks[1].by_pass(&pass, &json!({"phone": PHONE})).await;
    assert_eq!(denial_reason(&without), Some(DenialReason::CaptchaRequired));
    // It is given back in a task.
    let mut status = desks[0].by_pass(&pass, &solved()).await.status();
    for _ in 0..50 {
        if status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        status = desks[0].by_pass(&pass, &solved()).await.status();
    }
    assert_eq!(status, 200);
    desks[1].refuses(&pass, &solved(), DenialReason::PassUsed, "elsewhere").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    watched.shutdown(Shutdown::Both).unwrap();
    let seen = watching.join().unwrap();
    assert!(seen.contains("\"NX\""), "the monitor saw the claims: {seen}");
    let jti = claims(&pass)["jti"].as_str().unwrap().to_owned();
    for secret in pass.split('.').chain([&*jti, PHONE]) {
        assert!(!seen.contains(secret), "{secret}");
    }
}

/// One of the processes. It says that it is ready, reads the passes, and says how many got through.
#[test]
#[ignore = "a process of the race: the test below starts it"]
fn a_process_of_the_race() {
    let Ok(url) = env::var(URL) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let through = runtime.block_on(async {
        let desk = sharing(&url, StorePolicy::Local);
        println!("ready");
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).unwrap();
        let desk = &desk;
        // The captchas are the process's own.
        let body = || json!({"phone": PHONE, "captchaContent": format!("solved {} {}", std::process::id(), next())});
        let logins = stream::iter(line.split_whitespace()).map(|pass| async move { desk.by_pass(pass, &body()).await });
        let answers: Vec<_> = logins.buffered(16).collect().await;
        let is_known = |reason| matches!(reason, None | Some(DenialReason::PassUsed));
        assert!(answers.iter().map(denial_reason).all(is_known));
        answers.iter().filter(|answer| answer.status() == 200).count()
    });
    println!("through {through}");
}

fn start(url: &str) -> (Child, std::io::Lines<BufReader<std::process::ChildStdout>>) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["passes::store::a_process_of_the_race", "--exact", "--ignored", "--nocapture"])
        .env(URL, url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    after(&mut lines, "ready");
    (child, lines)
}

/// What follows this word in the next line that has it.
fn after(lines: &mut impl Iterator<Item = std::io::Result<String>>, word: &str) -> String {
    lines.find_map(|line| Some(line.unwrap().split_once(word)?.1.trim().to_owned())).expect("it says so")
}

#[test]
fn two_processes_let_each_of_a_thousand_passes_through_once() {
    let Some(server) = Server::start() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let issued: Vec<String> = runtime.block_on(async {
        let desk = Desk::asking(verifier(), |builder| builder.passes(passes()).rule(login()));
        let desk = &desk;
        let earned = |n: u32| async move {
            super::issued(&desk.login(&json!({"token": format!("650 {n}"), "phone": PHONE})).await)
        };
        stream::iter(0..PASSES).then(earned).collect().await
    });
    let mut racers = [start(&server.url()), start(&server.url())];
    let line = format!("{}\n", issued.join(" "));
    for (child, _) in &mut racers {
        child.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
    }
    let mut through = 0;
    for (child, lines) in &mut racers {
        through += after(lines, "through").parse::<u32>().unwrap();
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(through, PASSES);
}
