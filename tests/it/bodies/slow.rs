//! Slow clients.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};
use tower_jverify::{Rule, number};

use super::{channel, data, of_frames, post_body};
use crate::support::{Guarded, LOGIN, builder, code, login_layer, post_json, send};

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_is_refused_at_its_deadline() {
    let guarded = Guarded::login();
    let (frames, body) = channel();
    let drip = tokio::spawn(async move {
        for byte in LOGIN.bytes().cycle() {
            if frames.send(Ok(data(vec![byte]))).is_err() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    });
    let start = Instant::now();
    guarded.refuses(post_body("/login", body), "body_timeout", "a byte every 100 ms").await;
    let took = start.elapsed();
    assert!((5000..5100).contains(&took.as_millis()), "{took:?}");
    drip.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_is_refused_at_its_deadline() {
    let guarded = Guarded::with(|verifier| {
        builder(verifier).rule(Rule::post("/login", number()).body_deadline(Duration::from_secs(2))).build().unwrap()
    });
    let (frames, body) = channel();
    let start = Instant::now();
    guarded.refuses(post_body("/login", body), "body_timeout", "nothing").await;
    assert!((2000..2100).contains(&start.elapsed().as_millis()));
    assert!(frames.is_closed(), "the body is given back");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_in_time_passes() {
    let guarded = Guarded::login();
    let (frames, body) = channel();
    tokio::spawn(async move {
        for part in [&LOGIN[..5], &LOGIN[5..9], &LOGIN[9..]] {
            sleep(Duration::from_secs(1)).await;
            frames.send(Ok(data(part))).unwrap();
        }
    });
    assert_eq!(guarded.verifies(post_body("/login", body), "three seconds").await.body.unwrap(), LOGIN);
}

/// The bulkhead bounds checks, not clients: else a few slow ones would lock everybody out.
#[tokio::test(start_paused = true)]
async fn a_slow_body_holds_no_permit() {
    let guarded =
        Guarded::with(|verifier| builder(verifier).in_flight(1).rule(Rule::post("/login", number())).build().unwrap());
    let mut slow = Vec::new();
    for _ in 0..10 {
        let (frames, body) = channel();
        frames.send(Ok(data("{"))).unwrap();
        let (layer, application) = (guarded.layer.clone(), guarded.application.clone());
        let answer = tokio::spawn(async move { send(&layer, &application, post_body("/login", body)).await });
        slow.push((frames, answer));
    }
    tokio::task::yield_now().await;
    guarded.verifies(post_json("/login", LOGIN), "beside ten slow ones").await;
    for (frames, answer) in slow {
        let response = answer.await.unwrap();
        assert_eq!((response.status().as_u16(), code(&response).as_str()), (408, "body_timeout"));
        drop(frames);
    }
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (1, 1));
}

#[tokio::test]
async fn endless_empty_frames_are_refused() {
    let guarded = Guarded::with(login_layer);
    let endless = of_frames(std::iter::repeat_with(|| data(Bytes::new())));
    guarded.refuses(post_body("/login", endless), "body_malformed", "endless").await;

    let empty = || (0..1024).map(|_| data(Bytes::new()));
    let bounded = of_frames(empty().chain([data(LOGIN)]).collect::<Vec<_>>());
    guarded.verifies(post_body("/login", bounded), "1,024 empty frames").await;
    let one_more = of_frames(empty().chain([data(Bytes::new()), data(LOGIN)]).collect::<Vec<_>>());
    guarded.refuses(post_body("/login", one_more), "body_malformed", "1,025 empty frames").await;
}
