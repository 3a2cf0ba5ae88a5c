//! The layer under test, in this process: what it lets in, and what it read there.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use secrecy::ExposeSecret;
use tokio::runtime::Runtime;
use tower::{Service, ServiceExt, service_fn};
use tower_jverify::{Check, Class, Field, JVerifyLayer, Question, RequestBody, Rule, Verdict, number};

use crate::bodies::{Body, Fields};

pub(crate) struct Layer {
    runtime: Runtime,
    verifier: Verifier,
    layers: [(Fields, JVerifyLayer<Verifier>); 3],
}

/// Passes everything, and remembers what it was asked.
#[derive(Clone, Default)]
struct Verifier {
    asked: Arc<Mutex<Vec<[String; 2]>>>,
}

// === impl Layer ===

impl Layer {
    pub(crate) fn new() -> Self {
        let verifier = Verifier::default();
        let layers = [Fields::Default, Fields::Underscores, Fields::Nested].map(|fields| {
            let [token, phone] = fields.paths().map(|path| Field::body(format!("/{path}")));
            let rule = Rule::post("/login", number().token(token).phone(phone));
            (fields, JVerifyLayer::builder(verifier.clone()).rule(rule).build().unwrap())
        });
        Self { runtime: tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap(), verifier, layers }
    }

    /// Token and phone as the verifier got them, if the body reached the application.
    pub(crate) fn accepts(&self, body: &Body) -> Option<[String; 2]> {
        let (_, layer) = self.layers.iter().find(|(fields, _)| *fields == body.fields).unwrap();
        let application = service_fn(|_: Request<RequestBody<Full<Bytes>>>| {
            ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"application")))))
        });
        let request = Request::post("/login").header("content-type", body.kind.content_type());
        let request = request.body(Full::new(Bytes::copy_from_slice(&body.bytes))).unwrap();
        let answer = self.runtime.block_on(tower::Layer::layer(layer, application).oneshot(request)).unwrap();
        let mut asked = std::mem::take(&mut *self.verifier.asked.lock().unwrap());
        let reached = answer.status().is_success();
        assert_eq!(asked.len(), usize::from(reached), "asked, but not let in: {}", body.bytes.escape_ascii());
        asked.pop()
    }
}

// === impl Verifier ===

impl Service<Check> for Verifier {
    type Response = Verdict;
    type Error = Infallible;
    type Future = Ready<Result<Verdict, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, check: Check) -> Self::Future {
        let Question::Number { token, phone } = check.question() else { panic!("only numbers are asked here") };
        self.asked.lock().unwrap().push([token.expose_secret().to_owned(), phone.as_str().to_owned()]);
        ready(Ok(Verdict::new(check.kind(), Class::Passed)))
    }
}
