//! Over real sockets, whatever the request is: the application gets every byte.

use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::StreamExt;
use http::{Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tower::{Layer, service_fn};
use tower_jverify::{Check, Class, Field, JVerifyLayer, Media, RequestBody, Rule, Verdict, number};

use super::watched;
use crate::support::{LOGIN, asking, serve};

type Sent = BoxBody<Bytes, Infallible>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Over {
    Http1,
    Http2,
    Grpc,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verifies {
    Passing,
    Panicking,
    Never,
}

impl Over {
    fn rule(self) -> Rule {
        let rule = match self {
            Self::Http1 | Self::Http2 => watched(),
            Self::Grpc => Rule::post("/login", number().token(Field::body("/1")).phone(Field::body("/2")))
                .accept([Media::Grpc])
                .mode(tower_jverify::Mode::Shadow),
        };
        rule.shadow_deadline(Duration::from_millis(50))
    }

    /// A body of this kind that the rule accepts.
    fn login(self) -> Bytes {
        match self {
            Self::Http1 | Self::Http2 => Bytes::from_static(LOGIN.as_bytes()),
            Self::Grpc => framed(b"\x0a\x0ftok-canary-7f3a\x12\x0b13812345678"),
        }
    }

    /// A body of a mebibyte.
    fn large(self) -> Bytes {
        let bytes: Vec<u8> = (0..1_048_576_u32).map(|at| at.to_le_bytes()[usize::from(at % 3 == 0)]).collect();
        match self {
            Self::Http1 | Self::Http2 => bytes.into(),
            Self::Grpc => framed(&bytes),
        }
    }
}

fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.len().try_into().unwrap());
    frame.put_slice(message);
    frame.freeze()
}

fn sha(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Answers with what it received. It notifies the test when it starts.
async fn application(
    request: Request<RequestBody<Incoming>>,
    started: Arc<Notify>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    started.notify_one();
    let (parts, body) = request.into_parts();
    let collected = body.collect().await.unwrap();
    let bytes = collected.to_bytes();
    let word = |name: &str| parts.headers.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
    let text = format!(
        "{} {} {} {} {}",
        word("x-jverify-decision"),
        word("x-jverify-reason"),
        word("x-jverify-mode"),
        bytes.len(),
        sha(&bytes)
    );
    Ok(Response::new(Full::from(text)))
}

async fn served(over: Over, verifies: Verifies) -> (String, Arc<Notify>) {
    let layer: JVerifyLayer<_> = asking(service_fn(move |check: Check| async move {
        match verifies {
            Verifies::Passing => Ok::<_, Infallible>(Verdict::new(check.kind(), Class::Passed)),
            Verifies::Panicking => panic!("the verifier panics"),
            Verifies::Never => pending().await,
        }
    }))
    .rule(over.rule())
    .build()
    .unwrap();
    let started = Arc::new(Notify::new());
    let seen = Arc::clone(&started);
    let service = layer.layer(service_fn(move |request| application(request, Arc::clone(&seen))));
    (format!("http://{}/login", serve(service).await), started)
}

fn whole(bytes: Bytes) -> Sent {
    Full::new(bytes).boxed()
}

/// Sends the rest once the application has started.
fn in_two(bytes: &Bytes, started: Arc<Notify>) -> Sent {
    let (first, second) = (bytes.slice(..10), bytes.slice(10..));
    let rest = futures_util::stream::once(async move {
        started.notified().await;
        Ok(Frame::data(second))
    });
    BodyExt::boxed(StreamBody::new(futures_util::stream::iter([Ok(Frame::data(first))]).chain(rest)))
}

async fn send(over: Over, uri: &str, body: Sent) -> String {
    let client: Client<HttpConnector, Sent> =
        Client::builder(TokioExecutor::new()).http2_only(over != Over::Http1).build(HttpConnector::new());
    let is_empty = body.is_end_stream();
    let request = Request::post(uri);
    let request = match over {
        Over::Http1 | Over::Http2 if is_empty => request,
        Over::Http1 | Over::Http2 => request.header("content-type", "application/json"),
        Over::Grpc => request.header("content-type", "application/grpc").header("te", "trailers"),
    };
    let response = client.request(request.body(body).unwrap()).await.unwrap();
    let version = if over == Over::Http1 { Version::HTTP_11 } else { Version::HTTP_2 };
    assert_eq!((response.status().as_u16(), response.version()), (200, version));
    assert!(response.headers().get("grpc-status").is_none(), "no refusal of a gRPC call");
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
}

#[tokio::test]
async fn every_byte_reaches_the_application_over_http_1_http_2_and_grpc() {
    for over in [Over::Http1, Over::Http2, Over::Grpc] {
        let expect = |decision: &str, reason: &str, bytes: &[u8]| {
            format!("{decision} {reason} shadow {} {}", bytes.len(), sha(bytes))
        };
        let login = over.login();

        let (uri, _) = served(over, Verifies::Passing).await;
        let none = if over == Over::Grpc { "body_malformed" } else { "proof_missing" };
        assert_eq!(send(over, &uri, whole(Bytes::new())).await, expect("would-deny", none, b""), "{over:?}: no body");
        let large = over.large();
        let answer = send(over, &uri, whole(large.clone())).await;
        assert_eq!(answer, expect("would-deny", "body_too_large", &large), "{over:?}: a body over the limit");
        assert_eq!(send(over, &uri, whole(login.clone())).await, expect("allow", "verified", &login), "{over:?}");

        let (uri, started) = served(over, Verifies::Passing).await;
        let answer = send(over, &uri, in_two(&login, started)).await;
        assert_eq!(answer, expect("would-deny", "body_timeout", &login), "{over:?}: a slow body");

        for (verifies, reason) in [(Verifies::Panicking, "panicked"), (Verifies::Never, "unavailable")] {
            let (uri, _) = served(over, verifies).await;
            let answer = send(over, &uri, whole(login.clone())).await;
            assert_eq!(answer, expect("would-deny", reason, &login), "{over:?}: {verifies:?}");
        }
    }
}
