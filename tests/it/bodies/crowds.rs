//! All bodies together: a cap, so that slow clients do not fill the memory.

use tower_jverify::{Rule, number};

use super::{channel, data, post_body};
use crate::support::{Guarded, LOGIN, builder, code, post_json, send};

#[tokio::test]
async fn bodies_past_the_cap_are_answered_503_until_others_are_done() {
    let guarded = Guarded::with(|verifier| {
        builder(verifier)
            .body_limit(LOGIN.len() + 4)
            .buffered(LOGIN.len() + 4)
            .rule(Rule::post("/login", number()))
            .build()
            .unwrap()
    });
    let (frames, body) = channel();
    frames.send(Ok(data(&LOGIN[..5]))).unwrap();
    let (layer, application) = (guarded.layer.clone(), guarded.application.clone());
    let slow = tokio::spawn(async move { send(&layer, &application, post_body("/login", body)).await });
    tokio::task::yield_now().await;

    let crowded = guarded.send(post_json("/login", LOGIN)).await;
    assert_eq!((crowded.status().as_u16(), code(&crowded).as_str()), (503, "verification_unavailable"));
    assert_eq!(crowded.headers()["retry-after"], "1");
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
    guarded.leaves_alone(post_json("/upload", "x".repeat(1 << 20)), "no rule, no cap").await;

    frames.send(Ok(data(&LOGIN[5..]))).unwrap();
    drop(frames);
    assert_eq!(slow.await.unwrap().status(), 200);
    for _ in 0..100 {
        guarded.verifies(post_json("/login", LOGIN), "after the others").await;
        guarded.refuses(post_json("/login", "{"), "body_malformed", "a refusal gives its share back, too").await;
    }
}

#[tokio::test]
async fn a_body_that_is_given_up_gives_its_share_back() {
    let guarded = Guarded::with(|verifier| {
        builder(verifier)
            .body_limit(LOGIN.len())
            .buffered(LOGIN.len())
            .rule(Rule::post("/login", number()))
            .build()
            .unwrap()
    });
    for _ in 0..10 {
        let (frames, body) = channel();
        frames.send(Ok(data(&LOGIN[..5]))).unwrap();
        let (layer, application) = (guarded.layer.clone(), guarded.application.clone());
        let slow = tokio::spawn(async move { send(&layer, &application, post_body("/login", body)).await });
        tokio::task::yield_now().await;
        slow.abort();
        assert!(slow.await.unwrap_err().is_cancelled());
        guarded.verifies(post_json("/login", LOGIN), "after one given up").await;
    }
}
