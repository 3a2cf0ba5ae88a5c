//! A tonic server as applications run it: health and reflection next to the guarded service, for gRPC and gRPC-Web.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, Version, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use prost::Message;
use tonic::{
    Code,
    client::Grpc,
    transport::{Channel, Server, server::TcpIncoming},
};
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_client::HealthClient},
};
use tonic_prost::ProstCodec;
use tonic_reflection::{
    pb::v1::{
        ServerReflectionRequest, ServerReflectionResponse, server_reflection_request::MessageRequest,
        server_reflection_response::MessageResponse,
    },
    server::Builder,
};
use tonic_web::GrpcWebLayer;
use tower_jverify::{Class, Field, Question, Rule, Verdict, number};

use super::tonic::{Accounts, LOGIN, Note};
use crate::support::{Verifier, builder};

const HEALTH: &str = "/grpc.health.v1.Health/Check";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/// Passes the phone `13812345678` alone.
fn verifier() -> Verifier {
    Verifier::answering(|check| {
        let is_right = matches!(check.question(), Question::Number { phone, .. } if phone.as_str() == "13812345678");
        Some(Verdict::new(check.kind(), if is_right { Class::Passed } else { Class::Rejected }))
    })
}

/// Serves logins behind the layer, next to health and reflection, for gRPC and gRPC-Web.
async fn serve(verifier: &Verifier) -> SocketAddr {
    let proof = number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    let rule = Rule::post(LOGIN, proof).grpc_answers(true);
    let layer = builder(verifier).rule(rule).build().unwrap();
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("accounts.Accounts", ServingStatus::Serving).await;
    let reflection =
        Builder::configure().register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET).build_v1();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let server = Server::builder()
        .accept_http1(true)
        .layer(GrpcWebLayer::new())
        .layer(layer)
        .add_service(health)
        .add_service(reflection.unwrap())
        .add_service(Accounts);
    tokio::spawn(server.serve_with_incoming(incoming));
    address
}

async fn connect(server: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{server}")).unwrap().connect().await.unwrap()
}

/// A gRPC-Web call from a browser, with forged words of the layer. Returns HTTP's status, the headers and the body.
async fn web(server: SocketAddr, version: Version, path: &str, phone: Option<&str>, message: &[u8]) -> Response<Bytes> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let frame = [&[0], &length[..], message].concat();
    let mut request = Request::post(format!("http://{server}{path}"))
        .header("content-type", "application/grpc-web+proto")
        .header("x-grpc-web", "1")
        .header("x-jverify-decision", "allow");
    if let Some(phone) = phone {
        request = request.header("x-token", "t").header("x-phone", phone);
    }
    let client = Client::builder(TokioExecutor::new()).http2_only(version == Version::HTTP_2).build_http();
    let request = request.body(Full::<Bytes>::from(frame)).unwrap();
    let (parts, body) = client.request(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn health_is_not_guarded_and_works() {
    let verifier = verifier();
    let server = serve(&verifier).await;
    let request = HealthCheckRequest { service: "accounts.Accounts".to_owned() };
    let answer = HealthClient::new(connect(server).await).check(request.clone()).await.unwrap();
    assert_eq!(answer.into_inner().status, 1, "serving");
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let answer = web(server, version, HEALTH, None, &request.encode_to_vec()).await;
        // One field, 1, with the value 1: serving.
        assert!(answer.status() == 200 && answer.body().starts_with(&[0, 0, 0, 0, 2, 8, 1]), "{answer:?}");
    }
    let unknown = HealthCheckRequest { service: "other".to_owned() };
    let status = HealthClient::new(connect(server).await).check(unknown).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "the service's own answer");
    assert_eq!(verifier.calls(), 0);
}

#[tokio::test]
async fn reflection_is_not_guarded_and_streams() {
    let verifier = verifier();
    let server = serve(&verifier).await;
    let mut client = Grpc::new(connect(server).await);
    client.ready().await.unwrap();
    let asks =
        [MessageRequest::ListServices(String::new()), MessageRequest::FileContainingSymbol("no.such".to_owned())];
    let asks = asks.map(|ask| ServerReflectionRequest { host: String::new(), message_request: Some(ask) });
    let codec = ProstCodec::<ServerReflectionRequest, ServerReflectionResponse>::default();
    let request = tonic::Request::new(futures_util::stream::iter(asks));
    let mut answers =
        client.streaming(request, PathAndQuery::from_static(REFLECTION), codec).await.unwrap().into_inner();
    let first = answers.message().await.unwrap().and_then(|answer| answer.message_response);
    let Some(MessageResponse::ListServicesResponse(list)) = first else { panic!("{first:?}") };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert!(names.contains(&"grpc.health.v1.Health"), "{names:?}");
    assert_eq!(verifier.calls(), 0);
}

#[tokio::test]
async fn a_login_over_grpc_passes_and_another_is_denied() {
    let verifier = verifier();
    let server = serve(&verifier).await;
    let login = async |phone: &str| {
        let mut client = Grpc::new(connect(server).await);
        client.ready().await.unwrap();
        let mut request = tonic::Request::new(Note { text: "hello".to_owned() });
        for (name, value) in [("x-token", "t"), ("x-phone", phone), ("x-jverify-decision", "allow")] {
            request.metadata_mut().insert(name, value.parse().unwrap());
        }
        let codec = ProstCodec::<Note, Note>::default();
        client.unary(request, PathAndQuery::from_static(LOGIN), codec).await.map(|answer| answer.into_inner().text)
    };
    assert_eq!(login("13812345678").await.unwrap(), "hello Some(138****5678) Some(\"allow\")");
    let status = login("13900000000").await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().starts_with("verification_failed"), "{status:?}");
    assert_eq!(verifier.calls(), 2);
}

#[tokio::test]
async fn a_login_over_grpc_web_passes_and_another_is_denied() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let verifier = verifier();
        let server = serve(&verifier).await;
        let message = Note { text: "hello".to_owned() }.encode_to_vec();
        let answer = web(server, version, LOGIN, Some("13812345678"), &message).await;
        let body = String::from_utf8_lossy(answer.body());
        assert!(body.contains("hello Some(138****5678) Some(\"allow\")"), "{version:?}: {answer:?}");
        assert!(body.contains("grpc-status:0"), "{version:?}: {answer:?}");
        let answer = web(server, version, LOGIN, Some("13900000000"), &message).await;
        assert_eq!((answer.status().as_u16(), &answer.headers()["grpc-status"]), (200, &"7".parse().unwrap()));
        let missing = web(server, version, LOGIN, None, &message).await;
        assert_eq!(missing.headers()["grpc-status"], "3", "{version:?}: {missing:?}");
        assert_eq!(verifier.calls(), 2, "{version:?}");
    }
}
