//! Client-streaming calls: the first message is verified, and the rest is streamed.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use prost::Message;
use tower::{Layer, ServiceExt, service_fn};
use tower_jverify::{Field, ForeignBackend, RequestBody, Suspicion};

use super::{LoginRequest, call_with, flagged, frame, good, refuses, rule};
use crate::support::{Guarded, builder, denial};

type Frames = futures_util::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>;

fn streaming() -> Guarded {
    Guarded::by([rule().client_streaming(true)])
}

fn in_frames(frames: impl IntoIterator<Item = Frame<Bytes>>) -> StreamBody<Frames> {
    StreamBody::new(futures_util::stream::iter(frames.into_iter().map(Ok).collect::<Vec<_>>()))
}

fn data(bytes: impl Into<Bytes>) -> Frame<Bytes> {
    Frame::data(bytes.into())
}

#[tokio::test]
async fn all_of_a_stream_reaches_the_application() {
    let later = frame(b"whatever comes later");
    let all = [good(), later.clone(), flagged(2, b"not ours to judge")].concat();
    let bytewise: Vec<_> = all.iter().map(|&byte| data(vec![byte])).collect();
    let messagewise = vec![data(good()), data(all[good().len()..].to_vec())];
    let beginnings = (1..all.len()).map(|at| vec![data(all[..at].to_vec()), data(all[at..].to_vec())]);
    for frames in [bytewise, messagewise, vec![data(all.clone())]].into_iter().chain(beginnings) {
        let guarded = streaming();
        let seen = guarded.verifies(call_with(&[], in_frames(frames)), "a stream").await;
        assert_eq!(seen.body.unwrap(), all);
    }
}

#[tokio::test]
async fn before_a_foreign_backend_the_first_message_of_a_stream_hides_no_form() {
    let rule = rule().client_streaming(true);
    let guarded =
        Guarded::with(|verifier| builder(verifier).foreign_backend(ForeignBackend::any()).rule(rule).build().unwrap());
    let login = |device: &str| {
        let first = LoginRequest { devices: vec![device.into()], ..LoginRequest::good() };
        call_with(&[], in_frames([data(frame(&first.encode_to_vec())), data(frame(b"more"))]))
    };
    // The names are the numbers of the fields.
    let response = guarded.send(login("&2=13999998888")).await;
    assert_eq!(denial(&response).suspicion(), Some(Suspicion::HiddenForm));
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
    guarded.verifies(login("a & b"), "nothing hidden").await;
}

#[tokio::test]
async fn a_stream_keeps_its_trailers_except_forged_ones() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", HeaderValue::from_static("1"));
    trailers.insert("x-jverify-decision", HeaderValue::from_static("allow"));
    let body = in_frames([data(good()), data(frame(b"more")), Frame::trailers(trailers)]);
    let seen = streaming().verifies(call_with(&[], body), "trailers").await;
    let trailers = seen.trailers.unwrap();
    assert_eq!(trailers["x-checksum"], "1");
    assert_eq!(trailers.len(), 1);
}

#[tokio::test]
async fn a_stream_knows_its_size_if_the_client_did() {
    let body = [good(), frame(b"more")].concat();
    let seen = streaming().verifies(call_with(&[], Full::new(Bytes::from(body.clone()))), "a whole").await;
    assert_eq!(seen.size_hint.exact(), Some(body.len() as u64));
    let seen = streaming().verifies(call_with(&[], in_frames([data(good()), data(frame(b""))])), "a stream").await;
    assert_eq!((seen.size_hint.lower(), seen.size_hint.upper()), (good().len() as u64, None));
}

/// CASES 43: the stream stays open, and what is sent after the verdict flows through.
#[tokio::test(start_paused = true)]
async fn a_client_that_waits_gets_its_verdict_and_goes_on() {
    let by_query = rule().when(Field::query("type"), "sms").otherwise_pass();
    let guarded = Guarded::by([by_query.client_streaming(true)]);
    waits(&guarded, "?type=sms", 1).await;
    waits(&guarded, "?type=other", 0).await;
    waits(&streaming(), "", 1).await;
}

async fn waits(guarded: &Guarded, query: &str, calls: usize) {
    let (mut client, body) = by_hand();
    let application = service_fn(|request: http::Request<RequestBody<_>>| async move {
        let mut body = Box::pin(request.into_body());
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(!body.is_end_stream());
        let second = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let end = body.frame().await.is_none();
        Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from(format!(
            "{} {second:?} {end}",
            first == good()
        )))))
    });
    client.send(good()).await;
    let mut call = call_with(&[], body);
    *call.uri_mut() = format!("{}{query}", call.uri()).parse().unwrap();
    let before = guarded.verifier.calls();
    let answer = tokio::spawn(guarded.layer.layer(application).oneshot(call));
    // Longer than any deadline of the layer: the verdict has arrived, and the application waits for the client.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(guarded.verifier.calls() - before, calls, "{query}");
    client.send(b"more".to_vec()).await;
    drop(client);
    let answer = answer.await.unwrap().unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(answer, r#"true b"more" true"#);
}

#[tokio::test(start_paused = true)]
async fn a_first_message_that_does_not_come_is_not_waited_for() {
    let guarded = streaming();
    for sent in [Vec::new(), vec![0, 0], good()[..20].to_vec()] {
        let (mut client, body) = by_hand();
        if !sent.is_empty() {
            client.send(sent).await;
        }
        refuses(&guarded, call_with(&[], body), "body_timeout", "no message").await;
        drop(client);
    }
}

#[tokio::test]
async fn a_first_message_is_read_as_strictly_as_an_only_one() {
    let guarded = streaming();
    let other = LoginRequest { phone: "13900000000".into(), ..LoginRequest::good() }.encode_to_vec();
    let twice = [LoginRequest::good().encode_to_vec(), other].concat();
    for (code, body, what) in [
        ("body_malformed", good()[..20].to_vec(), "a cut message"),
        ("body_malformed", Vec::new(), "no message"),
        ("body_malformed", flagged(2, &LoginRequest::good().encode_to_vec()), "flag 2"),
        ("body_malformed", flagged(1, &LoginRequest::good().encode_to_vec()), "a flag without an encoding"),
        ("body_too_large", vec![0, 0xff, 0xff, 0xff, 0xff], "the longest length, and no end"),
        ("body_too_large", vec![0, 0, 1, 0, 0], "over the limit, with the head of the frame"),
        ("proof_malformed", frame(&twice), "a second phone"),
        // Only the first message is searched for a proof.
        ("proof_missing", [frame(b""), good()].concat(), "the proof in the second message"),
    ] {
        refuses(&guarded, call_with(&[], in_frames([data(body)])), code, what).await;
    }
}

/// A body that its client sends as it likes.
fn by_hand() -> (Client, impl Body<Data = Bytes, Error = Infallible> + Send + 'static) {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Vec<u8>>(4);
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async {
        let bytes = receiver.recv().await?;
        Some((Ok(data(bytes)), receiver))
    });
    (Client(sender), StreamBody::new(stream))
}

struct Client(tokio::sync::mpsc::Sender<Vec<u8>>);

impl Client {
    async fn send(&mut self, bytes: Vec<u8>) {
        self.0.send(bytes).await.unwrap();
    }
}
