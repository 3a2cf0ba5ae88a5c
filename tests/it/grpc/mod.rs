//! Proofs from gRPC calls: the message is read, and the call is not changed.

mod answers;
mod calls;
mod deadlines;
mod details;
mod frames;
mod messages;
mod names;
mod programs;
mod settings;
mod streams;
mod web;

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body::Body;
use http_body_util::Full;
use prost::Message;
use tonic::{Status, client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;
use tower_jverify::{Ask, Field, Media, Question, Rule, number};

use crate::support::{Guarded, Verifier, denial};

const LOGIN: &str = "/accounts.Accounts/Login";
const TOKEN: &str = "tok-canary-7f3a";
const PHONE: &str = "13812345678";

/// What the application's `.proto` would say.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct LoginRequest {
    #[prost(string, tag = "1")]
    pub(crate) token: String,
    #[prost(string, tag = "2")]
    pub(crate) phone: String,
    #[prost(string, repeated, tag = "3")]
    devices: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Welcome {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

impl LoginRequest {
    fn good() -> Self {
        Self { token: TOKEN.into(), phone: PHONE.into(), devices: vec!["one".into(), "two".into()] }
    }
}

/// Asserts that JPush was asked for the good login, each time.
fn asked_for_the_good_login(guarded: &Guarded) {
    were_for_the_good_login(&guarded.verifier);
}

/// The same of a server's verifier, once.
fn asked_for_the_good_login_once(verifier: &Verifier) {
    assert_eq!(verifier.calls(), 1);
    were_for_the_good_login(verifier);
}

fn were_for_the_good_login(verifier: &Verifier) {
    for check in verifier.asked() {
        let Question::Number { token, phone, .. } = check.question() else { panic!("{check:?}") };
        assert_eq!((token.expose(), phone.as_str()), (TOKEN, PHONE));
    }
}

fn by_numbers() -> Ask {
    number().token(Field::body("/1")).phone(Field::body("/2")).into()
}

fn rule() -> Rule {
    Rule::post(LOGIN, by_numbers()).accept([Media::Grpc])
}

/// The rule under test, unless said.
fn guarded() -> Guarded {
    Guarded::by([rule()])
}

/// One frame, not compressed.
fn frame(message: &[u8]) -> Vec<u8> {
    flagged(0, message)
}

fn flagged(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag], u32::try_from(message.len()).unwrap().to_be_bytes().as_slice(), message].concat()
}

fn good() -> Vec<u8> {
    frame(&LoginRequest::good().encode_to_vec())
}

/// A call as a gRPC client sends it.
fn call(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    call_with(&[], Full::new(body.into()))
}

fn call_with<B>(headers: &[(&'static str, &str)], body: B) -> Request<B> {
    let mut request = Request::post(LOGIN).version(Version::HTTP_2).body(body).unwrap();
    request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    request.headers_mut().insert("te", "trailers".parse().unwrap());
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

/// What a tonic client gets.
pub(crate) async fn unary(address: SocketAddr, path: &str, login: LoginRequest) -> Result<String, Status> {
    let mut client = Grpc::new(connect(address).await);
    client.ready().await.unwrap();
    let codec = ProstCodec::<LoginRequest, Welcome>::default();
    let answer = client.unary(tonic::Request::new(login), path.parse().unwrap(), codec).await;
    answer.map(|welcome| welcome.into_inner().text)
}

async fn connect(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// A gRPC denial with this code, nothing asked, and the application not run.
async fn refuses<B>(guarded: &Guarded, request: Request<B>, code: &str, what: &str)
where
    B: Body<Data = Bytes> + Send + 'static,
{
    let before = (guarded.verifier.calls(), guarded.application.runs());
    let response = guarded.send(request).await;
    assert_eq!(refused_as(&response, what), code, "{what}");
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), before, "asked or let through: {what}");
}

/// The code of a denial in gRPC's form.
fn refused_as(response: &Response<Bytes>, what: &str) -> &'static str {
    assert_eq!(response.status(), 200, "{what}");
    let status = grpc_status(response.headers());
    assert_ne!(status, Some(0), "{what}");
    let denial = denial(response);
    assert_eq!(status, Some(denial.grpc_code()), "{what}");
    denial.code()
}

fn grpc_status(headers: &HeaderMap) -> Option<u8> {
    headers.get("grpc-status")?.to_str().unwrap().parse().ok()
}
