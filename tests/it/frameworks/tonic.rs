//! tonic: the proof in metadata, denials as statuses, the peer.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::net::TcpListener;
use tonic::{
    Code, Request, Response, Status,
    body::Body,
    client::Grpc,
    codegen::http::{self, uri::PathAndQuery},
    server::{Grpc as Server, NamedService, UnaryService},
    transport::{
        Channel,
        server::{TcpConnectInfo, TcpIncoming},
    },
};
use tonic_prost::ProstCodec;
use tower::Service;
use tower_jverify::{Class, ClientIp, Decision, Field, JVerifyLayer, Rule, number};

use super::ips;
use crate::support::{Verifier, builder};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Note {
    #[prost(string, tag = "1")]
    pub(super) text: String,
}

/// `/accounts.Accounts/Login` and whatever else is asked: says who was verified.
#[derive(Clone)]
pub(super) struct Accounts;

impl NamedService for Accounts {
    const NAME: &'static str = "accounts.Accounts";
}

struct Greet;

impl UnaryService<Note> for Greet {
    type Response = Note;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Note>, Status>> + Send>>;

    fn call(&mut self, request: Request<Note>) -> Self::Future {
        Box::pin(async move {
            let phone = request.extensions().get::<Decision>().and_then(Decision::phone);
            let decision = request.metadata().get("x-jverify-decision").map(|word| word.to_str().unwrap().to_owned());
            let text = format!("{} {phone:?} {decision:?}", request.get_ref().text);
            Ok(Response::new(Note { text }))
        })
    }
}

impl Service<http::Request<Body>> for Accounts {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move { Ok(Server::new(ProstCodec::<Note, Note>::default()).unary(Greet, request).await) })
    }
}

fn layer(verifier: &Verifier) -> JVerifyLayer<Verifier> {
    let proof = number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    builder(verifier)
        .rule(Rule::post("/accounts.Accounts/Login", proof))
        .client_ip(ClientIp::peer())
        .send_client_ip(true)
        .build()
        .unwrap()
}

async fn serve(layer: JVerifyLayer<Verifier>) -> SocketAddr {
    let (incoming, address) = listen().await;
    let server = tonic::transport::Server::builder().layer(layer).add_service(Accounts);
    tokio::spawn(server.serve_with_incoming(incoming));
    address
}

async fn listen() -> (TcpIncoming, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (TcpIncoming::from(listener), address)
}

async fn call(server: SocketAddr, method: &'static str, metadata: &[(&'static str, &str)]) -> Result<String, Status> {
    let channel = Channel::from_shared(format!("http://{server}")).unwrap().connect().await.unwrap();
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let mut request = Request::new(Note { text: "hello".to_owned() });
    request.metadata_mut().insert("x-jverify-decision", "allow".parse().unwrap());
    for (name, value) in metadata {
        request.metadata_mut().append(*name, value.parse().unwrap());
    }
    let path = PathAndQuery::from_static(method);
    let answer = client.unary(request, path, ProstCodec::<Note, Note>::default()).await?;
    Ok(answer.into_inner().text)
}

pub(super) const LOGIN: &str = "/accounts.Accounts/Login";
const PROOF: &[(&str, &str)] = &[("x-token", "t"), ("x-phone", "13812345678")];

#[tokio::test]
async fn a_call_that_proves_itself_in_metadata_reaches_the_service_as_it_was() {
    let verifier = Verifier::passing();
    let server = serve(layer(&verifier)).await;
    assert_eq!(call(server, LOGIN, PROOF).await.unwrap(), "hello Some(138****5678) Some(\"allow\")");
    assert_eq!(verifier.calls(), 1);
    // A method that no rule guards, and a forged header that the layer removes.
    assert_eq!(call(server, "/accounts.Accounts/Other", PROOF).await.unwrap(), "hello None None");
    assert_eq!(verifier.calls(), 1);
}

#[tokio::test]
async fn a_denial_is_a_status() {
    for (class, code, word) in [
        (Class::Rejected, Code::PermissionDenied, "verification_failed"),
        (Class::Stale, Code::PermissionDenied, "proof_expired"),
        (Class::Invalid, Code::InvalidArgument, "proof_malformed"),
        (Class::Throttled, Code::ResourceExhausted, "throttled"),
        (Class::Unavailable, Code::Unavailable, "verification_unavailable"),
        (Class::Account, Code::Unavailable, "verification_unavailable"),
    ] {
        let verifier = Verifier::of_class(class);
        let server = serve(layer(&verifier)).await;
        let status = call(server, LOGIN, PROOF).await.unwrap_err();
        assert_eq!(status.code(), code, "{class}: {status:?}");
        assert!(status.message().starts_with(word), "{class}: {status:?}");
        assert_eq!(verifier.calls(), 1, "{class}");
    }
}

#[tokio::test]
async fn a_proof_that_is_missing_or_doubled_is_an_invalid_argument() {
    let verifier = Verifier::passing();
    let server = serve(layer(&verifier)).await;
    for metadata in [
        &[][..],
        &[("x-token", "t")],
        &[("x-phone", "13812345678")],
        &[("x-token", "t"), ("x-phone", "1")],
        &[("x-token", "t"), ("x-phone", "13812345678"), ("x-phone", "13800000000")],
        &[("x-token", "t"), ("x-phone", "13812345678"), ("x_phone", "13800000000")],
    ] {
        let status = call(server, LOGIN, metadata).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{metadata:?}: {status:?}");
    }
    assert_eq!(verifier.calls(), 0);
}

/// The peer of a test is the loopback, which is never sent; so a layer in front plays a client from outside.
#[tokio::test]
async fn the_peer_is_tonics_connect_info() {
    let verifier = Verifier::passing();
    assert!(call(serve(layer(&verifier)).await, LOGIN, PROOF).await.is_ok());

    let from_outside = tower::util::MapRequestLayer::new(|mut request: http::Request<Body>| {
        let info = request.extensions_mut().get_mut::<TcpConnectInfo>().expect("tonic tells it");
        let peer = info.remote_addr.as_mut().expect("tonic knows it");
        assert!(peer.ip().is_loopback());
        peer.set_ip([8, 8, 8, 8].into());
        request
    });
    let (incoming, address) = listen().await;
    let server = tonic::transport::Server::builder().layer(from_outside).layer(layer(&verifier)).add_service(Accounts);
    tokio::spawn(server.serve_with_incoming(incoming));
    assert!(call(address, LOGIN, PROOF).await.is_ok());

    assert_eq!(ips(&verifier), [None, Some([8, 8, 8, 8].into())]);
}
