//! A body that fails itself: the application gets what came, and how it ended, as without the layer.

use std::{
    convert::Infallible,
    fmt::Debug,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt, stream};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::Incoming;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_jverify::{Denial, DenialReason, Field, JVerifyLayer, RequestBody, Rule, number};

use super::watched;
use crate::support::{Verifier, builder, exchange, http2, serve};

/// The bytes that the application got, and what ended them.
type Got = Arc<Mutex<Option<(Bytes, String)>>>;

/// An application that reads frame by frame.
fn reading<B>(
    got: &Got,
    ran: &Arc<Notify>,
) -> impl Clone
+ Send
+ Sync
+ Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ use<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (got, ran) = (Arc::clone(got), Arc::clone(ran));
    service_fn(move |request: Request<B>| {
        let (got, ran) = (Arc::clone(&got), Arc::clone(&ran));
        async move {
            let mut body = Box::pin(request.into_body());
            let mut bytes = BytesMut::new();
            let end = loop {
                assert!(bytes.is_empty() || !body.is_end_stream(), "the end has not come");
                match body.frame().await {
                    None => break "complete".to_owned(),
                    Some(Ok(frame)) => bytes.extend_from_slice(frame.data_ref().unwrap()),
                    Some(Err(error)) => break error.into().to_string(),
                }
            };
            *got.lock().unwrap() = Some((bytes.freeze(), end));
            ran.notify_one();
            Ok(Response::new(Full::default()))
        }
    })
}

fn shadow() -> JVerifyLayer<Verifier> {
    builder(&Verifier::passing()).rule(watched()).build().unwrap()
}

fn got(got: &Got) -> (Bytes, String) {
    got.lock().unwrap().take().expect("the application ran")
}

#[tokio::test]
async fn over_http1_the_application_gets_a_broken_chunk_as_without_the_layer() {
    let (bare, layered, ran) = (Got::default(), Got::default(), Arc::default());
    let addresses =
        [serve(reading::<Incoming>(&bare, &ran)).await, serve(shadow().layer(reading(&layered, &ran))).await];
    for address in addresses {
        let request = "POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\
                       Connection: close\r\n\r\n5\r\nhello\r\nno size\r\n";
        exchange(address, request).await;
        timeout(Duration::from_secs(10), ran.notified()).await.expect("the application runs");
    }
    let expected = got(&bare);
    assert!(expected.0 == "hello" && expected.1 != "complete", "{expected:?}");
    assert_eq!(got(&layered), expected);
}

#[tokio::test]
async fn over_http2_the_application_gets_a_reset_as_without_the_layer() {
    let (bare, layered, ran) = (Got::default(), Got::default(), Arc::default());
    let addresses =
        [serve(reading::<Incoming>(&bare, &ran)).await, serve(shadow().layer(reading(&layered, &ran))).await];
    for address in addresses {
        let frames = stream::iter([Ok(Frame::data(Bytes::from_static(b"hello")))]).chain(stream::once(async {
            sleep(Duration::from_millis(100)).await;
            Err(BoxError::from("the client leaves"))
        }));
        let request = Request::post(format!("http://{address}/login")).header("content-type", "application/json");
        let request = request.body(StreamBody::new(frames.boxed())).unwrap();
        let _ = http2(address).await.send_request(request).await;
        timeout(Duration::from_secs(10), ran.notified()).await.expect("the application runs");
    }
    let expected = got(&bare);
    assert!(expected.0 == "hello" && expected.1 != "complete", "{expected:?}");
    assert_eq!(got(&layered), expected);
}

/// A login whose body has these frames.
fn login<S>(frames: S) -> Request<StreamBody<S>> {
    let request = Request::post("/login").header("content-type", "application/json");
    request.body(StreamBody::new(frames)).unwrap()
}

fn enforced() -> JVerifyLayer<Verifier> {
    builder(&Verifier::passing()).rule(Rule::post("/login", number())).build().unwrap()
}

fn reason<B>(response: &Response<B>) -> DenialReason {
    response.extensions().get::<Denial>().expect("it is refused").reason()
}

#[tokio::test]
async fn a_limit_outside_ends_the_body_for_the_application_too_and_an_enforced_rule_refuses_it() {
    let (seen, ran) = (Got::default(), Arc::default());
    let limited = || {
        let frames = ["0123456789", "0123456789"].map(|data| Ok::<_, Infallible>(Frame::data(Bytes::from(data))));
        login(stream::iter(frames)).map(|body| Limited::new(body, 15))
    };
    let response = shadow().layer(reading(&seen, &ran)).oneshot(limited()).await.unwrap();
    assert_eq!(response.status(), 200, "the application answers");
    assert_eq!(got(&seen), ("0123456789".into(), "length limit exceeded".into()));
    let response = enforced().layer(reading(&seen, &ran)).oneshot(limited()).await.unwrap();
    assert_eq!(reason(&response), DenialReason::BodyTooLarge);
    assert!(seen.lock().unwrap().is_none(), "the application gets nothing");
}

#[tokio::test]
async fn a_body_that_failed_is_guarded_whatever_the_query_says() {
    let (seen, ran) = (Got::default(), Arc::default());
    let rule = Rule::post("/login", number()).when(Field::query("kind"), "login").otherwise_pass().body_limit(15);
    let layer = builder(&Verifier::passing()).rule(rule).build().unwrap();
    let other = |limit| {
        let frames = ["0123456789", "0123456789"].map(|data| Ok::<_, Infallible>(Frame::data(Bytes::from(data))));
        let mut request = login(stream::iter(frames)).map(|body| Limited::new(body, limit));
        *request.uri_mut() = "/login?kind=other".parse().unwrap();
        request
    };
    let response = layer.layer(reading(&seen, &ran)).oneshot(other(100)).await.unwrap();
    assert_eq!(response.status(), 200, "a body that is too large for the layer alone is read by the application");
    assert_eq!(got(&seen), ("01234567890123456789".into(), "complete".into()));
    let response = layer.layer(reading(&seen, &ran)).oneshot(other(12)).await.unwrap();
    assert_eq!(reason(&response), DenialReason::BodyTooLarge);
    assert!(seen.lock().unwrap().is_none());
}

/// Reads a frame, and then meets the panic of the body.
async fn meeting_a_panic<B>(request: Request<RequestBody<B>>) -> Result<Response<Full<Bytes>>, Infallible>
where
    B: Body<Data = Bytes, Error: Debug + 'static> + Send,
{
    let mut body = Box::pin(request.into_body());
    assert_eq!(body.frame().await.unwrap().unwrap().data_ref().unwrap(), "hello");
    let panic = AssertUnwindSafe(body.frame()).catch_unwind().await.expect_err("it panics");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"a body panics"));
    Ok(Response::new(Full::default()))
}

#[tokio::test]
async fn a_body_that_panics_panics_in_the_application_and_with_an_enforced_rule_it_is_refused() {
    let request = || {
        let hello = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"hello")))]);
        login(hello.chain(stream::poll_fn(|_| panic!("a body panics"))))
    };
    let response = shadow().layer(service_fn(meeting_a_panic)).oneshot(request()).await.unwrap();
    assert_eq!(response.status(), 200);
    let response = enforced().layer(service_fn(meeting_a_panic)).oneshot(request()).await.unwrap();
    assert_eq!(reason(&response), DenialReason::Panicked);
}

#[tokio::test]
async fn an_error_that_may_belong_to_its_thread_cannot_wait_and_the_request_is_answered() {
    struct Odd;
    impl From<Odd> for BoxError {
        fn from(_: Odd) -> Self {
            "odd".into()
        }
    }
    let (seen, ran) = (Got::default(), Arc::default());
    let request = login(stream::iter([Ok(Frame::data(Bytes::from_static(b"hello"))), Err(Odd)]));
    let response = shadow().layer(reading(&seen, &ran)).oneshot(request).await.unwrap();
    assert_eq!(reason(&response), DenialReason::BodyMalformed);
    assert!(seen.lock().unwrap().is_none());
}
