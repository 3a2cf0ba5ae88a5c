//! A request that no rule matches costs no allocation of ours.
//!
//! Counted by an allocator of this binary's own, on this thread only: around the same service, with and without the layer.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

use allocation_counter::measure;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{Empty, Full};
use tower::{Layer, Service};
use tower_jverify::{Check, Class, JVerifyLayer, Rule, Verdict, number};

/// Polls the request's body to its end, and answers at once.
#[derive(Clone, Copy)]
struct Application;

impl<B: Body<Data = Bytes>> Service<Request<B>> for Application {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut body = pin!(request.into_body());
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(_)) = body.as_mut().poll_frame(&mut context) {}
        ready(Ok(Response::new(Empty::new())))
    }
}

#[derive(Clone, Copy)]
struct Passing;

impl Service<Check> for Passing {
    type Response = Verdict;
    type Error = Infallible;
    type Future = Ready<Result<Verdict, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, check: Check) -> Self::Future {
        ready(Ok(Verdict::new(check.kind(), Class::Passed)))
    }
}

fn layer() -> JVerifyLayer<Passing> {
    let rules = ["/login", "/register", "/v1/{tenant}/login", "/auth/{*rest}"];
    let builder = rules
        .into_iter()
        .fold(JVerifyLayer::builder(Passing), |builder, path| builder.rule(Rule::post(path, number())));
    builder.build().unwrap()
}

/// How many allocations one request makes, from readiness to the end of the response.
fn allocations<S, RB>(mut service: S, request: Request<Full<Bytes>>) -> u64
where
    S: Service<Request<Full<Bytes>>, Response = Response<RB>, Error = Infallible>,
    RB: Body,
{
    let mut request = Some(request);
    let counted = measure(|| {
        let mut context = Context::from_waker(Waker::noop());
        assert!(service.poll_ready(&mut context).is_ready());
        let mut future = pin!(service.call(request.take().unwrap()));
        let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut context) else { panic!("no answer") };
        assert!(response.status().is_success());
        let mut body = pin!(response.into_body());
        while let Poll::Ready(Some(_)) = body.as_mut().poll_frame(&mut context) {}
    });
    counted.count_total
}

fn request(method: &str, path: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path).header("host", "x").header("content-type", "text/plain");
    request.header("connection", "keep-alive").body(Full::from("a body")).unwrap()
}

#[test]
fn an_unmatched_request_costs_no_allocation() {
    let service = layer().layer(Application);
    for (method, path) in [
        ("GET", "/"),
        ("POST", "/"),
        ("GET", "/health?x=/login"),
        ("GET", "/login"),
        ("PUT", "/v1/acme/login"),
        ("POST", "/v1/acme/logout"),
        ("POST", "/API/Users/42/Avatar/"),
        ("POST", "/auth"),
        ("DELETE", "/a/rather/long/path/of/some/file/that/has/nothing/to/do/with/any/login/at/all.html"),
    ] {
        let without = allocations(Application, request(method, path));
        let with = allocations(service.clone(), request(method, path));
        assert_eq!(with, without, "{method} {path}");
    }
}

/// The count would tell.
#[tokio::test]
async fn a_guarded_request_does_allocate() {
    let login = Request::post("/login").header("content-type", "application/json");
    let login = login.body(Full::from(r#"{"token":"t","phone":"13812345678"}"#)).unwrap();
    assert!(allocations(layer().layer(Application), login) > 0);
}
