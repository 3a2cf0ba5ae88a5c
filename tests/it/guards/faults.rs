//! The layer, the real client and the sandbox, with a proxy in between that injects faults.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::json;
use tokio::{net::TcpListener, time::timeout};
use tower_jverify::{
    Breaker, Class, Credentials, DenialReason, Fallback, Guards, GuardsBuilder, JPush, JVerifyBuilder, JVerifyLayer,
    Policy, Rule, Sandbox, number,
};

use super::{PHONE, reason};
use crate::{
    fault_proxy::{Fault, FaultProxy},
    support::{Application, post_json, send, serve},
};

/// What a spoilt exchange says about the service, by the specification of breakers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// The answer came after all.
    Well,
    /// A failure: no connection, a reset, no answer within the deadline.
    Failed,
    /// A failure that opens no door: an answer that cannot be read.
    Garbled,
}

use Says::{Failed, Garbled, Well};

/// Longer than anything takes here that ends by itself.
const LONG: Duration = Duration::from_secs(20);

/// For what ends at the deadline. No check begins with less than a second left.
const SHORT: Duration = Duration::from_secs(2);

const MOMENT: Duration = Duration::from_millis(20);

/// A fault, the rule's deadline, how many calls the sandbox sees, and what the breaker learns.
const FAULTS: [(Fault, Duration, usize, Says); 19] = [
    (Fault::Delay(MOMENT), LONG, 1, Well),
    (Fault::Delay(LONG), SHORT, 1, Failed),
    (Fault::Drip(Duration::ZERO), LONG, 1, Well),
    (Fault::Drip(Duration::from_millis(200)), SHORT, 1, Failed),
    (Fault::Cut(0), LONG, 1, Failed),
    (Fault::Cut(20), LONG, 1, Failed),
    // But for its last byte.
    (Fault::Cut(usize::MAX), LONG, 1, Garbled),
    (Fault::CutRequest(0), LONG, 0, Failed),
    (Fault::CutRequest(20), LONG, 0, Failed),
    (Fault::CutRequest(usize::MAX), LONG, 0, Failed),
    (Fault::Reset, LONG, 1, Failed),
    (Fault::ResetUnseen, LONG, 0, Failed),
    (Fault::BlackHole, SHORT, 0, Failed),
    (Fault::HalfClose, LONG, 1, Failed),
    (Fault::SlowAccept(MOMENT), LONG, 1, Well),
    (Fault::SlowAccept(LONG), SHORT, 0, Failed),
    (Fault::TlsGarbage, LONG, 1, Garbled),
    (Fault::Continue, LONG, 1, Well),
    (Fault::Informational(1_000), LONG, 1, Well),
];

const ENDLESS: (Fault, Duration, usize, Says) = (Fault::Informational(usize::MAX), SHORT, 1, Failed);

/// An application that asks the sandbox through the proxy.
struct Desk {
    sandbox: Sandbox,
    proxy: FaultProxy,
    application: Application,
    layer: JVerifyLayer<JPush>,
    guards: Guards,
    accounted: Accounted,
}

/// The `exID`s of the checks that may have cost something.
#[derive(Clone, Default)]
struct Accounted(Arc<Mutex<Vec<String>>>);

impl Accounted {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn jpush(url: &str) -> JPush {
    let credentials = Credentials::new("app key", "master secret").unwrap();
    JPush::builder(credentials).base_url(url).proof_bytes(*b"#").build().unwrap()
}

/// Spent by its first use, and of the same length as the others.
fn login(number: usize) -> String {
    json!({"token": format!("sandbox-once-9000#{number:04}"), "phone": PHONE}).to_string()
}

impl Desk {
    /// With room for one check and one body.
    async fn new(guards: GuardsBuilder, rule: Rule, url: fn(&FaultProxy) -> String) -> Self {
        let bytes = login(0).len();
        // Three quarters of it are for any body.
        let room = |layer: JVerifyBuilder<JPush>| layer.in_flight(1).body_limit(bytes).buffered(bytes.div_ceil(3) * 4);
        Self::set(guards, |layer| room(layer.rule(rule)), 0, url).await
    }

    async fn set(
        guards: GuardsBuilder,
        set: impl FnOnce(JVerifyBuilder<JPush>) -> JVerifyBuilder<JPush>,
        seed: u64,
        url: fn(&FaultProxy) -> String,
    ) -> Self {
        let (sandbox, guards) = (Sandbox::new(), guards.build().unwrap());
        let proxy = FaultProxy::start(serve(sandbox.clone()).await, seed).await.unwrap();
        let accounted = Accounted::default();
        let into = accounted.clone();
        let layer = JVerifyLayer::builder(jpush(&url(&proxy))).guards(&guards).on_decision(move |decided| {
            let paid = decided.verdicts().iter().filter(|verdict| !verdict.nothing_sent());
            into.0.lock().unwrap().extend(paid.filter_map(|verdict| verdict.ex_id()).map(ToString::to_string));
        });
        let layer = set(layer).build().unwrap();
        Self { sandbox, proxy, application: Application::default(), layer, guards, accounted }
    }

    async fn login(&self, number: usize) -> http::Response<bytes::Bytes> {
        send(&self.layer, &self.application, post_json("/login", login(number))).await
    }

    fn is_open(&self) -> bool {
        self.guards.snapshot().breakers().any(|breaker| breaker.endpoint() == "number_app" && breaker.is_open())
    }
}

fn rule(deadline: Duration) -> Rule {
    Rule::post("/login", number()).deadline(deadline)
}

fn noticing() -> GuardsBuilder {
    Guards::builder().breaker(Breaker::new().consecutive(1))
}

/// The client waits for the answer, or leaves when the check has started.
async fn a_spoilt_exchange((fault, deadline, calls, says): (Fault, Duration, usize, Says), leaves: bool) {
    let what = format!("{fault:?}, the client leaves: {leaves}");
    let opening = rule(deadline).policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    let desk = Desk::new(noticing(), opening, FaultProxy::url).await;
    desk.proxy.fault(Some(fault));
    if leaves {
        // One poll: the body is there, and the client is always ready.
        assert!(timeout(Duration::ZERO, desk.login(0)).await.is_err(), "{what}");
        assert_eq!(desk.guards.snapshot().abandoned_checks(), 1, "{what}");
    } else {
        let response = desk.login(0).await;
        let status = if says == Well { 200 } else { 503 };
        assert_eq!(response.status(), status, "{what}");
    }
    desk.guards.drained().await;
    assert_eq!(desk.guards.snapshot().abandoned_checks(), 0, "{what}");
    assert_eq!(desk.application.runs(), usize::from(says == Well && !leaves), "{what}");
    let (accounted, seen) = (desk.accounted.take(), desk.sandbox.take_calls());
    assert_eq!((accounted.len(), seen.len()), (1, calls), "{what}");
    assert!(seen.iter().all(|call| call.ex_id() == Some(&accounted[0])), "{what}");
    assert!(desk.proxy.take_lost().iter().all(|ex_id| *ex_id == accounted[0]), "{what}");
    assert_eq!(desk.is_open(), says != Well, "{what}");

    // Something may have been sent each time, so the proof stays claimed.
    desk.proxy.fault(None);
    assert_eq!(reason(&desk.login(0).await), DenialReason::Replayed, "{what}");
    let runs = desk.application.runs();
    let next = desk.login(1).await;
    match says {
        Well => assert_eq!(next.status(), 200, "{what}"),
        Failed => assert_eq!(next.status(), 200, "{what}: the policy opens for an outage"),
        Garbled => assert_eq!(next.status(), 503, "{what}: the policy opens for no answer that cannot be read"),
    }
    let decision =
        desk.application.runs().checked_sub(runs + 1).and_then(|_| desk.application.header("x-jverify-decision"));
    let expected = match says {
        Well => Some("allow"),
        Failed => Some("unverified"),
        Garbled => None,
    };
    assert_eq!(decision.as_deref(), expected, "{what}");
    assert_eq!(desk.sandbox.take_calls().len(), usize::from(says == Well), "{what}: an open breaker asks nothing");
}

/// Without a breaker, the place of the check, the body's bytes and the client serve the next request.
async fn a_spoilt_exchange_holds_nothing((fault, deadline, ..): (Fault, Duration, usize, Says), leaves: bool) {
    let what = format!("{fault:?}, the client leaves: {leaves}");
    let desk = Desk::new(Guards::builder().without_breaker(), rule(deadline), FaultProxy::url).await;
    desk.proxy.fault(Some(fault));
    if leaves {
        assert!(timeout(Duration::ZERO, desk.login(0)).await.is_err(), "{what}");
    } else {
        desk.login(0).await;
    }
    desk.guards.drained().await;
    desk.proxy.fault(None);
    let runs = desk.application.runs();
    assert_eq!(desk.login(1).await.status(), 200, "{what}");
    assert_eq!(desk.application.runs(), runs + 1, "{what}");
    assert_eq!(desk.application.header("x-jverify-decision").as_deref(), Some("allow"), "{what}");
}

#[tokio::test]
async fn a_spoilt_exchange_passes_nothing_spends_its_proof_and_counts_as_what_it_is() {
    join_all(FAULTS.map(|row| a_spoilt_exchange(row, false))).await;
}

#[tokio::test]
async fn a_spoilt_exchange_whose_client_has_left_counts_as_what_it_is_when_it_ends() {
    join_all(FAULTS.map(|row| a_spoilt_exchange(row, true))).await;
}

#[tokio::test]
async fn a_spoilt_exchange_leaves_place_and_budget_to_the_next_request() {
    let rows = FAULTS.iter().flat_map(|row| [(*row, false), (*row, true)]);
    join_all(rows.map(|(row, leaves)| a_spoilt_exchange_holds_nothing(row, leaves))).await;
}

#[tokio::test]
async fn informational_answers_without_end_are_no_answer_within_the_deadline() {
    a_spoilt_exchange(ENDLESS, false).await;
    a_spoilt_exchange(ENDLESS, true).await;
    a_spoilt_exchange_holds_nothing(ENDLESS, false).await;
}

#[tokio::test]
async fn a_tls_handshake_that_fails_sends_nothing_and_gives_the_proof_back() {
    let opening = rule(LONG).policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    let desk = Desk::new(noticing(), opening, FaultProxy::tls_url).await;
    // The first failure opens the breaker, and the policy opens for it. The same proof again: it was not used.
    for runs in 1..=2 {
        assert_eq!((desk.login(0).await.status().as_u16(), desk.is_open()), (200, true));
        assert_eq!(desk.application.header("x-jverify-decision").as_deref(), Some("unverified"));
        assert_eq!(desk.application.runs(), runs);
    }
    assert_eq!((desk.accounted.take().len(), desk.sandbox.take_calls().len()), (0, 0));
}

#[tokio::test]
async fn after_a_refused_connection_the_same_proof_is_asked_about_once_jpush_is_back() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (application, guards) = (Application::default(), Guards::new());
    let layer = JVerifyLayer::builder(jpush(&format!("http://{free}"))).guards(&guards).rule(rule(LONG));
    let layer = layer.build().unwrap();
    let login = || send(&layer, &application, post_json("/login", login(0)));
    for _ in 0..2 {
        assert_eq!(reason(&login().await), DenialReason::Verdict(tower_jverify::Class::Unavailable));
    }

    let (sandbox, back) = (Sandbox::new(), TcpListener::bind(free).await.unwrap());
    let service = hyper_util::service::TowerToHyperService::new(sandbox.clone());
    tokio::spawn(async move {
        let (stream, _) = back.accept().await.unwrap();
        let stream = hyper_util::rt::TokioIo::new(stream);
        hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await
    });
    assert_eq!(login().await.status(), 200);
    assert_eq!(reason(&login().await), DenialReason::Replayed);
    assert_eq!((sandbox.calls().len(), application.runs()), (1, 1));
}

#[tokio::test]
async fn under_faults_by_chance_nothing_passes_unverified_and_each_call_is_accounted_for() {
    // Printed by the proxy: a failure shows it.
    let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    let guards = Guards::builder().without_breaker();
    let desk = Desk::set(guards, |layer| layer.rule(rule(SHORT)), seed, FaultProxy::url).await;
    desk.proxy.fault_each(40);
    let mut accounted = Vec::new();
    for round in 0..5 {
        let logins = (0..40).map(|n| {
            let meaning = if n % 2 == 0 { "once-9000" } else { "9001" };
            let body = json!({"token": format!("sandbox-{meaning}#{round}-{n}"), "phone": PHONE}).to_string();
            send(&desk.layer, &desk.application, post_json("/login", body))
        });
        for (n, response) in join_all(logins).await.into_iter().enumerate() {
            let right = if n % 2 == 0 { 200 } else { 403 };
            assert!([right, 503].contains(&response.status().as_u16()), "{round}-{n}: {}", response.status());
        }
        accounted.append(&mut desk.accounted.take());
    }
    desk.guards.drained().await;
    // What the layer has given up on may still be on its way.
    let mut lost = Vec::new();
    let arrived = async {
        while desk.sandbox.calls().len() + lost.len() < accounted.len() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            lost.append(&mut desk.proxy.take_lost());
        }
    };
    timeout(LONG, arrived).await.expect("each call that is accounted for arrives");
    let passed = desk.sandbox.calls().iter().filter(|call| call.code() == Some(9000)).count();
    assert!(desk.application.runs() <= passed, "more passed than JPush vouched for");
    let calls = desk.sandbox.take_calls();
    let seen_by_jpush: Vec<_> = calls.iter().filter_map(|call| call.ex_id().map(str::to_owned)).collect();
    assert!(!lost.is_empty() && seen_by_jpush.len() > 100, "{} lost, {} seen", lost.len(), seen_by_jpush.len());
    let arrived: Vec<_> = seen_by_jpush.into_iter().chain(lost).collect();
    let (ids, known) = (BTreeSet::from_iter(&arrived), BTreeSet::from_iter(&accounted));
    assert_eq!((ids.len(), known.len()), (arrived.len(), accounted.len()), "each once");
    assert_eq!(ids, known);
}
