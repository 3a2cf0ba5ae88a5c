//! The readers in Rust: parsers that ignore the type, and axum's extractors and tonic, which trust it.

use std::sync::{Arc, Mutex};

use axum::extract::{Form, FromRequest, Json, Multipart};
use http::{Request, header::CONTENT_TYPE};
use http_body_util::Full;
use serde_json::Value;
use tokio::runtime::Runtime;
use tonic::{Response, Status, server};
use tonic_prost::ProstCodec;
use tower::service_fn;

use crate::{
    layer::Accepted,
    peers::{Part, Reading},
};

/// What the application's `.proto` says.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Login {
    #[prost(string, tag = "1")]
    pub(crate) token: String,
    #[prost(string, tag = "2")]
    pub(crate) phone: String,
    #[prost(string, repeated, tag = "3")]
    pub(crate) others: Vec<String>,
}

/// Those that ignore the type.
pub(crate) fn blind(body: &[u8], paths: [&str; 2]) -> Vec<(String, Reading)> {
    let pairs: Vec<_> = form_urlencoded::parse(body).collect();
    vec![
        ("serde_json".to_owned(), json(serde_json::from_slice(body).ok(), paths)),
        ("form_urlencoded".to_owned(), form(&pairs, paths)),
    ]
}

/// Those that believe it: what an application in Rust reads a request with.
pub(crate) fn typed(runtime: &Runtime, accepted: &Accepted, paths: [&str; 2]) -> Vec<(String, Reading)> {
    let request = || {
        let mut request = Request::post("/login");
        if let Some(content_type) = &accepted.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        request.body(axum::body::Body::from(accepted.body.clone())).unwrap()
    };
    runtime.block_on(async {
        let read = Json::<Value>::from_request(request(), &()).await;
        let as_json = json(read.ok().map(|Json(document)| document), paths);
        let read = Form::<Vec<(String, String)>>::from_request(request(), &()).await;
        let as_form = read.map_or(Reading::Refused, |Form(pairs)| form(&pairs, paths));
        let parts = multipart(request()).await;
        let as_multipart = parts.map_or(Reading::Refused, |pairs| form(&pairs, paths));
        vec![
            ("axum Json".to_owned(), as_json),
            ("axum Form".to_owned(), as_form),
            ("axum Multipart".to_owned(), as_multipart),
            ("tonic".to_owned(), tonic(&accepted.body).await),
        ]
    })
}

async fn multipart(request: Request<axum::body::Body>) -> Option<Vec<(String, String)>> {
    let mut parts = Multipart::from_request(request, &()).await.ok()?;
    let mut pairs = Vec::new();
    while let Some(part) = parts.next_field().await.ok()? {
        let name = part.name().unwrap_or_default().to_owned();
        pairs.push((name, part.text().await.ok()?));
    }
    Some(pairs)
}

async fn tonic(body: &[u8]) -> Reading {
    let read = Arc::new(Mutex::new(None));
    let method = {
        let read = Arc::clone(&read);
        service_fn(move |request: tonic::Request<Login>| {
            *read.lock().unwrap() = Some(request.into_inner());
            async { Ok::<_, Status>(Response::new(Login::default())) }
        })
    };
    let request = Request::post("/").body(Full::new(bytes::Bytes::copy_from_slice(body))).unwrap();
    let _ = server::Grpc::new(ProstCodec::<Login, Login>::default()).unary(Unary(method), request).await;
    let login: Option<Login> = read.lock().unwrap().take();
    let part = |text: String| if text.is_empty() { Part::Absent } else { Part::Text(text.into_bytes()) };
    login.map_or(Reading::Refused, |login| Reading::Read([part(login.token), part(login.phone)]))
}

/// tonic requires an implementation of this trait.
struct Unary<S>(S);

impl<S, F> server::UnaryService<Login> for Unary<S>
where
    S: tower::Service<tonic::Request<Login>, Response = Response<Login>, Error = Status, Future = F>,
    F: Future<Output = Result<Response<Login>, Status>>,
{
    type Response = Login;
    type Future = F;

    fn call(&mut self, request: tonic::Request<Login>) -> F {
        self.0.call(request)
    }
}

fn json(document: Option<Value>, paths: [&str; 2]) -> Reading {
    let Some(document) = document.filter(Value::is_object) else { return Reading::Refused };
    let member = |path: &str| match document.pointer(&format!("/{path}"))? {
        Value::Null => None,
        Value::String(text) => Some(Part::Text(text.clone().into_bytes())),
        Value::Number(number) if !number.is_f64() => Some(Part::Text(number.to_string().into_bytes())),
        other => Some(Part::Other(other.to_string())),
    };
    Reading::Read(paths.map(|path| member(path).unwrap_or(Part::Absent)))
}

/// A field goes by the last name on its way.
fn form<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)], paths: [&str; 2]) -> Reading {
    let value = |path: &str| {
        let name = path.rsplit('/').next().unwrap();
        let found: Vec<_> =
            pairs.iter().filter(|(key, _)| key.as_ref() == name).map(|(_, value)| value.as_ref()).collect();
        match found.as_slice() {
            [] => Part::Absent,
            [one] => Part::Text(one.as_bytes().to_vec()),
            several => Part::Other(format!("{several:?}")),
        }
    };
    Reading::Read(paths.map(value))
}
