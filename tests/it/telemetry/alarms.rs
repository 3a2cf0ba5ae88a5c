//! Wrong answers of the vendor raise alarms, and let no request through.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tower_jverify::{Class, Fallback, JVerifyLayer, Policy, Rule, Verdict, number};

use super::{Log, metrics::Recorded, real_ip};
use crate::support::{Application, LOGIN, Sandboxed, Verifier, builder, following, post_json, send};

const COLLAPSED: &str = "jverify_alarms_total{kind=pass_ratio_collapsed}";
const OTHER_APP: &str = "jverify_alarms_total{kind=misconfigured_app}";

struct Desk {
    layer: JVerifyLayer<Verifier>,
    recorded: Recorded,
    is_right: Arc<AtomicBool>,
}

impl Desk {
    fn new(rule: Rule) -> Self {
        let is_right = Arc::new(AtomicBool::new(true));
        let answer = Arc::clone(&is_right);
        let verifier = Verifier::answering(move |check| {
            let class = if answer.load(Ordering::Relaxed) { Class::Passed } else { Class::Rejected };
            Some(Verdict::new(check.kind(), class).with_code(1))
        });
        let (layer, recorded) = Recorded::around(|| builder(&verifier).rule(rule).build().unwrap());
        Self { layer, recorded, is_right }
    }

    /// Logins of so many clients, one after the other.
    async fn logins(&self, count: u32, clients: u32, is_right: bool) {
        self.is_right.store(is_right, Ordering::Relaxed);
        for at in 0..count {
            let mut request = post_json("/login", LOGIN);
            let client = format!("203.0.{}.{}", at % clients / 200, at % clients % 200);
            request.headers_mut().insert("x-real-ip", client.parse().unwrap());
            let status = send(&self.layer, &Application::default(), request).await.status();
            assert_eq!(status, if is_right { 200 } else { 403 }, "an alarm opens nothing");
        }
    }

    fn alarms(&self, name: &str) -> i64 {
        self.recorded.counted().get(name).copied().unwrap_or_default()
    }
}

fn rule() -> Rule {
    // The most open policy that there is.
    Rule::post("/login", number()).policy(Policy::default().on(Class::Unavailable, Fallback::Open))
}

async fn minutes(minutes: u64) {
    tokio::time::advance(Duration::from_secs(60 * minutes)).await;
}

fn with(log: &Log, word: &str) -> Vec<String> {
    log.take_events().into_iter().filter(|event| event.contains(word)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_rule_whose_checks_stop_passing_is_an_alarm_once_and_again_after_recovery() {
    let desk = Desk::new(rule().client_ip(real_ip()));
    let (log, _listening) = Log::listen();
    for round in 1..=2 {
        desk.logins(250, 50, true).await;
        minutes(6).await;
        desk.logins(180, 60, false).await;
        let events = with(&log, "pass_ratio_collapsed");
        let [event] = &events[..] else { panic!("{round}: {events:#?}") };
        assert!(event.starts_with("ERROR") && event.contains("rule=\"POST /login\""), "{event}");
        assert!(event.contains("recent=0") && !event.contains("203.0"), "{event}");
        assert_eq!(desk.alarms(COLLAPSED), round);
        minutes(6).await;
        desk.logins(150, 50, true).await;
        let events = with(&log, "pass_ratio_recovered");
        assert!(matches!(&events[..], [event] if event.starts_with("INFO")), "{round}: {events:#?}");
        minutes(6).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_few_clients_or_unknown_clients_cause_no_alarm() {
    let known = || rule().client_ip(real_ip());
    for (rule, clients) in [(known(), 10), (known(), 19), (rule(), 60)] {
        let desk = Desk::new(rule);
        desk.logins(250, 50, true).await;
        minutes(6).await;
        desk.logins(250, clients, false).await;
        assert_eq!(desk.alarms(COLLAPSED), 0, "{clients}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_not_a_collapse() {
    let is_up = Arc::new(AtomicBool::new(true));
    let answer = Arc::clone(&is_up);
    let verifier = Verifier::answering(move |check| {
        answer.load(Ordering::Relaxed).then(|| Verdict::new(check.kind(), Class::Passed).with_code(1))
    });
    let rule = rule().client_ip(real_ip()).deadline(Duration::from_millis(1001));
    let (layer, recorded) = Recorded::around(|| builder(&verifier).rule(rule).build().unwrap());
    for up in [true, false] {
        is_up.store(up, Ordering::Relaxed);
        for at in 0..120 {
            let mut request = post_json("/login", LOGIN);
            request.headers_mut().insert("x-real-ip", format!("203.0.113.{}", at % 60).parse().unwrap());
            send(&layer, &Application::default(), request).await;
        }
    }
    assert_eq!(recorded.counted().get(COLLAPSED), None);
}

#[tokio::test(start_paused = true)]
async fn a_reload_forgets_no_share() {
    let desk = Desk::new(rule().client_ip(real_ip()));
    desk.logins(250, 50, true).await;
    minutes(6).await;
    let verifier = Verifier::of_class(Class::Rejected);
    let (new, newest) = Recorded::around(|| following(&verifier).rule(rule().client_ip(real_ip())).build().unwrap());
    desk.layer.reload(new);
    desk.logins(180, 60, false).await;
    assert_eq!(newest.counted().get(COLLAPSED), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn proofs_for_another_application_are_an_alarm_where_most_are() {
    let rules = || [Rule::post("/login", number()), Rule::post("/signin", number())];
    let (desk, recorded) = Recorded::around(|| Sandboxed::set(|builder| builder.rules(rules())));
    let (log, _listening) = Log::listen();
    let ask = async |path: &str, code: u32, count: u32| {
        for _ in 0..count {
            let body = json!({"token": format!("sandbox-{code}"), "phone": "13800000000"}).to_string();
            assert_eq!(desk.send(post_json(path, body)).await.status(), 403);
        }
    };
    ask("/login", 9001, 10).await;
    ask("/login", 9020, 5).await;
    ask("/signin", 7106, 5).await;
    assert_eq!(recorded.counted().get(OTHER_APP), None, "half of twenty");
    // The rules of one account count together.
    ask("/signin", 7109, 1).await;
    let events = with(&log, "misconfigured_app");
    assert!(matches!(&events[..], [event] if event.starts_with("ERROR") && event.contains("account=")), "{events:#?}");
    ask("/login", 9020, 30).await;
    assert_eq!(recorded.counted().get(OTHER_APP), Some(&1), "once a minute");
    minutes(11).await;
    ask("/login", 9001, 30).await;
    ask("/login", 9020, 29).await;
    assert_eq!(recorded.counted().get(OTHER_APP), Some(&1), "what is older than ten minutes is forgotten");
}
