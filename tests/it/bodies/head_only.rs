//! A rule whose fields are all in the head never reads the body. A refusal because of the head does not read it either.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use tower_jverify::{Check, Class, Field, Rule, Verdict, number};

use super::{Broken, head};
use crate::support::{Guarded, LOGIN, Verifier, builder, exchange, serve};

/// A body without end that counts how often it is asked for more, and breaks when it is read.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl Body for Counting {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let polls = self.0.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(if polls < 3 { Ok(Frame::data("x".into())) } else { Err(Broken) }))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(1 << 40)
    }
}

fn in_head() -> Rule {
    Rule::post("/login", number().token(Field::header("x-token")).phone(Field::query("phone"))).ignore_query(true)
}

fn login(uri: &str, body: Counting) -> Request<Counting> {
    Request::post(uri).header("x-token", "t").body(body).unwrap()
}

#[tokio::test]
async fn a_proof_in_the_head_is_verified_before_the_body_is_touched() {
    let body = Counting::default();
    let polls = Arc::clone(&body.0);
    let polls_when_asked = Arc::new(AtomicUsize::new(usize::MAX));
    let when_asked = Arc::clone(&polls_when_asked);
    let verifier = Verifier::answering(move |check: &Check| {
        when_asked.store(polls.load(Ordering::SeqCst), Ordering::SeqCst);
        Some(Verdict::new(check.kind(), Class::Passed))
    });
    let guarded = Guarded::asking(verifier, |verifier| builder(verifier).rule(in_head()).build().unwrap());

    let seen = guarded.verifies(login("/login?phone=13812345678", body.clone()), "a proof in the head").await;
    assert_eq!(polls_when_asked.load(Ordering::SeqCst), 0);
    // The application itself read it, with its own hint, up to its own failure.
    assert_eq!(seen.size_hint.exact(), Some(1 << 40));
    assert!(seen.body.is_err());
    assert_eq!(body.0.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_refusal_by_the_head_alone_never_reads_the_body() {
    let rejecting = Guarded::asking(Verifier::of_class(Class::Rejected), |verifier| {
        builder(verifier).rule(in_head()).build().unwrap()
    });
    let body = Counting::default();
    assert_eq!(rejecting.send(login("/login?phone=13812345678", body.clone())).await.status(), 403);
    assert_eq!(body.0.load(Ordering::SeqCst), 0, "a verdict");

    let guarded = Guarded::by([in_head()]);
    for (uri, code) in [
        ("/login", "proof_missing"),
        ("/login?phone=1", "proof_malformed"),
        ("/login?phone=13812345678&phone=1", "proof_malformed"),
        ("/login%2f?phone=13812345678", "path_ambiguous"),
    ] {
        let body = Counting::default();
        guarded.refuses(login(uri, body.clone()), code, uri).await;
        assert_eq!(body.0.load(Ordering::SeqCst), 0, "{uri}");
    }

    let in_body = Guarded::login();
    for (uri, content_type, code) in [
        ("/login", "text/plain", "unsupported_media_type"),
        ("/login?phone=13912345678", "application/json", "proof_malformed"),
        ("/login", "application/json", "body_too_large"),
    ] {
        let body = Counting::default();
        let request = Request::post(uri).header("content-type", content_type).body(body.clone()).unwrap();
        in_body.refuses(request, code, uri).await;
        assert_eq!(body.0.load(Ordering::SeqCst), 0, "{uri}");
    }
}

#[tokio::test]
async fn a_client_that_waits_to_send_its_body_gets_no_100_when_the_head_decides() {
    let guarded = Guarded::login();
    let address = serve(guarded.service()).await;
    let expecting = |path: &str, content_type: &str, length: usize| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {content_type}\r\n\
             content-length: {length}\r\nexpect: 100-continue\r\n\r\n"
        )
    };
    for (status, request) in [
        ("415", expecting("/login", "text/plain", 10)),
        ("400", expecting("/login?phone=13912345678", "application/json", 10)),
        ("400", expecting("/login%2f", "application/json", 10)),
        ("413", expecting("/login", "application/json", 1 << 20)),
    ] {
        let response = exchange(address, &request).await;
        assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {response}");
        assert!(!response.contains("100 Continue"), "{request}: {response}");
    }
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));

    // The client sends the body after `100 Continue`.
    let response = exchange(address, expecting("/login", "application/json", LOGIN.len()) + LOGIN).await;
    assert!(response.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"), "{response}");
}

#[tokio::test]
async fn a_proof_in_the_head_passes_over_a_real_socket_with_a_body_of_any_kind() {
    let guarded = Guarded::by([in_head()]);
    let address = serve(guarded.service()).await;
    let large = "x".repeat(1 << 20);
    let head = head("/login?phone=13812345678", &format!("x-token: t\r\ncontent-length: {}", large.len()));
    let response = exchange(address, head + &large).await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert_eq!(guarded.application.last().body.unwrap().len(), large.len());
}
