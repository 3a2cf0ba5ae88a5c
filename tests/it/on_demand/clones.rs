//! Clones share one answer, whichever of them waits and whichever is dropped.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tower_jverify::{DenialReason, JVerifyLayer, Prove, Rule, captcha, number};

use super::{passed_on, rule};
use crate::{
    load::{Slow, leave},
    support::{Application, LOGIN, Verifier, post_json, send},
};

const BOTH: &str = r#"{"captchaContent":"c","token":"t","phone":"13812345678"}"#;

/// The `Prove` of a request that a slow JPush will be asked about.
async fn slowly(slow: &Slow, rule: Rule, body: &'static str) -> (JVerifyLayer<Slow>, Prove) {
    let layer = crate::support::asking(slow.clone()).rule(rule.in_flight(1)).build().unwrap();
    let application = Application::default();
    assert_eq!(send(&layer, &application, post_json("/login", body)).await.status(), 200);
    let prove = application.last().parts.extensions.get::<Prove>().cloned().unwrap();
    (layer, prove)
}

async fn until_started(slow: &Slow, calls: usize) {
    while slow.started() < calls {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn calls_at_the_same_time_and_later_get_one_answer() {
    let (guarded, prove) = passed_on(rule(), Verifier::passing(), LOGIN).await;
    let clones: Vec<Prove> = (0..8).map(|_| prove.clone()).collect();
    let waiting = clones.iter().map(Prove::now);
    let mut answers = futures_util::future::join_all(waiting).await;
    answers.push(prove.now().await);
    answers.push(super::prove(&guarded).now().await);
    let ids: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap().ex_ids().next().cloned().unwrap()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!((ids.len(), guarded.verifier.calls()), (10, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_several_threads_the_checks_are_asked_once() {
    for _ in 0..64 {
        let (guarded, prove) = passed_on(rule(), Verifier::passing(), LOGIN).await;
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let prove = prove.clone();
                tokio::spawn(async move { prove.now().await.is_ok() })
            })
            .collect();
        for task in tasks {
            assert!(task.await.unwrap());
        }
        assert_eq!(guarded.verifier.calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_caller_that_leaves_takes_nothing_from_the_second() {
    let slow = Slow::taking(2_000);
    let (_layer, prove) = slowly(&slow, rule(), LOGIN).await;
    let first = prove.clone();
    let first = tokio::spawn(async move { first.now().await.is_ok() });
    until_started(&slow, 1).await;
    let second = prove.clone();
    let second = tokio::spawn(async move { second.now().await.is_ok() });
    tokio::task::yield_now().await;
    leave(first).await;
    assert!(second.await.unwrap());
    assert!(prove.now().await.is_ok());
    assert_eq!((slow.started(), slow.answered()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_goes_on_while_a_clone_is_there() {
    let slow = Slow::taking(2_000);
    let (_layer, prove) = slowly(&slow, Rule::post("/login", captcha().then(number())).on_demand(), BOTH).await;
    assert!(timeout(Duration::from_millis(500), prove.now()).await.is_err(), "the handler gives up for now");
    assert_eq!(slow.started(), 1);
    // The deadline goes on meanwhile, and so do the checks.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let start = Instant::now();
    assert_eq!(prove.now().await.unwrap().verdicts().len(), 2);
    assert_eq!((slow.started(), slow.answered(), start.elapsed().as_secs()), (2, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn when_all_have_left_the_check_is_finished_and_the_next_is_not_started() {
    let slow = Slow::taking(2_000);
    let (layer, prove) = slowly(&slow, Rule::post("/login", captcha().then(number())).on_demand(), BOTH).await;
    let handler = tokio::spawn(async move { prove.now().await.is_ok() });
    until_started(&slow, 1).await;
    leave(handler).await;
    // It keeps its place.
    let application = Application::default();
    send(&layer, &application, post_json("/login", BOTH)).await;
    let other = application.last().parts.extensions.get::<Prove>().cloned().unwrap();
    assert_eq!(other.now().await.unwrap_err().reason(), DenialReason::Overloaded);
    let start = Instant::now();
    layer.drained().await;
    assert_eq!((slow.started(), slow.answered(), slow.most(), start.elapsed().as_secs()), (1, 1, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_a_check_at_once_after_its_handler_has_gone() {
    let slow = Slow::taking(2_000);
    let (layer, prove) = slowly(&slow, rule(), LOGIN).await;
    let handler = tokio::spawn(async move { prove.now().await.is_ok() });
    until_started(&slow, 1).await;
    handler.abort();
    layer.drained().await;
    assert_eq!((slow.started(), slow.answered()), (1, 1));
}

#[tokio::test]
async fn outside_of_a_runtime_a_call_panics_and_asks_nothing() {
    let (guarded, prove) = passed_on(rule(), Verifier::passing(), LOGIN).await;
    let elsewhere = prove.clone();
    let joined = std::thread::spawn(move || futures_util::future::FutureExt::now_or_never(elsewhere.now()).is_some());
    assert!(joined.join().is_err());
    assert_eq!(guarded.verifier.calls(), 0);
    prove.now().await.unwrap();
    assert_eq!(guarded.verifier.calls(), 1);
}

#[test]
fn a_runtime_that_ends_leaves_no_caller_waiting() {
    let slow = Slow::taking(60_000);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (asks, waits) = (runtime(), runtime());
    let (_layer, prove) = asks.block_on(slowly(&slow, rule().deadline(Duration::from_secs(90)), LOGIN));
    asks.block_on(async {
        let started = timeout(Duration::from_millis(50), prove.now()).await;
        assert!(started.is_err());
    });
    drop(asks);
    let refused = waits.block_on(prove.now()).unwrap_err();
    assert_eq!(refused.reason(), DenialReason::Panicked);
    assert_eq!(slow.started(), 1);
}
