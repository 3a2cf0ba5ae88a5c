//! The limit for all bodies together, so that slow clients do not fill the memory.

use tower_jverify::{Rule, number};

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{channel, data, head, post_body};
use crate::support::{Guarded, LOGIN, builder, code, exchange, post_json, send, serve};

#[tokio::test]
async fn bodies_past_the_cap_are_answered_503_until_others_are_done() {
    let guarded = Guarded::with(|verifier| {
        builder(verifier)
            .body_limit(LOGIN.len() + 4)
            .buffered((LOGIN.len() + 4).div_ceil(3) * 4)
            .rule(Rule::post("/login", number()))
            .build()
            .unwrap()
    });
    let (frames, body) = channel();
    frames.send(Ok(data(&LOGIN[..20]))).unwrap();
    let (layer, application) = (guarded.layer.clone(), guarded.application.clone());
    let slow = tokio::spawn(async move { send(&layer, &application, post_body("/login", body)).await });
    tokio::task::yield_now().await;

    let crowded = guarded.send(post_json("/login", LOGIN)).await;
    assert_eq!((crowded.status().as_u16(), code(&crowded).as_str()), (503, "verification_unavailable"));
    assert_eq!(crowded.headers()["retry-after"], "1");
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
    guarded.leaves_alone(post_json("/upload", "x".repeat(1 << 20)), "no rule, no cap").await;

    frames.send(Ok(data(&LOGIN[20..]))).unwrap();
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
            .buffered(LOGIN.len().div_ceil(3) * 4)
            .rule(Rule::post("/login", number()))
            .build()
            .unwrap()
    });
    for _ in 0..10 {
        let (frames, body) = channel();
        frames.send(Ok(data(&LOGIN[..20]))).unwrap();
        let (layer, application) = (guarded.layer.clone(), guarded.application.clone());
        let slow = tokio::spawn(async move { send(&layer, &application, post_body("/login", body)).await });
        tokio::task::yield_now().await;
        slow.abort();
        assert!(slow.await.unwrap_err().is_cancelled());
        guarded.verifies(post_json("/login", LOGIN), "after one given up").await;
    }
}

/// The most bytes that a body may have that uses the reserved quarter.
const SMALL: usize = 4 * 1024;

/// A login of exactly so many bytes.
fn login_of(bytes: usize) -> String {
    let padding = bytes - LOGIN.len() - r#","x":"""#.len();
    format!(r#"{},"x":"{}"}}"#, LOGIN.strip_suffix('}').unwrap(), "x".repeat(padding))
}

/// Three quarters of this are for one body of the limit.
fn guarded() -> Guarded {
    Guarded::with(|verifier| {
        builder(verifier)
            .body_limit(6 * SMALL)
            .buffered(8 * SMALL)
            .rule(Rule::post("/login", number()))
            .build()
            .unwrap()
    })
}

#[tokio::test]
async fn a_client_that_stalls_with_a_large_body_does_not_shut_out_logins() {
    let guarded = guarded();
    let address = serve(guarded.service()).await;
    // All but one byte of the general part.
    let large = format!("{}{}", head("/login", &format!("content-length: {}", 6 * SMALL)), " ".repeat(6 * SMALL - 1));
    let mut stalled = TcpStream::connect(address).await.unwrap();
    stalled.write_all(large.as_bytes()).await.unwrap();

    let with_length = |body: &str| head("/login", &format!("content-length: {}", body.len())) + body;
    let chunked =
        |body: &str| format!("{}{:x}\r\n{body}\r\n0\r\n\r\n", head("/login", "transfer-encoding: chunked"), body.len());
    // Large bodies are refused, once all of that one is there.
    let too_much = login_of(SMALL + 1);
    while !exchange(address, with_length(&too_much)).await.starts_with("HTTP/1.1 503") {
        tokio::task::yield_now().await;
    }
    let answered = (guarded.verifier.calls(), guarded.application.runs());
    for login in [LOGIN.to_owned(), login_of(SMALL)] {
        for request in [with_length(&login), chunked(&login)] {
            let response = exchange(address, request).await;
            assert!(response.starts_with("HTTP/1.1 200"), "{}: {response}", login.len());
        }
    }
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (answered.0 + 4, answered.1 + 4));
    let response = exchange(address, chunked(&too_much)).await;
    assert!(response.starts_with("HTTP/1.1 503"), "{response}");
    drop(stalled);
}

#[tokio::test]
async fn a_body_that_grows_above_4_kib_moves_or_is_refused() {
    let guarded = guarded();
    let begin = async |bytes: usize| {
        let (frames, body) = channel();
        frames.send(Ok(data(vec![b' '; bytes]))).unwrap();
        let (layer, application) = (guarded.layer.clone(), guarded.application.clone());
        let answer = tokio::spawn(async move { send(&layer, &application, post_body("/login", body)).await });
        tokio::task::yield_now().await;
        (frames, answer)
    };
    // All of the general part but 4,096 bytes, and 4,095 of the small one.
    let (large, ended) = begin(5 * SMALL).await;
    let (small, refused) = begin(SMALL - 1).await;
    let (other, moved) = begin(SMALL).await;
    assert!(!refused.is_finished() && !moved.is_finished());
    small.send(Ok(data("{}"))).unwrap();
    let refused = refused.await.unwrap();
    assert_eq!((refused.status().as_u16(), &*code(&refused)), (503, "verification_unavailable"));
    // What it held is there again.
    drop(large);
    assert_eq!(code(&ended.await.unwrap()), "body_malformed", "it was read to its end");
    guarded.verifies(post_json("/login", login_of(SMALL)), "in the reserved part").await;
    other.send(Ok(data("{}"))).unwrap();
    drop(other);
    assert_eq!(code(&moved.await.unwrap()), "proof_missing", "it was read to its end");
}
