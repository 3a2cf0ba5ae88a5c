//! A real client and a real server of tonic, and the layer between them.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    client,
    codec::CompressionEncoding,
    codegen::{BoxFuture, Context, Poll, Service, http},
    server::{Grpc, NamedService},
    transport::{Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;
use tower_jverify::{Class, Decision, Rule};

use super::{LOGIN, LoginRequest, PHONE, Welcome, by_numbers, connect, rule, unary};
use crate::support::{Verifier, builder};

pub(super) const DEVICES: &str = "/accounts.Accounts/Devices";

type Codec = ProstCodec<Welcome, LoginRequest>;

/// Remembers the logins that reached it.
#[derive(Clone, Default)]
pub(super) struct Accounts(pub(super) Arc<Mutex<Vec<LoginRequest>>>);

impl NamedService for Accounts {
    const NAME: &'static str = "accounts.Accounts";
}

impl Service<http::Request<Body>> for Accounts {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let logins = Arc::clone(&self.0);
        let mut grpc = Grpc::new(Codec::default())
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd);
        Box::pin(async move {
            Ok(match request.uri().path() {
                LOGIN => {
                    let login = move |request: Request<LoginRequest>| {
                        let phone = phone(&request);
                        logins.lock().unwrap().push(request.into_inner());
                        std::future::ready(Ok::<_, Status>(Response::new(Welcome { text: phone })))
                    };
                    grpc.unary(tower::service_fn(login), request).await
                }
                DEVICES => {
                    let devices = move |request: Request<Streaming<LoginRequest>>| {
                        let logins = Arc::clone(&logins);
                        async move {
                            let mut text = phone(&request);
                            let mut stream = request.into_inner();
                            while let Some(login) = stream.message().await? {
                                text = format!("{text} {}", login.devices.join(","));
                                logins.lock().unwrap().push(login);
                            }
                            Ok::<_, Status>(Response::new(Welcome { text }))
                        }
                    };
                    grpc.client_streaming(tower::service_fn(devices), request).await
                }
                _ => Status::unimplemented("no such rpc").into_http(),
            })
        })
    }
}

/// What the application takes the caller for.
fn phone<T>(request: &Request<T>) -> String {
    let decided = request.extensions().get::<Decision>().and_then(Decision::phone);
    decided.map_or_else(|| "not proven".into(), |phone| phone.as_str().to_owned())
}

/// A tonic server under the layer.
fn serve(verifier: &Verifier) -> (SocketAddr, Accounts) {
    let accounts = Accounts::default();
    let streaming = Rule::post(DEVICES, by_numbers()).accept([tower_jverify::Media::Grpc]).client_streaming(true);
    let layer = builder(verifier).rule(rule()).rule(streaming).build().unwrap();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    tokio::spawn(Server::builder().layer(layer).add_service(accounts.clone()).serve_with_incoming(incoming));
    (address, accounts)
}

#[tokio::test]
async fn a_call_of_tonic_is_verified_and_reaches_tonic() {
    let verifier = Verifier::passing();
    let (address, accounts) = serve(&verifier);
    assert_eq!(unary(address, LOGIN, LoginRequest::good()).await.unwrap(), PHONE);
    assert_eq!(*accounts.0.lock().unwrap(), [LoginRequest::good()]);
    assert_eq!(verifier.calls(), 1);
}

#[tokio::test]
async fn compressed_calls_are_read_and_decompressed_by_the_application_alone() {
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let verifier = Verifier::passing();
        let (address, accounts) = serve(&verifier);
        let mut client = client::Grpc::new(connect(address).await).send_compressed(encoding);
        client.ready().await.unwrap();
        let many = LoginRequest { devices: vec!["the same again".into(); 100], ..LoginRequest::good() };
        let codec = ProstCodec::<LoginRequest, Welcome>::default();
        let answer = client.unary(Request::new(many.clone()), LOGIN.parse().unwrap(), codec).await;
        assert_eq!(answer.unwrap().into_inner().text, PHONE);
        assert_eq!(*accounts.0.lock().unwrap(), [many]);
        assert_eq!(verifier.calls(), 1);
    }
}

#[tokio::test]
async fn a_denial_is_a_status_of_tonics() {
    for (class, code, word) in [
        (Class::Rejected, tonic::Code::PermissionDenied, "verification_failed"),
        (Class::Stale, tonic::Code::PermissionDenied, "proof_expired"),
        (Class::Throttled, tonic::Code::ResourceExhausted, "throttled"),
        (Class::Unavailable, tonic::Code::Unavailable, "verification_unavailable"),
    ] {
        let (address, accounts) = serve(&Verifier::of_class(class));
        let status = unary(address, LOGIN, LoginRequest::good()).await.unwrap_err();
        assert_eq!(status.code(), code, "{class}");
        assert!(status.message().starts_with(word), "{status:?}");
        assert!(accounts.0.lock().unwrap().is_empty());
    }
    let verifier = Verifier::passing();
    let (address, _) = serve(&verifier);
    let status = unary(address, LOGIN, LoginRequest::default()).await.unwrap_err();
    assert_eq!((status.code(), verifier.calls()), (tonic::Code::InvalidArgument, 0));
}

/// CASES 43 and 40 over a real connection.
#[tokio::test]
async fn a_stream_of_tonic_is_decided_by_its_first_message() {
    let verifier = Verifier::passing();
    let (address, accounts) = serve(&verifier);
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let login = |device: &str| LoginRequest { devices: vec![device.into()], ..LoginRequest::good() };
    let messages = futures_util::stream::unfold(receiver, |mut receiver: tokio::sync::mpsc::Receiver<_>| async {
        Some((receiver.recv().await?, receiver))
    });
    let mut client = client::Grpc::new(connect(address).await);
    client.ready().await.unwrap();
    let call = tokio::spawn(async move {
        let codec = ProstCodec::<LoginRequest, Welcome>::default();
        client.client_streaming(Request::new(messages), DEVICES.parse().unwrap(), codec).await
    });
    sender.send(login("one")).await.unwrap();
    // The stream is open, and its first message is at the application.
    while accounts.0.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(verifier.calls(), 1);
    let other = LoginRequest { phone: "13900000000".into(), ..login("two") };
    sender.send(other.clone()).await.unwrap();
    drop(sender);
    let answer = call.await.unwrap().unwrap().into_inner();
    assert_eq!(answer.text, format!("{PHONE} one two"));
    assert_eq!(*accounts.0.lock().unwrap(), [login("one"), other]);
    assert_eq!(verifier.calls(), 1);
}

#[tokio::test]
async fn a_client_in_a_hurry_learns_that_it_was() {
    let verifier = Verifier::passing();
    let (address, accounts) = serve(&verifier);
    let mut client = client::Grpc::new(connect(address).await);
    client.ready().await.unwrap();
    let mut request = Request::new(LoginRequest::good());
    // `Request::set_timeout` would let tonic's own client answer.
    request.metadata_mut().insert("grpc-timeout", "900m".parse().unwrap());
    let codec = ProstCodec::<LoginRequest, Welcome>::default();
    let status = client.unary(request, LOGIN.parse().unwrap(), codec).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
    assert!(status.message().starts_with("verification_unavailable"), "{status:?}");
    assert_eq!((verifier.calls(), accounts.0.lock().unwrap().len()), (0, 0));
}
