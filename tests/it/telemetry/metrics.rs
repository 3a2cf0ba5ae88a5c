//! The feature `metrics`: the names, labels and values of metrics.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Mutex,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::StreamBody;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use serde_json::json;
use tower::Layer;
use tower_jverify::{
    Breaker, Class, Fallback, Guards, JVerifyBuilder, JVerifyLayer, Policy, Rule, Sandbox, captcha, number,
    sandbox::Fault,
};

use super::real_ip;
use crate::support::{Application, LOGIN, Sandboxed, Verifier, builder, jpush, post_json, quick_to_notice, send};

/// What a recorder was given, and the sums so far: each snapshot begins at zero.
pub(crate) struct Recorded(Snapshotter, Mutex<BTreeMap<String, i64>>);

impl Recorded {
    /// Builds something whose handles this recorder resolves.
    pub(crate) fn around<T>(build: impl FnOnce() -> T) -> (T, Self) {
        let sink = DebuggingRecorder::new();
        let recorded = Self(sink.snapshotter(), Mutex::default());
        (metrics::with_local_recorder(&sink, build), recorded)
    }

    /// Every series, as in `name{label=value,...}`, and its value; a histogram has how many values came.
    pub(super) fn series(&self) -> BTreeMap<String, i64> {
        let mut sums = self.1.lock().unwrap();
        for (key, _, what, value) in self.0.snapshot().into_vec() {
            assert!(what.is_some_and(|what| what.len() > 8), "no description: {key:?}");
            let labels: Vec<_> = key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            let value = match value {
                DebugValue::Counter(value) => i64::try_from(value).unwrap(),
                #[allow(clippy::cast_possible_truncation, reason = "small and whole")]
                DebugValue::Gauge(value) => value.into_inner() as i64,
                DebugValue::Histogram(values) => i64::try_from(values.len()).unwrap(),
            };
            *sums.entry(format!("{}{{{}}}", key.key().name(), labels.join(","))).or_default() += value;
        }
        sums.clone()
    }

    /// The series that are not zero.
    pub(crate) fn counted(&self) -> BTreeMap<String, i64> {
        self.series().into_iter().filter(|(_, value)| *value != 0).collect()
    }
}

/// What has changed, but for durations.
fn change(before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>) -> BTreeSet<String> {
    let changed = after.iter().filter(|(name, _)| !name.contains("_seconds"));
    let changed = changed.filter_map(|(name, value)| {
        let more = value - before.get(name).copied().unwrap_or_default();
        (more != 0).then(|| format!("{name} {more}"))
    });
    changed.collect()
}

fn sandboxed(
    set: impl FnOnce(
        JVerifyBuilder<tower_jverify::JPush<tower_jverify::Sandbox>>,
    ) -> JVerifyBuilder<tower_jverify::JPush<tower_jverify::Sandbox>>,
) -> (Sandboxed, Recorded) {
    Recorded::around(|| Sandboxed::set(set))
}

#[tokio::test]
async fn each_way_to_end_is_counted_once_with_its_checks() {
    let (desk, recorded) = sandboxed(|builder| {
        builder
            .rule(Rule::post("/login", captcha().then(number())).name("login"))
            .rule(Rule::post("/web", number().web()).name("web"))
            .rule(
                Rule::post("/open", number())
                    .name("open")
                    .policy(Policy::default().on(Class::Unavailable, Fallback::Open)),
            )
            .guards(&quick_to_notice())
    });
    assert_eq!(recorded.counted(), BTreeMap::new());
    let proof =
        |token: &str| json!({"captchaContent": "sandbox-pass", "token": token, "phone": "13800000000"}).to_string();
    let checks = |endpoint: &str, class: &str| format!("jverify_checks_total{{endpoint={endpoint},class={class}}} 1");
    let paid = |endpoint: &str| format!("jverify_paid_checks_total{{endpoint={endpoint}}} 1");
    let decided = |rule: &str, action: &str, reason: &str| {
        format!("jverify_decisions_total{{rule={rule},mode=enforce,action={action},reason={reason}}} 1")
    };
    let saved = |by: &str| format!("jverify_saved_checks_total{{by={by}}} 1");
    for (request, expected) in [
        (
            post_json("/login", proof("sandbox-9000")),
            vec![
                checks("captcha", "passed"),
                paid("captcha"),
                checks("number_app", "passed"),
                paid("number_app"),
                decided("login", "allow", "verified"),
            ],
        ),
        (
            post_json("/web", proof("sandbox-9001")),
            vec![checks("number_web", "rejected"), paid("number_web"), decided("web", "deny", "rejected")],
        ),
        (post_json("/web", "{}"), vec![decided("web", "deny", "proof_missing")]),
        // What no SDK makes is answered by the client itself.
        (
            post_json("/web", proof("a/../b")),
            vec![checks("number_web", "invalid"), saved("shape"), decided("web", "deny", "invalid")],
        ),
        (
            post_json("/open", proof("sandbox-9000")),
            vec![
                checks("number_app", "unavailable"),
                decided("open", "unverified", "unavailable"),
                "jverify_opened_total{rule=open} 1".to_owned(),
                "jverify_breaker_transitions_total{endpoint=number_app,to=open} 1".to_owned(),
                "jverify_breaker_state{endpoint=number_app} 2".to_owned(),
            ],
        ),
        (post_json("/login%2F", "{}"), vec![decided("-", "deny", "path_ambiguous")]),
        (
            post_json("/web", proof("sandbox-9018")),
            vec![
                checks("number_web", "account"),
                paid("number_web"),
                decided("web", "deny", "account"),
                "jverify_alarms_total{kind=account} 1".to_owned(),
            ],
        ),
        (post_json("/elsewhere", "{}"), vec![]),
    ] {
        let shown = format!("{request:?}");
        desk.sandbox.fault((request.uri() == "/open").then_some(Fault::Refuse));
        let before = recorded.counted();
        desk.send(request).await;
        let changed = change(&before, &recorded.counted());
        assert_eq!(changed, expected.into_iter().collect(), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_a_gauge_and_returns_to_zero() {
    let verifier = Verifier::silent();
    let (layer, recorded) = Recorded::around(|| {
        builder(&verifier).rule(Rule::post("/login", number())).deadline(Duration::from_secs(5)).build().unwrap()
    });
    let gauge = |name: &str| recorded.counted().get(&format!("{name}{{}}")).copied().unwrap_or_default();
    let client = layer.clone();
    let request =
        tokio::spawn(async move { drop(send(&client, &Application::default(), post_json("/login", LOGIN)).await) });
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(gauge("jverify_checks_in_flight"), 1);
    let length = i64::try_from(LOGIN.len()).unwrap();
    assert_eq!(gauge("jverify_bodies_buffered_bytes"), length);
    // The client leaves: its body is dropped, and the check that has started is finished.
    request.abort();
    assert!(request.await.is_err());
    tokio::task::yield_now().await;
    assert_eq!(gauge("jverify_bodies_buffered_bytes"), 0);
    assert_eq!(gauge("jverify_checks_in_flight"), 1);
    layer.drained().await;
    assert_eq!(gauge("jverify_checks_in_flight"), 0);
    let counted = recorded.counted();
    assert_eq!(
        counted.get("jverify_decisions_total{rule=POST /login,mode=enforce,action=abandoned,reason=-}"),
        Some(&1)
    );
    assert_eq!(counted.get("jverify_checks_total{endpoint=number_app,class=unavailable}"), Some(&1));
    assert_eq!(counted.get("jverify_paid_checks_total{endpoint=number_app}"), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn a_full_bulkhead_saves_a_check_and_a_panic_is_a_dropped_event() {
    let verifier = Verifier::silent();
    let (layer, recorded) = Recorded::around(|| {
        let builder = builder(&verifier).rule(Rule::post("/login", number())).in_flight(1);
        builder.on_decision(|_| panic!("a closure panics")).build().unwrap()
    });
    let client = layer.clone();
    let first =
        tokio::spawn(async move { send(&client, &Application::default(), post_json("/login", LOGIN)).await.status() });
    tokio::task::yield_now().await;
    assert_eq!(send(&layer, &Application::default(), post_json("/login", LOGIN)).await.status(), 503);
    let counted = recorded.counted();
    assert_eq!(counted.get("jverify_saved_checks_total{by=bulkhead}"), Some(&1));
    assert_eq!(counted.get("jverify_events_dropped_total{}"), Some(&1));
    assert_eq!(first.await.unwrap(), 503);
    assert_eq!(recorded.counted().get("jverify_events_dropped_total{}"), Some(&2));
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_check_is_in_seconds() {
    let (desk, recorded) = sandboxed(|builder| builder.rule(Rule::post("/login", number())));
    desk.login(&json!({"token": "sandbox-delay-1500-9000", "phone": "13800000000"})).await;
    let values: Vec<f64> = recorded
        .0
        .snapshot()
        .into_vec()
        .into_iter()
        .filter(|(key, ..)| {
            let labels: Vec<_> = key.key().labels().map(metrics::Label::value).collect();
            key.key().name() == "jverify_check_duration_seconds" && labels == ["number_app"]
        })
        .flat_map(|(_, _, _, value)| match value {
            DebugValue::Histogram(values) => values,
            DebugValue::Counter(_) | DebugValue::Gauge(_) => panic!("a histogram is one"),
        })
        .map(f64::from)
        .collect();
    assert!(values.len() == 1 && (1.5..1.6).contains(&values[0]), "{values:?}");
}

#[tokio::test]
async fn labels_are_of_the_configuration_and_a_rule_has_at_most_200_series() {
    let rule = || Rule::post("/{tenant}/login", number()).client_ip(real_ip());
    let (layer, recorded) =
        Recorded::around(|| builder(&Verifier::of_class(Class::Rejected)).rule(rule()).build().unwrap());
    let before: BTreeSet<String> = recorded.series().into_keys().collect();
    let of_rule =
        |names: &BTreeSet<String>| names.iter().filter(|name| name.contains("rule=POST /{tenant}/login")).count();
    assert!((20..=200).contains(&of_rule(&before)), "{}", of_rule(&before));
    for tenant in ["canary", "tok-canary-7f3a"] {
        let mut request = post_json(&format!("/{tenant}/login"), LOGIN);
        request.headers_mut().insert("x-real-ip", "203.0.113.77".parse().unwrap());
        send(&layer, &Application::default(), request).await;
    }
    let after: BTreeSet<String> = recorded.series().into_keys().collect();
    assert_eq!(before, after, "a request makes no series");
    for personal in ["canary", "13812345678", "138****", "203.0.113.77"] {
        assert!(!after.iter().any(|name| name.contains(personal)), "{personal}");
    }
}

#[tokio::test]
async fn a_reload_counts_with_the_handles_of_the_new_layer() {
    let verifier = Verifier::passing();
    let built = |path: &'static str| builder(&verifier).rule(Rule::post(path, number())).build().unwrap();
    let (layer, _old) = Recorded::around(|| built("/login"));
    let (new, newest) = Recorded::around(|| built("/signin"));
    let service = layer.layer(Application::default());
    layer.reload(new);
    tower::ServiceExt::oneshot(service, post_json("/signin", LOGIN)).await.unwrap();
    let counted = newest.counted();
    assert_eq!(
        counted.get("jverify_decisions_total{rule=POST /signin,mode=enforce,action=allow,reason=verified}"),
        Some(&1)
    );
}

#[tokio::test]
async fn a_reload_continues_the_series_of_the_same_recorder() {
    let verifier = Verifier::passing();
    let guards = Guards::new();
    let built = || builder(&verifier).guards(&guards).rule(Rule::post("/login", number())).build().unwrap();
    let ((layer, new), recorded) = Recorded::around(|| (built(), built()));
    let service = layer.layer(Application::default());
    let login = |token: &str| post_json("/login", json!({"token": token, "phone": "13812345678"}).to_string());
    tower::ServiceExt::oneshot(service.clone(), login("first")).await.unwrap();
    layer.reload(new);
    tower::ServiceExt::oneshot(service, login("second")).await.unwrap();
    for series in [
        "jverify_decisions_total{rule=POST /login,mode=enforce,action=allow,reason=verified}",
        "jverify_checks_total{endpoint=number_app,class=passed}",
        "jverify_paid_checks_total{endpoint=number_app}",
    ] {
        assert_eq!(recorded.counted().get(series), Some(&2), "{series}");
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_not_a_check() {
    let (layer, recorded) =
        Recorded::around(|| builder(&Verifier::passing()).rule(Rule::post("/login", number())).build().unwrap());
    let never =
        StreamBody::new(futures_util::stream::pending::<Result<http_body::Frame<Bytes>, std::convert::Infallible>>());
    let request = post_json("/login", "").map(|_| never);
    let client: JVerifyLayer<Verifier> = layer.clone();
    let request = tokio::spawn(async move { drop(send(&client, &Application::default(), request).await) });
    tokio::task::yield_now().await;
    request.abort();
    assert!(request.await.is_err());
    assert_eq!(recorded.counted(), BTreeMap::new());
}

/// The rows of the page's table of metrics: name, type, labels.
fn documented() -> BTreeSet<(String, String, BTreeSet<String>)> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating.md")).unwrap();
    let table = page.split_once("## Every metric").unwrap().1.split("\n##").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `jverify_"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let labels = cells[2].split('`').skip(1).step_by(2).map(|label| label.split(' ').next().unwrap().to_owned());
        (cells[0].trim_matches('`').to_owned(), cells[1].to_owned(), labels.collect())
    };
    rows.map(row).collect()
}

#[tokio::test]
async fn the_page_has_every_metric_with_its_type_and_its_labels() {
    let (_layer, recorded) =
        Recorded::around(|| builder(&Verifier::passing()).rule(Rule::post("/login", number())).build().unwrap());
    let registered = recorded.0.snapshot().into_vec().into_iter().map(|(key, ..)| {
        let kind = format!("{:?}", key.kind()).to_lowercase();
        let labels = key.key().labels().map(|label| label.key().to_owned()).collect();
        (key.key().name().to_owned(), kind, labels)
    });
    let registered: BTreeSet<_> = registered.collect();
    assert!(registered.len() >= 14, "{registered:?}");
    assert_eq!(documented(), registered);
}

#[test]
fn the_alert_rules_read_metrics_that_exist() {
    let rules = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/alerts.yml")).unwrap();
    let known: BTreeSet<String> = documented().into_iter().map(|(name, ..)| name).collect();
    let mut used = 0;
    for (at, _) in rules.match_indices("jverify_") {
        let name: String = rules[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let is_part_of_histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .any(|part| name.strip_suffix(part).is_some_and(|name| known.contains(name)));
        assert!(known.contains(&name) || is_part_of_histogram, "{name}");
        used += 1;
    }
    assert!(used >= 8, "{used}");
}

#[tokio::test(start_paused = true)]
async fn of_several_accounts_the_breaker_that_is_worst_is_shown() {
    let guards = Guards::builder().breaker(Breaker::new().consecutive(1)).without_replay_guard().build().unwrap();
    let sandboxes = ["one", "two"].map(|account| (account, Sandbox::new()));
    let (layers, recorded) = Recorded::around(|| {
        sandboxes.each_ref().map(|(account, sandbox)| {
            let layer = JVerifyLayer::builder(jpush(sandbox)).guards(&guards).account(*account);
            layer.rule(Rule::post("/login", number())).build().unwrap()
        })
    });
    let login = json!({"token": "sandbox-9000", "phone": "13800000000"}).to_string();
    let login = async |layer| send(layer, &Application::default(), post_json("/login", login.clone())).await.status();
    for ((_, sandbox), layer) in sandboxes.iter().zip(&layers) {
        sandbox.fault(Fault::Refuse);
        assert_eq!(login(layer).await, 503);
    }
    // The first recovers, the second is not asked again.
    let [(_, recovered), _] = &sandboxes;
    recovered.fault(None);
    tokio::time::advance(Duration::from_secs(13)).await;
    assert_eq!(login(&layers[0]).await, 200);
    assert_eq!(recorded.counted().get("jverify_breaker_state{endpoint=number_app}"), Some(&2));
}
