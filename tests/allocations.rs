//! The layer allocates nothing for a request that no rule matches.
//!
//! This binary's allocator counts the allocations of the current thread, around the same service, with and without the layer.
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
use tower::{Layer, Service, service_fn, util::ServiceFn};
use tower_jverify::{Check, Class, ForeignBackend, Guards, JVerifyBuilder, JVerifyLayer, Mode, Rule, Verdict, number};

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

/// A verifier that has answered before it is asked.
type Passing = ServiceFn<fn(Check) -> Ready<Result<Verdict, Infallible>>>;

fn passing() -> Passing {
    service_fn(|check| ready(Ok(Verdict::new(check.kind(), Class::Passed))))
}

fn layer() -> JVerifyLayer<Passing> {
    builder().build().unwrap()
}

fn builder() -> JVerifyBuilder<Passing> {
    let rules = ["/login", "/register", "/v1/{tenant}/login", "/auth/{*rest}"];
    rules.into_iter().fold(JVerifyLayer::builder(passing()).guards(&one_token_again()), |builder, path| {
        builder.rule(Rule::post(path, number()))
    })
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

/// For paths without dots and escapes, and without a query.
#[test]
fn an_unmatched_request_in_front_of_a_foreign_backend_costs_no_allocation_either() {
    let service = builder().foreign_backend(ForeignBackend::any()).build().unwrap().layer(Application);
    for (method, path) in [
        ("GET", "/"),
        ("POST", "/"),
        ("GET", "/x"),
        ("PUT", "/v1/acme/logout"),
        ("POST", "/API/Users/42/Avatar/"),
        ("DELETE", "/a/rather/long/path/of/some/file/that/has/nothing/to/do/with/any/of/these/rules/at/all"),
    ] {
        let without = allocations(Application, request(method, path));
        let with = allocations(service.clone(), request(method, path));
        assert_eq!(with, without, "{method} {path}");
    }
}

/// Checks that the counter sees an allocation.
#[tokio::test]
async fn a_guarded_request_does_allocate() {
    let login = Request::post("/login").header("content-type", "application/json");
    let login = login.body(Full::from(r#"{"token":"t","phone":"13812345678"}"#)).unwrap();
    assert!(allocations(layer().layer(Application), login) > 0);
}

#[tokio::test]
async fn a_request_in_shadow_costs_at_most_three_allocations_more_than_an_enforced_one() {
    let of = |mode: Mode, class: fn(Check) -> Ready<Result<Verdict, Infallible>>| {
        let layer = JVerifyLayer::builder(service_fn(class)).guards(&one_token_again()).mode(mode);
        let layer = layer.rule(Rule::post("/login", number())).build().unwrap();
        let login = || {
            let request = Request::post("/login").header("content-type", "application/json");
            request.body(Full::from(r#"{"token":"t","phone":"13800000000"}"#)).unwrap()
        };
        // What the first request sets up is not counted.
        allocations(layer.layer(Application), login());
        allocations(layer.layer(Application), login())
    };
    let passing = |check: Check| ready(Ok(Verdict::new(check.kind(), Class::Passed)));
    let (enforced, shadow) = (of(Mode::Enforce, passing), of(Mode::Shadow, passing));
    assert!(shadow <= enforced + 3, "{shadow}, enforced {enforced}");
    let refused = of(Mode::Shadow, |check| ready(Ok(Verdict::new(check.kind(), Class::Rejected))));
    assert!(refused <= enforced + 3, "{refused}, enforced {enforced}");
}

/// A body that the layer has not read is axum's own again, in no box.
#[cfg(feature = "axum")]
#[tokio::test]
async fn an_untouched_body_becomes_axums_without_an_allocation() {
    use axum::body::Body as AxumBody;
    use http::Version;
    use tower::ServiceExt;
    use tower_jverify::RequestBody;

    /// How many allocations the conversion makes, and what the body holds then.
    async fn converted(path: &str, version: Version, body: AxumBody) -> (u64, Bytes) {
        let inner = service_fn(async |request: Request<RequestBody<AxumBody>>| {
            let mut body = Some(request.into_body());
            let mut converted = None;
            let counted = measure(|| converted = body.take().map(AxumBody::from));
            let body = axum::body::to_bytes(converted.unwrap(), usize::MAX).await.unwrap();
            Ok::<_, Infallible>(Response::new(http_body_util::Full::new(
                Bytes::from(counted.count_total.to_string()).into_iter().chain([b':']).chain(body).collect::<Bytes>(),
            )))
        });
        let request = Request::post(path).version(version).header("content-type", "application/json").body(body);
        let response = layer().layer(inner).oneshot(request.unwrap()).await.unwrap();
        let answer = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
        let at = answer.iter().position(|&byte| byte == b':').expect("a count");
        let count = std::str::from_utf8(answer.get(..at).unwrap()).unwrap().parse().unwrap();
        (count, answer.slice(at + 1..))
    }

    let (login, other) = (r#"{"token":"t","phone":"13812345678"}"#, "a body");
    let (http1, http2) = (Version::HTTP_11, Version::HTTP_2);
    assert_eq!(converted("/health", http1, AxumBody::from(other)).await, (0, Bytes::from(other)));
    assert_eq!(converted("/health", http1, AxumBody::empty()).await, (0, Bytes::new()));
    assert_eq!(converted("/health", http2, AxumBody::empty()).await, (0, Bytes::new()));
    // Where trailers may follow they are filtered, and a replay is another body.
    for (path, version, text) in [("/health", http2, other), ("/login", http1, login)] {
        let (count, body) = converted(path, version, AxumBody::from(text)).await;
        assert!(count > 0 && body == text, "{path} {version:?}");
    }
}

/// A client that sends pieces of a body, and then nothing more for a while.
struct Slow {
    pieces: usize,
}

/// What one read of a connection brings.
const PIECE: usize = 4096;

impl Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        match self.pieces.checked_sub(1) {
            None => Poll::Pending,
            Some(left) => {
                self.pieces = left;
                Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from(vec![b' '; PIECE])))))
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_slow_clients_take_the_memory_that_the_cap_promises() {
    const CLIENTS: usize = 10_000;
    const CAP: usize = 8 * 1024 * 1024;
    /// The future of a request, its head, and a body's buffer that has grown ahead of its content.
    const A_CLIENT: usize = 8 * 1024;

    let mut service = JVerifyLayer::builder(passing())
        .guards(&one_token_again())
        .rule(Rule::post("/login", number()))
        .buffered(CAP)
        .build()
        .unwrap()
        .layer(Application);
    let mut context = Context::from_waker(Waker::noop());
    let (mut waiting, mut refused) = (Vec::with_capacity(CLIENTS), 0);
    let measured = measure(|| {
        for client in 0..CLIENTS {
            let request = Request::post("/login")
                .header("content-type", "application/json")
                .body(Slow { pieces: 1 + client % 8 })
                .unwrap();
            let mut answer = Box::pin(service.call(request));
            match answer.as_mut().poll(&mut context) {
                Poll::Ready(response) => refused += usize::from(response.unwrap().status() == 503),
                Poll::Pending => waiting.push(answer),
            }
        }
    });
    assert_eq!(waiting.len() + refused, CLIENTS, "whoever does not wait is refused at once");
    let held = waiting.len();
    assert!(held >= CAP / (8 * PIECE), "{held} wait");
    let most = u64::try_from(2 * CAP + held * A_CLIENT).unwrap();
    assert!(measured.bytes_max < most, "{} bytes at most, {most} promised", measured.bytes_max);

    // All of it comes back.
    drop(waiting);
    let request = Request::post("/login").header("content-type", "application/json").body(Slow { pieces: 8 }).unwrap();
    assert!(Box::pin(service.call(request)).as_mut().poll(&mut context).is_pending());
}

/// The tests send one token again and again.
fn one_token_again() -> Guards {
    Guards::builder().without_replay_guard().without_client_limits().build().unwrap()
}
