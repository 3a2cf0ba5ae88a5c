//! gRPC-Web over real sockets: a tonic server, with tonic-web's `GrpcWebLayer` outside of the layer.

use std::net::SocketAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use prost::Message;
use tonic::transport::{Server, server::TcpIncoming};
use tonic_web::GrpcWebLayer;
use tower_jverify::{Class, Field, Rule, number};

use super::{LOGIN, LoginRequest, PHONE, TOKEN, Welcome, calls::Accounts, frame, good, grpc_status, rule};
use crate::support::{Verifier, builder, exchange};

const TEXT: &str = "application/grpc-web-text+proto";
const MEDIA: [&str; 4] = [
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
];
const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// A tonic server whose calls are translated before they reach the layer.
fn serve(verifier: &Verifier, rule: Rule) -> (SocketAddr, Accounts) {
    let accounts = Accounts::default();
    let layer = builder(verifier).rule(rule).build().unwrap();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let mut server = Server::builder().accept_http1(true).layer(GrpcWebLayer::new()).layer(layer);
    tokio::spawn(server.add_service(accounts.clone()).serve_with_incoming(incoming));
    (address, accounts)
}

fn is_text(media: &str) -> bool {
    media.contains("-text")
}

/// A call as a grpc-web client in a browser sends it.
fn web(address: SocketAddr, media: &str, frames: &[u8]) -> Request<Full<Bytes>> {
    let body = if is_text(media) { STANDARD.encode(frames).into_bytes() } else { frames.to_vec() };
    Request::post(format!("http://{address}{LOGIN}"))
        .header("content-type", media)
        .header("accept", media)
        .header("x-grpc-web", "1")
        .header("x-user-agent", "grpc-web-javascript/0.1")
        .body(Full::from(body))
        .unwrap()
}

async fn send(version: Version, request: Request<Full<Bytes>>) -> Response<Bytes> {
    let is_http2 = version == Version::HTTP_2;
    let client: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).http2_only(is_http2).build_http();
    let response = client.request(request).await.unwrap();
    assert_eq!(response.version(), version);
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes);
    // `GrpcWebLayer` encodes a problem document in base64 and leaves the length of what it encoded.
    let body = if parts.status == 200 { body.unwrap() } else { body.unwrap_or_default() };
    Response::from_parts(parts, body)
}

/// The message and the trailers of an answer.
fn answered(media: &str, response: &Response<Bytes>) -> (String, String) {
    assert_eq!(response.status(), 200, "{response:?}");
    let body = response.body();
    let frames = if is_text(media) {
        // Each HTTP frame is encoded separately, with padding.
        let text = std::str::from_utf8(body).unwrap();
        text.as_bytes().chunks(4).flat_map(|four| STANDARD.decode(four).unwrap()).collect()
    } else {
        body.to_vec()
    };
    let (head, rest) = frames.split_at(5);
    assert_eq!(head[0], 0);
    let length = usize::try_from(u32::from_be_bytes(head[1..].try_into().unwrap())).unwrap();
    let (message, trailers) = rest.split_at(length);
    assert_eq!(trailers[0], 0x80);
    (Welcome::decode(message).unwrap().text, String::from_utf8_lossy(&trailers[5..]).into_owned())
}

#[tokio::test]
async fn a_grpc_web_call_with_a_good_proof_reaches_tonic_over_both_http_versions() {
    for media in MEDIA {
        for version in VERSIONS {
            for rule in [rule(), rule().grpc_answers(true)] {
                let verifier = Verifier::passing();
                let (address, accounts) = serve(&verifier, rule);
                let response = send(version, web(address, media, &good())).await;
                let (text, trailers) = answered(media, &response);
                assert_eq!(text, PHONE, "{media} {version:?}");
                assert!(trailers.contains("grpc-status:0"), "{media} {version:?}: {trailers}");
                assert_eq!(*accounts.0.lock().unwrap(), [LoginRequest::good()]);
                super::asked_for_the_good_login_once(&verifier);
            }
        }
    }
}

#[tokio::test]
async fn a_refused_grpc_web_call_is_a_grpc_status_where_it_is_set_and_over_http2() {
    for media in MEDIA {
        for version in VERSIONS {
            for (rule, is_set) in
                [(rule(), None), (rule().grpc_answers(true), Some(true)), (rule().grpc_answers(false), Some(false))]
            {
                let verifier = Verifier::of_class(Class::Rejected);
                let (address, accounts) = serve(&verifier, rule);
                let response = send(version, web(address, media, &good())).await;
                let what = format!("{media} {version:?} {is_set:?}: {response:?}");
                let answer = (response.status().as_u16(), grpc_status(response.headers()));
                let is_grpc = is_set.unwrap_or(version == Version::HTTP_2);
                assert_eq!(answer, if is_grpc { (200, Some(7)) } else { (403, None) }, "{what}");
                let media = response.headers()["content-type"].to_str().unwrap();
                assert!(media.starts_with("application/grpc-web"), "{what}");
                if is_grpc {
                    let message = response.headers()["grpc-message"].to_str().unwrap();
                    assert!(message.starts_with("verification_failed"), "{what}");
                }
                assert_eq!((verifier.calls(), accounts.0.lock().unwrap().len()), (1, 0), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_grpc_web_call_is_held_to_all_that_a_call_is_held_to() {
    let message = LoginRequest::good().encode_to_vec();
    let trailers = [&[0x80, 0, 0, 0, 3][..], b"a:b"].concat();
    for media in [MEDIA[1], TEXT] {
        for version in VERSIONS {
            let verifier = Verifier::passing();
            let (address, accounts) = serve(&verifier, rule().grpc_answers(true));
            let with = |frames: Vec<u8>| web(address, media, &frames);
            let headed = |name: &'static str, value: &'static str| {
                let mut request = with(good());
                request.headers_mut().append(name, value.parse().unwrap());
                request
            };
            for (request, what) in [
                (with(Vec::new()), "no frame"),
                (with(message.clone()), "a message without its frame"),
                (with([good(), good()].concat()), "two messages"),
                (with([good(), trailers.clone()].concat()), "trailers in a frame behind the message"),
                (with([trailers.clone(), good()].concat()), "trailers in a frame before the message"),
                (with(frame(&[&message[..], &message[..]].concat())), "a field twice"),
                (with(br#"{"token":"t","phone":"13812345678"}"#.to_vec()), "JSON"),
                (headed("content-encoding", "gzip"), "a coding around the frames"),
                (headed("grpc-timeout", "soon"), "an invalid deadline"),
                (headed("content_type", "application/json"), "an alias of the type"),
            ] {
                let response = send(version, request).await;
                let status = grpc_status(response.headers());
                assert!(status.is_some_and(|status| status != 0), "{media} {version:?}, {what}: {response:?}");
                assert_eq!((verifier.calls(), accounts.0.lock().unwrap().len()), (0, 0), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn without_the_translation_a_grpc_web_body_is_415_and_a_call_over_http1_is_still_checked() {
    let verifier = Verifier::of_class(Class::Rejected);
    let accounts = Accounts::default();
    let layer = builder(&verifier).rule(rule()).build().unwrap();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let server = Server::builder().accept_http1(true).layer(layer).add_service(accounts.clone());
    tokio::spawn(server.serve_with_incoming(incoming));
    for version in VERSIONS {
        for media in MEDIA {
            let response = send(version, web(address, media, &good())).await;
            assert_eq!(response.status(), 415, "{media} {version:?}");
        }
    }
    assert_eq!(verifier.calls(), 0);
    // What nginx's `auth_request` would take for a yes is not sent.
    let response = send(Version::HTTP_11, web(address, "application/grpc", &good())).await;
    assert_eq!((response.status().as_u16(), verifier.calls()), (403, 1));
    assert!(accounts.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_grpc_web_proof_in_headers_is_read_under_the_translation() {
    let proof = || number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    let verifier = Verifier::passing();
    let (address, accounts) = serve(&verifier, Rule::post(LOGIN, proof()).grpc_answers(true));
    for version in VERSIONS {
        let mut request = web(address, TEXT, &good());
        request.headers_mut().insert("x-token", TOKEN.parse().unwrap());
        request.headers_mut().insert("x-phone", PHONE.parse().unwrap());
        assert_eq!(answered(TEXT, &send(version, request).await).0, PHONE);
        let mut aliased = web(address, TEXT, &good());
        aliased.headers_mut().insert("x-token", TOKEN.parse().unwrap());
        aliased.headers_mut().insert("x-phone", PHONE.parse().unwrap());
        aliased.headers_mut().insert("x_phone", "13900000000".parse().unwrap());
        for refused in [aliased, web(address, TEXT, &good())] {
            let refused = send(version, refused).await;
            assert_eq!((refused.status().as_u16(), grpc_status(refused.headers())), (200, Some(3)));
        }
    }
    assert_eq!((verifier.calls(), accounts.0.lock().unwrap().len()), (2, 2));
}

#[tokio::test]
async fn a_grpc_web_body_in_chunks_with_headers_for_one_connection_is_read_as_it_reaches_tonic() {
    let verifier = Verifier::passing();
    let (address, accounts) = serve(&verifier, rule().grpc_answers(true));
    let text = STANDARD.encode(good());
    let (first, second) = text.split_at(7);
    let body = format!("{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
    let head = format!(
        "POST {LOGIN} HTTP/1.1\r\nHost: a.example\r\nContent-Type: {TEXT}\r\nTransfer-Encoding: chunked\r\nTE: gzip\r\n\
         Connection: close, te\r\nUser-Agent: Mozilla/5.0\r\n\r\n"
    );
    let answer = exchange(address, head + &body).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(*accounts.0.lock().unwrap(), [LoginRequest::good()]);
    super::asked_for_the_good_login_once(&verifier);
}
