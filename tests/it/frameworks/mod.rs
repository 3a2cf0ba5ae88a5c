//! The layer in axum, hyper, tonic and tower-http, over real sockets.

mod axum;
mod globs;
mod hyper;
mod incoming;
mod sessions;
mod tonic;
mod tonic_services;
mod tower_http;

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower_jverify::Check;

use crate::support::Verifier;

/// Sends one request to a server, by HTTP/1.1 or, with prior knowledge, HTTP/2.
async fn ask(server: SocketAddr, version: Version, path: &str, body: &str) -> Response<Bytes> {
    let client = Client::builder(TokioExecutor::new()).http2_only(version == Version::HTTP_2).build_http();
    let request = Request::post(format!("http://{server}{path}"))
        .version(version)
        .header("content-type", "application/json")
        .header("x-jverify-decision", "allow")
        .body(Full::<Bytes>::from(body.to_owned()))
        .unwrap();
    let (parts, body) = client.request(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

/// The client addresses that JPush received.
fn ips(verifier: &Verifier) -> Vec<Option<IpAddr>> {
    verifier.asked().iter().map(Check::ip).collect()
}
