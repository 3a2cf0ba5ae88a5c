//! A broken body is never a complete one, under several services and rules.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::{
    FutureExt, StreamExt,
    stream::{self, BoxStream},
};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_jverify::{Field, JVerifyLayer, Mode, Rule, number};

use super::watched;
use crate::support::{LOGIN, Verifier, builder};

fn layer(rules: Vec<Rule>) -> JVerifyLayer<Verifier> {
    builder(&Verifier::passing()).rules(rules).build().unwrap()
}

type Frames = StreamBody<BoxStream<'static, Result<Frame<Bytes>, BoxError>>>;

/// A complete login, and then the body breaks, or panics.
fn broken(panics: bool, headers: &[(&'static str, &'static str)]) -> Request<Frames> {
    let frames =
        stream::iter([Ok(Frame::data(Bytes::from_static(LOGIN.as_bytes())))]).chain(stream::once(async move {
            assert!(!panics, "the body panics");
            Err(BoxError::from("the client leaves"))
        }));
    let mut request = Request::post("/login").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(StreamBody::new(frames.boxed())).unwrap()
}

type Ended = Arc<Mutex<Vec<String>>>;

/// Says how each body ended for the application, which reads it whatever happens.
fn reading<B>(
    ended: &Ended,
) -> impl Clone
+ Send
+ Sync
+ tower::Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ use<B>
where
    B: Body<Data = Bytes, Error: std::fmt::Display + Send> + Send + 'static,
{
    let ended = Arc::clone(ended);
    service_fn(move |request: Request<B>| {
        let ended = Arc::clone(&ended);
        async move {
            let mut body = Box::pin(request.into_body());
            let end = loop {
                match AssertUnwindSafe(body.frame()).catch_unwind().await {
                    Ok(None) => break "complete".to_owned(),
                    Ok(Some(Ok(_))) => {}
                    Ok(Some(Err(error))) => break error.to_string(),
                    Err(_) => {
                        let after = AssertUnwindSafe(body.frame()).catch_unwind().await;
                        break format!(
                            "panic, then {}",
                            match after {
                                Ok(None) => "complete",
                                Ok(Some(_)) => "a frame",
                                Err(_) => "panic",
                            }
                        );
                    }
                }
            };
            ended.lock().unwrap().push(end);
            Ok(Response::new(Full::default()))
        }
    })
}

#[tokio::test]
async fn a_broken_body_reaches_no_application_behind_an_enforced_rule_wherever_the_shadow_is() {
    let enforced = || Rule::post("/login", number());
    let of = |value: &'static str| Rule::post("/login", number()).when(Field::body("/type"), value).name(value);
    for panics in [false, true] {
        for (outer, inner) in [
            (vec![watched()], vec![enforced()]),
            (vec![enforced()], vec![watched()]),
            (vec![watched()], vec![enforced().on_demand()]),
            (vec![watched()], vec![of("sms").otherwise_pass()]),
            (vec![watched()], vec![of("sms").otherwise_pass(), of("call").mode(Mode::Shadow)]),
            (vec![of("sms").mode(Mode::Shadow), of("call")], vec![watched()]),
            (vec![of("sms").mode(Mode::Shadow).otherwise_pass(), of("call")], vec![watched()]),
            (vec![enforced().on_demand()], vec![watched()]),
        ] {
            let ended = Ended::default();
            let what = format!("{panics} {outer:?} {inner:?}");
            let service = layer(outer).layer(layer(inner).layer(reading(&ended)));
            let response = AssertUnwindSafe(service.oneshot(broken(panics, &[]))).catch_unwind().await;
            let status = response.map(|response| response.unwrap().status().as_u16());
            assert!(ended.lock().unwrap().is_empty(), "{what}: {:?} {status:?}", ended.lock().unwrap());
        }
    }
}

#[tokio::test]
async fn behind_shadows_alone_it_ends_as_it_did() {
    for (panics, expected) in [(false, "the client leaves"), (true, "panic, then ")] {
        let ended = Ended::default();
        let service = layer(vec![watched()]).layer(layer(vec![watched()]).layer(reading(&ended)));
        let response = service.oneshot(broken(panics, &[])).await.unwrap();
        assert_eq!(response.status(), 200);
        let ends = ended.lock().unwrap().clone();
        assert!(ends.len() == 1 && ends[0].starts_with(expected), "{ends:?}");
        assert!(!ends[0].contains("complete"), "{ends:?}");
    }
}
