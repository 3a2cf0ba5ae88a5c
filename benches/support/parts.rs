//! Parts of the work, in this process, without a network: called as hyper's server calls a tower service.

use std::{collections::HashMap, convert::Infallible, fmt::Write, pin::pin};

use bytes::Bytes;
use http::{Method, Request, Response, Version};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper_util::service::TowerToHyperService;
use prost::Message;
use tower::{Layer, Service, layer::util::Identity, service_fn};
use tower_jverify::{Check, Class, Field, ForeignBackend, JVerifyLayer, Rule, Verdict, captcha, number};

use super::{guarded::asserting, guards_off, guards_on};

/// A verifier that has answered before it is asked.
pub(super) type Answered = fn(Check) -> std::future::Ready<Result<Verdict, Infallible>>;
pub(super) type Verifier = tower::util::ServiceFn<Answered>;

/// A body to be read, and how to read it otherwise.
pub(crate) struct Sample {
    pub(crate) body: Bytes,
    pub(crate) media: &'static str,
}

pub(super) fn verifier() -> Verifier {
    service_fn(|check| std::future::ready(Ok(Verdict::new(check.kind(), Class::Passed))))
}

/// The inner service: reads the body to its end, answers two bytes.
pub(super) fn application<B>()
-> impl Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> + Clone + Send + 'static
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    service_fn(|request: Request<B>| {
        let body = request.into_body();
        async move {
            drain(body).await;
            Ok(Response::new(Full::new(Bytes::from_static(b"ok"))))
        }
    })
}

async fn drain<B: Body<Data = Bytes>>(body: B) {
    let mut body = pin!(body);
    while let Some(Ok(frame)) = body.frame().await {
        std::hint::black_box(frame);
    }
}

/// As a server does: its adapter clones the service, waits until it is ready and calls it; the answer's body is sent.
async fn serve<S, RB>(service: S, requests: usize, request: impl Fn() -> Request<Full<Bytes>>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<RB>> + Clone,
    RB: Body<Data = Bytes>,
{
    let service = TowerToHyperService::new(service);
    for _ in 0..requests {
        let answer = hyper::service::Service::call(&service, request());
        let Ok(response) = answer.await else { unreachable!("the application does not fail") };
        assert!(response.status().is_success());
        drain(response.into_body()).await;
    }
}

/// Requests that none of four rules matches, all of them for POST, with so many headers; under the layer, under one with all guards,
/// under one in front of a foreign backend, or under one that does nothing. For a GET no path of a rule's is looked up.
pub(crate) async fn unmatched(under: &str, method: &Method, headers: usize, requests: usize) {
    const NAMES: [&str; 8] =
        ["host", "user-agent", "accept", "accept-language", "cache-control", "x-request-id", "referer", "origin"];
    let request = || {
        let mut request = Request::builder().method(method).uri("/articles/2024/spring");
        for name in NAMES.iter().take(headers) {
            let value = if *name == "host" { "www.site-of-some.example" } else { "a value of some length" };
            request = request.header(*name, value);
        }
        request.body(Full::new(Bytes::from_static(b"hello"))).expect("a static request is valid")
    };
    let guards = if under == "guards-on" { guards_on() } else { guards_off() };
    let mut builder = JVerifyLayer::builder(verifier())
        .guards(&guards)
        .rule(Rule::post("/login", number()))
        .rule(Rule::post("/h5/login", number().web()))
        .rule(Rule::post("/register", captcha().then(number())))
        .rule(Rule::post("/signin", captcha().or(number())));
    if under == "foreign" {
        builder = builder.foreign_backend(ForeignBackend::any());
    }
    let layer = builder.build().expect("rules are valid");
    match under {
        "layer" | "guards-on" | "foreign" => serve(layer.layer(application()), requests, request).await,
        _ => serve(Identity::new().layer(application()), requests, request).await,
    }
}

/// Logins under a layer with so many rules, for their lookup; their proof is in the headers.
pub(crate) async fn looked_up(rules: usize, requests: usize) {
    let ask = || number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    let path = |rule: usize| format!("/tenants/{rule:04}/login");
    let mut builder = JVerifyLayer::builder(verifier()).guards(&guards_off());
    for rule in 0..rules {
        builder = builder.rule(Rule::post(path(rule), ask()));
    }
    let layer = builder.build().expect("rules stand");
    let matched = path(rules / 2);
    let request = || {
        let request =
            Request::post(&matched).header("x-token", "STsid0000001542695429579").header("x-phone", "15813554612");
        request.body(Full::default()).expect("a static request is valid")
    };
    serve(layer.layer(application()), requests, request).await;
}

/// Logins with their proof in this body.
pub(crate) async fn layered(sample: &Sample, requests: usize) {
    let rule = if sample.media == GRPC { by_numbers() } else { Rule::post("/login", number()) };
    layered_by(rule, sample, requests).await;
}

/// As [`layered`], with an assertion about each.
pub(crate) async fn asserted(sample: &Sample, requests: usize) {
    layered_by(asserting(Rule::post("/login", number())), sample, requests).await;
}

async fn layered_by(rule: Rule, sample: &Sample, requests: usize) {
    let is_grpc = sample.media == GRPC;
    let layer = JVerifyLayer::builder(verifier()).guards(&guards_off()).rule(rule).build().expect("rules stand");
    let version = if is_grpc { Version::HTTP_2 } else { Version::HTTP_11 };
    let request = || {
        let request = Request::post("/login").version(version).header("content-type", sample.media);
        request.body(Full::new(sample.body.clone())).expect("a static request is valid")
    };
    serve(layer.layer(application()), requests, request).await;
}

#[cfg(feature = "grpc")]
fn by_numbers() -> Rule {
    let ask = number().token(Field::body("/1")).phone(Field::body("/2"));
    Rule::post("/login", ask).accept([tower_jverify::Media::Grpc])
}

#[cfg(not(feature = "grpc"))]
fn by_numbers() -> Rule {
    unreachable!("the row is left out without the feature")
}

const GRPC: &str = "application/grpc";

/// A login as a gRPC application would declare it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct LoginRequest {
    #[prost(string, tag = "1")]
    pub(crate) token: String,
    #[prost(string, tag = "2")]
    pub(crate) phone: String,
    #[prost(string, tag = "3")]
    device: String,
    #[prost(map = "string, string", tag = "4")]
    tags: HashMap<String, String>,
    #[prost(bool, tag = "5")]
    remember: bool,
    #[prost(string, repeated, tag = "6")]
    locales: Vec<String>,
}

impl Sample {
    /// A login with a profile, as apps send it, of about so many bytes.
    pub(crate) fn json(bytes: usize) -> Self {
        let mut body = String::from(r#"{"token":"STsid0000001542695429579Ob28vB7b0cYTI9w0GG","phone":"15813554612","#);
        body.push_str(r#""device":{"model":"M2102K1C","os":"Android 14","dpi":440},"contacts":["#);
        let mut number = 0;
        while body.len() + 120 < bytes {
            if number > 0 {
                body.push(',');
            }
            let _ = write!(
                body,
                r#"{{"id":{},"name":"张三 {number}","email":"user{number}@example.com","score":{}.25,"tags":["a","b"],"vip":true}}"#,
                4000 + number,
                number * 3,
            );
            number += 1;
        }
        body.push_str(r#"],"remember":true,"locale":"zh-CN"}"#);
        Self { body: body.into(), media: "application/json" }
    }

    pub(crate) fn grpc() -> Self {
        let message = LoginRequest {
            token: "STsid0000001542695429579Ob28vB7b0cYTI9w0GG".into(),
            phone: "15813554612".into(),
            device: "M2102K1C, Android 14".into(),
            tags: HashMap::from([("next".into(), "/home?tab=news".into())]),
            remember: true,
            locales: vec!["zh-CN".into(), "en".into()],
        };
        let message = message.encode_to_vec();
        let length = u32::try_from(message.len()).expect("a login is small").to_be_bytes();
        Self { body: [&[0], length.as_slice(), &message].concat().into(), media: GRPC }
    }

    pub(crate) fn form() -> Self {
        let body = "token=STsid0000001542695429579Ob28vB7b0cYTI9w0GG&phone=15813554612&name=%E5%BC%A0%E4%B8%89&\
                    device=M2102K1C&os=Android+14&remember=true&locale=zh-CN&next=%2Fhome%3Ftab%3Dnews";
        Self { body: Bytes::from_static(body.as_bytes()), media: "application/x-www-form-urlencoded" }
    }
}
