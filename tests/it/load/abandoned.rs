//! CASES 87, 88, 99: a check that has started is finished, even if its client leaves.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tower_jverify::{Check, Class, DenialReason, JVerifyLayer, Rule, Verdict, captcha, number};

use super::{Slow, leave, started};
use crate::support::{Application, LOGIN, Verifier, asking, builder, denial, post_json, send};

const BOTH: &str = r#"{"captchaContent":"c","token":"t","phone":"13812345678"}"#;

fn layer(slow: &Slow, rule: Rule) -> JVerifyLayer<Slow> {
    asking(slow.clone()).rule(rule).in_flight(1).build().unwrap()
}

fn login() -> http::Request<http_body_util::Full<bytes::Bytes>> {
    post_json("/login", LOGIN)
}

#[tokio::test(start_paused = true)]
async fn a_check_that_has_started_is_finished_and_the_requests_next_is_not_started() {
    let slow = Slow::taking(2_000);
    let layer = layer(&slow, Rule::post("/login", captcha().then(number())));
    let start = Instant::now();
    leave(started(&layer, &slow, post_json("/login", BOTH)).await).await;
    assert_eq!(slow.answered(), 0);
    layer.drained().await;
    assert_eq!((slow.started(), slow.answered(), start.elapsed().as_secs()), (1, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn it_keeps_its_place_until_it_has_ended() {
    let slow = Slow::taking(2_000);
    let layer = layer(&slow, Rule::post("/login", number()));
    leave(started(&layer, &slow, login()).await).await;
    let application = Application::default();
    let response = send(&layer, &application, login()).await;
    assert_eq!((response.status().as_u16(), denial(&response).reason()), (503, DenialReason::Overloaded));
    assert_eq!(response.headers()["retry-after"], "1");
    layer.drained().await;
    assert_eq!(send(&layer, &application, login()).await.status(), 200);
    assert_eq!(slow.most(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_ends_by_the_layers_deadline() {
    let slow = Slow::taking(60_000);
    let layer = layer(&slow, Rule::post("/login", number()).deadline(Duration::from_secs(3)));
    let start = Instant::now();
    leave(started(&layer, &slow, login()).await).await;
    layer.drained().await;
    assert_eq!((slow.answered(), start.elapsed().as_secs()), (0, 3));
    leave(started(&layer, &slow, login()).await).await;
}

/// Panics late, or while it is dropped, if it is the first.
struct Bomb {
    panics: bool,
    in_drop: bool,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Future for Bomb {
    type Output = Result<Verdict, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        std::task::ready!(self.sleep.as_mut().poll(cx));
        assert!(!self.panics || self.in_drop, "the verifier panics when polled");
        Poll::Ready(Ok(Verdict::new(tower_jverify::CheckKind::Number, Class::Passed)))
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!(self.panics && self.in_drop), "the verifier panics when dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_it_is_caught_and_the_next_request_succeeds() {
    for in_drop in [false, true] {
        for stays in [false, true] {
            let calls = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&calls);
            let verifier = tower::service_fn(move |_: Check| Bomb {
                panics: counted.fetch_add(1, Ordering::SeqCst) == 0,
                in_drop,
                sleep: Box::pin(sleep(Duration::from_secs(1))),
            });
            let layer = asking(verifier).rule(Rule::post("/login", number())).in_flight(1).build().unwrap();
            let first = {
                let layer = layer.clone();
                tokio::spawn(async move { send(&layer, &Application::default(), login()).await })
            };
            while calls.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            if stays {
                assert_eq!(denial(&first.await.unwrap()).reason(), DenialReason::Panicked, "in drop: {in_drop}");
            } else {
                leave(first).await;
                layer.drained().await;
            }
            assert_eq!(send(&layer, &Application::default(), login()).await.status(), 200, "in drop: {in_drop}");
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

#[test]
fn it_ends_with_its_runtime_and_gives_its_place_back() {
    for dropped_later in [false, true] {
        let slow = Slow::taking(2_000);
        let layer = layer(&slow, Rule::post("/login", number()));
        let first = runtime();
        if dropped_later {
            // Polled on a runtime that has ended when another thread drops it.
            let (layer, slow) = (layer.clone(), slow.clone());
            let mut request = Box::pin(async move { send(&layer, &Application::default(), login()).await });
            first.block_on(poll_fn(|cx| {
                assert!(request.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            }));
            assert_eq!(slow.started(), 1);
            drop(first);
            std::thread::spawn(move || drop(request)).join().unwrap();
        } else {
            drop(first.block_on(started(&layer, &slow, login())));
            drop(first);
        }
        let second = runtime();
        second.block_on(layer.drained());
        assert_eq!(slow.answered(), 0, "dropped later: {dropped_later}");
        assert_eq!(second.block_on(send(&layer, &Application::default(), login())).status(), 200);
    }
}

#[test]
fn a_request_that_a_thread_outside_of_the_runtime_drops_has_its_check_finished_too() {
    let slow = Slow::taking(50);
    let layer = layer(&slow, Rule::post("/login", number()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let asked = layer.clone();
    let mut request = Box::pin(async move { send(&asked, &Application::default(), login()).await });
    runtime.block_on(poll_fn(|cx| {
        assert!(request.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    }));
    std::thread::spawn(move || drop(request)).join().unwrap();
    // Two runtimes wait for it, one after the other.
    self::runtime().block_on(async {
        tokio::join!(layer.drained(), layer.drained());
    });
    assert_eq!(slow.answered(), 1);
}

#[test]
fn a_request_that_is_dropped_by_a_panic_has_its_check_finished_too() {
    let slow = Slow::taking(1_000);
    let layer = layer(&slow, Rule::post("/login", number()));
    let (runtime, asked) = (runtime(), layer.clone());
    let panicked: std::thread::Result<()> = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async move {
            let mut request = pin!(async move { send(&asked, &Application::default(), login()).await });
            poll_fn(|cx| -> Poll<()> {
                assert!(request.as_mut().poll(cx).is_pending());
                panic!("somebody else's panic")
            })
            .await;
        });
    }));
    assert!(panicked.is_err());
    runtime.block_on(layer.drained());
    assert_eq!(slow.answered(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_an_abandoned_check_nothing_is_waited_for() {
    let verifier = Verifier::silent();
    let layer = builder(&verifier).rule(Rule::post("/login", number())).build().unwrap();
    let start = Instant::now();
    layer.drained().await;
    // One whose client is there is the server's to wait for.
    let asked = layer.clone();
    let request = tokio::spawn(async move { send(&asked, &Application::default(), login()).await });
    while verifier.calls() == 0 {
        tokio::task::yield_now().await;
    }
    layer.drained().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    leave(request).await;
    let waited = AtomicBool::new(false);
    tokio::join!(
        async {
            layer.drained().await;
            waited.store(true, Ordering::SeqCst);
        },
        async {
            sleep(Duration::from_secs(4)).await;
            assert!(!waited.load(Ordering::SeqCst), "it does not wait");
        },
    );
    assert_eq!(start.elapsed().as_secs(), 5);
}
