//! The layer under test, in this process: which requests pass, what the layer read in them, and what the application gets.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    io::Write,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderMap, HeaderValue, Request, Response, Version,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full};
use prost::Message;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto,
    field_descriptor_proto::{Label, Type},
};
use tokio::runtime::Runtime;
use tower::{Service, ServiceExt, service_fn};
use tower_jverify::{
    Check, Class, Coding, Field, ForeignBackend, Guards, HandOn, JVerifyBuilder, JVerifyLayer, Media, Question,
    RequestBody, Rule, Verdict, captcha, number,
};

use crate::bodies::{Body, Fields, Kind};

/// The method whose messages hold token and phone.
const METHOD: &str = "/accounts.Accounts/Login";

/// The token that [`Layer::shared`] takes for a login: the one of the bodies that are hidden in others.
pub(crate) const LOGIN: &str = "x";

/// How the layer is set, and so which readers must agree with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// `foreign_backend(ForeignBackend::any())`: every reader.
    Foreign,
    /// `canonical_body(true)`: every reader, of JSON and forms.
    Canonical,
    /// Neither: the readers of a Rust application, which believe the type.
    Plain,
    /// Neither, but every reader: they do find other values.
    Unprotected,
}

pub(crate) struct Layer {
    run: Run,
    /// Only requests whose token has the value of a login are guarded, and all of these are refused.
    is_shared: bool,
    pub(crate) runtime: Runtime,
    verifier: Verifier,
    layers: [(Fields, JVerifyLayer<Verifier>); 4],
}

/// A body that was let in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accepted {
    /// Token and phone as the verifier got them.
    pub(crate) read: [String; 2],
    /// What the application gets.
    pub(crate) content_type: Option<HeaderValue>,
    pub(crate) body: Bytes,
}

/// Passes everything, and remembers what it was asked.
#[derive(Clone, Default)]
struct Verifier {
    asked: Arc<Mutex<Vec<[String; 2]>>>,
}

// === impl Accepted ===

impl Accepted {
    /// A body as the client sends it.
    pub(crate) fn as_it_came(body: &Body) -> Self {
        let content_type = body.content_types.first().map(|text| HeaderValue::from_bytes(text.as_bytes()).unwrap());
        Self { content_type, body: Bytes::copy_from_slice(&body.bytes), ..Self::default() }
    }
}

// === impl Run ===

impl Run {
    fn set(self, builder: JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier> {
        match self {
            Self::Foreign => builder.foreign_backend(ForeignBackend::any()),
            Self::Canonical => builder.canonical_body(true),
            Self::Plain | Self::Unprotected => builder,
        }
    }

    fn media(self, fields: Fields) -> Vec<Media> {
        let named = Media::json_types(["application/vnd.api+json", "text/json", "application/json;v=2"]);
        let all = match fields {
            Fields::Default | Fields::Underscores => vec![Media::Json, named, Media::Form, Media::Multipart],
            Fields::Nested => vec![Media::Json, named],
            Fields::Message => vec![Media::Json, named, Media::Grpc],
        };
        let canonical = |media: &Media| self != Self::Canonical || matches!(media, Media::Json | Media::Form);
        all.into_iter().filter(canonical).collect()
    }

    /// Whether bodies of this kind are let in.
    pub(crate) fn takes(self, kind: Kind) -> bool {
        self != Self::Canonical || matches!(kind, Kind::Json | Kind::Form)
    }
}

// === impl Layer ===

impl Layer {
    pub(crate) fn new(run: Run) -> Self {
        Self::made(run, false)
    }

    /// A path that several calls share: the token chooses, with the value `x` for a login.
    pub(crate) fn shared(run: Run) -> Self {
        Self::made(run, true)
    }

    fn made(run: Run, is_shared: bool) -> Self {
        let verifier = Verifier::default();
        let all = [Fields::Default, Fields::Underscores, Fields::Nested, Fields::Message];
        let layers = all.map(|fields| {
            let [token, phone] = fields.paths().map(|path| Field::body(format!("/{path}")));
            let rule = if is_shared {
                let nowhere = captcha().content(Field::header("x-nowhere"));
                Rule::post(path(fields), nowhere).when(token, LOGIN).otherwise_pass()
            } else {
                Rule::post(path(fields), number().token(token).phone(phone))
            };
            let rule = rule.accept(run.media(fields));
            let mut builder = run.set(JVerifyLayer::builder(verifier.clone()).guards(&one_token_again()));
            if fields == Fields::Message {
                builder = builder.descriptors(descriptors());
            }
            (fields, builder.decode([Coding::Gzip], HandOn::Decoded).rule(rule).build().unwrap())
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { run, is_shared, runtime, verifier, layers }
    }

    pub(crate) fn run(&self) -> Run {
        self.run
    }

    /// What was verified and what reached the application, if the body did.
    pub(crate) fn accepts(&self, body: &Body) -> Option<Accepted> {
        let (_, layer) = self.layers.iter().find(|(fields, _)| *fields == body.fields).unwrap();
        let received = Arc::new(Mutex::new(None));
        let application = {
            let received = Arc::clone(&received);
            service_fn(move |request: Request<RequestBody<Full<Bytes>>>| {
                let received = Arc::clone(&received);
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    *received.lock().unwrap() = Some((parts.headers, body));
                    Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
                }
            })
        };
        let mut request = Request::post(path(body.fields)).version(version(body));
        for content_type in &body.content_types {
            request = request.header(CONTENT_TYPE, HeaderValue::from_bytes(content_type.as_bytes()).unwrap());
        }
        let mut bytes = body.bytes.clone();
        if body.gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&bytes).unwrap();
            bytes = encoder.finish().unwrap();
        }
        let request = request.body(Full::new(Bytes::from(bytes))).unwrap();
        let _ = self.runtime.block_on(tower::Layer::layer(layer, application).oneshot(request)).unwrap();
        let mut asked = std::mem::take(&mut *self.verifier.asked.lock().unwrap());
        let received: Option<(HeaderMap, Bytes)> = received.lock().unwrap().take();
        assert_eq!(
            asked.len(),
            usize::from(received.is_some() && !self.is_shared),
            "asked, but not let in: {}",
            body.bytes.escape_ascii()
        );
        let (headers, bytes) = received?;
        assert!(headers.get_all(CONTENT_TYPE).iter().count() < 2 && !headers.contains_key(CONTENT_ENCODING));
        let read = if self.is_shared { Default::default() } else { asked.pop()? };
        Some(Accepted { read, content_type: headers.get(CONTENT_TYPE).cloned(), body: bytes })
    }
}

fn path(fields: Fields) -> &'static str {
    match fields {
        Fields::Default | Fields::Underscores | Fields::Nested => "/login",
        Fields::Message => METHOD,
    }
}

/// gRPC is read over HTTP/2 only.
fn version(body: &Body) -> Version {
    match body.fields {
        Fields::Message => Version::HTTP_2,
        Fields::Default | Fields::Underscores | Fields::Nested => Version::HTTP_11,
    }
}

/// `service Accounts { rpc Login(Login) returns (Login); }`, of the message that [`readers::Login`](crate::readers::Login) is.
fn descriptors() -> Vec<u8> {
    let field = |name: &str, number, label| FieldDescriptorProto {
        name: Some(name.into()),
        number: Some(number),
        r#type: Some(Type::String as i32),
        label: Some(label as i32),
        ..Default::default()
    };
    let message = DescriptorProto {
        name: Some("Login".into()),
        field: vec![
            field("token", 1, Label::Optional),
            field("phone", 2, Label::Optional),
            field("others", 3, Label::Repeated),
        ],
        ..Default::default()
    };
    let method = MethodDescriptorProto {
        name: Some("Login".into()),
        input_type: Some(".accounts.Login".into()),
        output_type: Some(".accounts.Login".into()),
        ..Default::default()
    };
    let service = ServiceDescriptorProto { name: Some("Accounts".into()), method: vec![method], ..Default::default() };
    let file = FileDescriptorProto {
        name: Some("accounts.proto".into()),
        package: Some("accounts".into()),
        syntax: Some("proto3".into()),
        message_type: vec![message],
        service: vec![service],
        ..Default::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
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
        let Question::Number { token, phone, .. } = check.question() else { panic!("only numbers are asked here") };
        self.asked.lock().unwrap().push([token.expose().to_owned(), phone.as_str().to_owned()]);
        ready(Ok(Verdict::new(check.kind(), Class::Passed)))
    }
}

/// The tests send one token again and again.
fn one_token_again() -> Guards {
    Guards::builder().without_replay_guard().without_client_limits().build().unwrap()
}
