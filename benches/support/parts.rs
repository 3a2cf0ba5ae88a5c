//! Parts of the work, in this process, without a network: called as hyper's server calls a tower service.

use std::{convert::Infallible, fmt::Write, pin::pin};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper_util::service::TowerToHyperService;
use tower::{Layer, Service, layer::util::Identity, service_fn};
use tower_jverify::{Check, Class, Field, JVerifyLayer, Rule, Verdict, captcha, number};

/// A verifier that has answered before it is asked.
type Answered = fn(Check) -> std::future::Ready<Result<Verdict, Infallible>>;
type Verifier = tower::util::ServiceFn<Answered>;

/// A body to be read, and how to read it otherwise.
pub(crate) struct Sample {
    pub(crate) body: Bytes,
    pub(crate) media: &'static str,
}

fn verifier() -> Verifier {
    service_fn(|check| std::future::ready(Ok(Verdict::new(check.kind(), Class::Passed))))
}

/// The inner service: reads the body to its end, answers two bytes.
fn application<B>()
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

/// Requests that none of four rules matches, with so many headers; under the layer, or under one that does nothing.
pub(crate) async fn unmatched(under: &str, headers: usize, requests: usize) {
    const NAMES: [&str; 8] =
        ["host", "user-agent", "accept", "accept-language", "cache-control", "x-request-id", "referer", "origin"];
    let request = || {
        let mut request = Request::get("/articles/2024/spring");
        for name in NAMES.iter().take(headers) {
            request = request.header(*name, "a value of some length");
        }
        request.body(Full::new(Bytes::from_static(b"hello"))).expect("a static request is valid")
    };
    let layer = JVerifyLayer::builder(verifier())
        .rule(Rule::post("/login", number()))
        .rule(Rule::post("/h5/login", number().web()))
        .rule(Rule::post("/register", captcha().then(number())))
        .rule(Rule::post("/signin", captcha().or(number())))
        .build()
        .expect("rules stand");
    match under {
        "layer" => serve(layer.layer(application()), requests, request).await,
        _ => serve(Identity::new().layer(application()), requests, request).await,
    }
}

/// Logins under a layer with so many rules, for their lookup; their proof is in the headers.
pub(crate) async fn looked_up(rules: usize, requests: usize) {
    let ask = || number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    let path = |rule: usize| format!("/tenants/{rule:04}/login");
    let mut builder = JVerifyLayer::builder(verifier());
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
    let layer = JVerifyLayer::builder(verifier()).rule(Rule::post("/login", number())).build().expect("rules stand");
    let request = || {
        let request = Request::post("/login").header("content-type", sample.media);
        request.body(Full::new(sample.body.clone())).expect("a static request is valid")
    };
    serve(layer.layer(application()), requests, request).await;
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

    pub(crate) fn form() -> Self {
        let body = "token=STsid0000001542695429579Ob28vB7b0cYTI9w0GG&phone=15813554612&name=%E5%BC%A0%E4%B8%89&\
                    device=M2102K1C&os=Android+14&remember=true&locale=zh-CN&next=%2Fhome%3Ftab%3Dnews";
        Self { body: Bytes::from_static(body.as_bytes()), media: "application/x-www-form-urlencoded" }
    }
}
