//! One guarded application in this process, for all targets.

pub mod names;

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use serde_json::value::RawValue;
use tokio::runtime::Runtime;
use tower::{Service, ServiceExt, service_fn};
use tower_jverify::{Check, Class, Denial, JVerifyLayer, Question, RequestBody, Rule, Verdict, number};

/// A number proof that is in order.
pub const LOGIN: &str = r#"{"token":"t","phone":"13812345678"}"#;

thread_local! {
    static RUNTIME: Runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime without I/O");
}

/// Runs a future to its end.
pub fn wait<F: Future>(future: F) -> F::Output {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// What a check asked, as the verifier saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub token: String,
    pub phone: String,
}

/// Answers every check with one verdict, and remembers what was asked.
#[derive(Clone)]
pub struct Verifier {
    verdict: Arc<dyn Fn(&Check) -> Verdict + Send + Sync>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A body of these frames.
#[derive(Clone, Debug)]
pub struct Frames(pub VecDeque<Bytes>);

/// The result of one request.
#[derive(Debug)]
pub struct Outcome {
    pub asked: Vec<Asked>,
    /// The request as the application got it, if it did.
    pub reached: Option<(Parts, Bytes)>,
}

// === impl Verifier ===

impl Verifier {
    pub fn answering(verdict: impl Fn(&Check) -> Verdict + Send + Sync + 'static) -> Self {
        Self { verdict: Arc::new(verdict), asked: Arc::default() }
    }

    pub fn of_class(class: Class) -> Self {
        Self::answering(move |check| Verdict::new(check.kind(), class))
    }

    fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Service<Check> for Verifier {
    type Response = Verdict;
    type Error = Infallible;
    type Future = Ready<Result<Verdict, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, check: Check) -> Self::Future {
        let Question::Number { token, phone, .. } = check.question() else { panic!("only numbers are asked here") };
        let asked = Asked { token: token.expose().to_owned(), phone: phone.as_str().to_owned() };
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        ready(Ok((self.verdict)(&check)))
    }
}

/// Guards `POST /login` with a number.
pub fn login(verifier: &Verifier) -> JVerifyLayer<Verifier> {
    guarding(verifier, [Rule::post("/login", number())])
}

pub fn guarding(verifier: &Verifier, rules: impl IntoIterator<Item = Rule>) -> JVerifyLayer<Verifier> {
    let builder = JVerifyLayer::builder(verifier.clone());
    rules.into_iter().fold(builder, |builder, rule| builder.rule(rule)).build().expect("the rules are in order")
}

/// `POST /login` with a body.
pub fn post(content_type: &'static str, body: &[u8]) -> Request<Full<Bytes>> {
    let request = Request::post("/login").header("content-type", content_type);
    request.body(Full::new(Bytes::copy_from_slice(body))).expect("a request that stands")
}

/// Sends one request through the layer, and asserts what holds for every request: a denied request does not reach the application,
/// and a body arrives as it came.
pub fn send<B>(layer: &JVerifyLayer<Verifier>, verifier: &Verifier, request: Request<B>) -> Outcome
where
    B: Body<Data = Bytes, Error = Infallible> + Clone + Send + 'static,
{
    wait(async {
        let reached = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&reached);
        let application = service_fn(move |request: Request<RequestBody<B>>| {
            let keep = Arc::clone(&keep);
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.expect("a body that was whole").to_bytes();
                *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some((parts, body));
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
            }
        });
        let sent = request.body().clone().collect().await.expect("all there").to_bytes();
        let service = tower::Layer::layer(layer, application);
        let response = service.oneshot(request).await.expect("the layer has no errors of its own");
        let reached = reached.lock().unwrap_or_else(PoisonError::into_inner).take();
        match &reached {
            Some((_, body)) => assert_eq!(*body, sent, "the application got another body"),
            None => {
                assert!(response.extensions().get::<Denial>().is_some(), "nobody answered");
                // A gRPC call is always answered with 200.
                let grpc = response.headers().get("grpc-status").map(|status| status != "0");
                assert!(grpc.unwrap_or(!response.status().is_success()), "a denial that looks like a success");
            }
        }
        Outcome { asked: verifier.take(), reached }
    })
}

// === impl Frames ===

impl Frames {
    /// This body in two frames.
    pub fn cut(body: &[u8], at: usize) -> Self {
        let (first, second) = body.split_at(at.min(body.len()));
        Self([first, second].into_iter().map(Bytes::copy_from_slice).collect())
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|frame| Ok(Frame::data(frame))))
    }
}

// === impl Outcome ===

impl Outcome {
    /// The only check of a request that passed; `None` if it was refused, and then no check was made.
    pub fn accepted(self) -> Option<Asked> {
        match (self.reached, self.asked.as_slice()) {
            (Some(_), [asked]) => Some(asked.clone()),
            (None, []) => None,
            (reached, asked) => panic!("reached the application: {}, asked {} times", reached.is_some(), asked.len()),
        }
    }
}

/// The members of a JSON object in their order, with duplicates. Empty if the document is not an object.
///
/// Values are not looked into: there a number may be beyond doubles, which `serde_json::Value` refuses.
pub fn pairs(document: &[u8]) -> Vec<(String, Box<RawValue>)> {
    use serde::de::{Deserializer, MapAccess, Visitor};

    struct Pairs;

    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(String, Box<RawValue>)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }

    serde_json::Deserializer::from_slice(document).deserialize_map(Pairs).unwrap_or_default()
}
