//! CASES 56: a future dropped at any await leaks nothing, starts no further check, and finishes the check that has started.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimit};
use tower_jverify::{Check, Class, RequestBody, Rule, Verdict, captcha, number};

use crate::support::asking;

const PROOFS: &str = r#"{"captchaContent":"c","token":"t","phone":"13812345678"}"#;

/// Not ready so many times, by everything that is awaited.
const PENDING: usize = 3;

fn stutter(left: &mut usize, cx: &Context<'_>) -> Poll<()> {
    match left.checked_sub(1) {
        None => Poll::Ready(()),
        Some(less) => {
            *left = less;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
}

fn stuttering() -> impl Future<Output = ()> + Send {
    let mut left = PENDING;
    poll_fn(move |cx| stutter(&mut left, cx))
}

/// A body that comes in single bytes, and hesitates before each tenth and before its end.
struct Dribble {
    rest: Bytes,
    left: usize,
}

impl Dribble {
    fn new() -> Self {
        Self { rest: Bytes::from_static(PROOFS.as_bytes()), left: PENDING }
    }
}

impl Body for Dribble {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.len().is_multiple_of(10) && stutter(&mut self.left, cx).is_pending() {
            return Poll::Pending;
        }
        self.left = PENDING;
        let one = self.rest.len().min(1);
        let next = self.rest.split_to(one);
        Poll::Ready((!next.is_empty()).then(|| Ok(Frame::data(next))))
    }
}

/// Counts checks that were requested, started and answered. It is not ready at first, and slow.
#[derive(Clone, Default)]
struct Stutterer {
    calls: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
    left: usize,
}

impl Service<Check> for Stutterer {
    type Response = Verdict;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Verdict, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        stutter(&mut self.left, cx).map(Ok)
    }

    fn call(&mut self, check: Check) -> Self::Future {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let answered = Arc::clone(&self.answered);
        Box::pin(async move {
            stuttering().await;
            answered.fetch_add(1, Ordering::SeqCst);
            Ok(Verdict::new(check.kind(), Class::Passed))
        })
    }
}

/// The application: one at a time.
fn application() -> ConcurrencyLimit<
    impl Service<Request<RequestBody<Dribble>>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static,
> {
    ConcurrencyLimit::new(
        tower::service_fn(|_: Request<_>| async {
            stuttering().await;
            Ok::<_, Infallible>(Response::new(Full::default()))
        }),
        1,
    )
}

fn request() -> Request<Dribble> {
    Request::post("/login").header("content-type", "application/json").body(Dribble::new()).unwrap()
}

#[test]
fn dropped_after_any_number_of_polls_a_started_check_is_finished_and_nothing_more_is_asked() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let within = runtime.enter();
    let mut cx = Context::from_waker(Waker::noop());

    let stutterer = Stutterer { left: PENDING, ..Stutterer::default() };
    let asked = || stutterer.calls.load(Ordering::SeqCst);
    let in_flight = || asked() - stutterer.answered.load(Ordering::SeqCst);
    // Room for one request, to the byte: three quarters of the budget.
    let layer = asking(stutterer.clone())
        .rule(Rule::post("/login", captcha().then(number())))
        .in_flight(1)
        .body_limit(PROOFS.len())
        .buffered(PROOFS.len().div_ceil(3) * 4)
        .build()
        .unwrap();
    let service = layer.layer(application());

    // How many polls a complete request takes, and how many checks have started by each.
    let mut polls = Vec::new();
    let mut whole = pin!(service.clone().oneshot(request()));
    while whole.as_mut().poll(&mut cx).is_pending() {
        polls.push(asked());
        assert!(polls.len() < 1_000, "it never ends");
    }
    assert_eq!((polls.first(), polls.last()), (Some(&0), Some(&2)), "it waits before, between and after");
    assert!(polls.contains(&1) && polls.len() > 6 * PENDING, "{polls:?}");

    drop(within);
    let mut finished = 0;
    for (after, expected) in polls.iter().enumerate() {
        let within = runtime.enter();
        let before = asked();
        let mut dropped = Box::pin(service.clone().oneshot(request()));
        for _ in 0..=after {
            assert!(dropped.as_mut().poll(&mut cx).is_pending(), "dropped after poll {after}");
        }
        drop(dropped);
        drop(within);
        assert_eq!(asked() - before, *expected, "dropped after poll {after}");

        // Only a check that has started holds the place, until it is finished.
        let held = in_flight();
        if held > 0 {
            let _within = runtime.enter();
            let mut refused = pin!(service.clone().oneshot(request()));
            let response = std::iter::repeat_with(|| refused.as_mut().poll(&mut cx)).take(1_000).find(Poll::is_ready);
            let Some(Poll::Ready(Ok(response))) = response else { panic!("dropped after poll {after}") };
            assert_eq!(response.status(), 503, "dropped after poll {after}");
        }
        finished += held;
        runtime.block_on(layer.drained());
        assert_eq!((asked() - before, in_flight()), (*expected, 0), "dropped after poll {after}");

        // The bulkhead's one place, the budget's last byte and the application's one slot are there again.
        let _within = runtime.enter();
        let mut next = pin!(service.clone().oneshot(request()));
        let response = std::iter::repeat_with(|| next.as_mut().poll(&mut cx)).take(1_000).find_map(|poll| match poll {
            Poll::Ready(response) => Some(response.unwrap()),
            Poll::Pending => None,
        });
        assert_eq!(response.map(|response| response.status()).unwrap(), 200, "dropped after poll {after}");
        assert_eq!(asked() - before, *expected + 2, "dropped after poll {after}: asked behind the client's back");
    }
    assert!(finished >= 2 * PENDING, "{finished} checks were left in flight");
}

#[test]
fn a_future_that_was_never_polled_has_done_nothing() {
    let stutterer = Stutterer::default();
    let layer = asking(stutterer.clone()).rule(Rule::post("/login", number())).build().unwrap();
    let mut service = layer.layer(application());
    drop(service.call(request()));
    assert_eq!(stutterer.calls.load(Ordering::SeqCst), 0);
}
