//! A guarded request is dropped at every await, with the real client over a real socket. It leaves no place, byte or claim behind.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use serde_json::json;
use tokio::task::yield_now;
use tower::{Layer, ServiceExt, service_fn};
use tower_jverify::{
    Check, CheckKind, Credentials, Denial, DenialReason, Guards, JPush, JVerifyLayer, Prove, RequestBody, Rule,
    Sandbox, captcha, number, sandbox::Call,
};

use super::PHONE;
use crate::support::{Application, post_json, send, serve};

const PROOFS: [(&str, &str); 2] = [("captchaContent", "sandbox-once-pass"), ("token", "sandbox-once-9000")];

/// Polls a future once in each of so many turns of the runtime, in which other tasks and the sockets move on too. What it has
/// returned by then.
async fn polled<F: Future>(mut future: Pin<&mut F>, turns: usize) -> Option<F::Output> {
    for _ in 0..turns {
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return Some(output);
        }
        yield_now().await;
    }
    None
}

fn both() -> String {
    let [(captcha, solved), (token, passes)] = PROOFS;
    json!({captcha: solved, token: passes, "phone": PHONE}).to_string()
}

/// A login whose body comes in four pieces, each a moment later.
fn in_pieces(path: &str) -> Request<impl http_body::Body<Data = Bytes, Error = Infallible> + Send + use<>> {
    let body = Bytes::from(both());
    let piece = body.len().div_ceil(4);
    let pieces = stream::unfold(body, move |mut rest| async move {
        yield_now().await;
        let next = rest.split_to(piece.min(rest.len()));
        (!next.is_empty()).then_some((Ok(Frame::data(next)), rest))
    });
    Request::post(path).header("content-type", "application/json").body(StreamBody::new(Box::pin(pieces))).unwrap()
}

/// The inner service: waits, and asks where the rule is on demand.
async fn application<B>(request: Request<RequestBody<B>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let prove = request.extensions().get::<Prove>().cloned();
    drop(request);
    yield_now().await;
    if let Some(prove) = prove
        && let Err(denial) = prove.now().await
    {
        return Ok(Response::from(denial).map(Full::new));
    }
    yield_now().await;
    Ok(Response::new(Full::from("application")))
}

/// Drops a request to `path` after so many turns. Returns how many checks had started, or `None` if the request had been answered.
async fn dropped(path: &str, after: usize) -> Option<usize> {
    let what = format!("{path}, dropped after turn {after}");
    let (sandbox, guards) = (Sandbox::new(), Guards::new());
    let url = format!("http://{}", serve(sandbox.clone()).await);
    // A new client each time, so that each dials.
    let jpush = JPush::builder(Credentials::new("app key", "master secret").unwrap()).base_url(&url).build().unwrap();
    let started = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&started);
    let verifier = jpush.map_request(move |check: Check| {
        count.fetch_add(1, Ordering::SeqCst);
        check
    });
    let layer: JVerifyLayer<_> = JVerifyLayer::builder(verifier)
        .guards(&guards)
        .rules([
            Rule::post("/both", captcha().then(number())),
            Rule::post("/on-demand", captcha().then(number())).on_demand(),
            Rule::post("/captcha", captcha()),
            Rule::post("/number", number()),
        ])
        .in_flight(1)
        .body_limit(both().len())
        .buffered(both().len().div_ceil(3) * 4)
        .build()
        .unwrap();

    let mut request = Box::pin(layer.layer(service_fn(application)).oneshot(in_pieces(path)));
    let answer = polled(request.as_mut(), after).await;
    drop(request);
    let asked = started.load(Ordering::SeqCst);
    guards.drained().await;
    assert_eq!(guards.snapshot().abandoned_checks(), 0, "{what}");
    let seen: Vec<_> = sandbox.take_calls().iter().filter_map(Call::kind).collect();
    let kinds = [CheckKind::Captcha, CheckKind::Number];
    assert_eq!((seen.as_slice(), started.load(Ordering::SeqCst)), (&kinds[..asked], asked), "{what}: each is finished");

    // The claimed proofs are those of the checks that had started. The place and the bytes are free for two more requests.
    for (number, path) in ["/captcha", "/number"].into_iter().enumerate() {
        let response = send(&layer, &Application::default(), post_json(path, both())).await;
        let reason = response.extensions().get::<Denial>().map(Denial::reason);
        let expected = (number < asked).then_some(DenialReason::Replayed);
        assert_eq!(reason, expected, "{what}: {path}");
    }
    let asked_later: Vec<_> = sandbox.take_calls().iter().filter_map(Call::kind).collect();
    assert_eq!(asked_later, kinds[asked..], "{what}: each proof is asked about once");
    assert!(guards.snapshot().breakers().all(|breaker| !breaker.is_open()), "{what}");

    let Some(Ok(response)) = answer else { return Some(asked) };
    assert_eq!((response.status(), asked), (StatusCode::OK, 2), "{what}");
    None
}

#[tokio::test]
async fn a_request_that_is_dropped_at_any_await_keeps_the_claims_of_started_checks_and_nothing_else() {
    for path in ["/both", "/on-demand"] {
        let mut started = Vec::new();
        while let Some(asked) = dropped(path, started.len()).await {
            started.push(asked);
            assert!(started.len() < 1_000, "it never ends");
        }
        // Reading, dialling, each answer, the inner service: no sort of await was left out.
        assert!([0, 1, 2].iter().all(|checks| started.contains(checks)), "{path}: {started:?}");
        assert!(started.iter().filter(|checks| **checks == 0).count() > 4, "{path}: {started:?}");
    }
}
