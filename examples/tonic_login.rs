//! A gRPC service that verifies its logins. The proof is in the message.
//!
//! ```sh
//! cargo run --features grpc,tonic,sandbox --example tonic_login -- --sandbox
//! cargo run --example tonic_client
//! ```
//!
//! The messages and the service are written by hand and minimal, so the example needs no `protoc`:
//!
//! ```proto
//! package accounts;
//! service Accounts {
//!   rpc Login(LoginRequest) returns (Welcome);  // guarded
//!   rpc About(Nothing) returns (Welcome);       // for everybody
//! }
//! message LoginRequest { string token = 1; string phone = 2; }
//! message Nothing {}
//! message Welcome { string text = 1; }
//! ```

use std::{convert::Infallible, error::Error, net::SocketAddr};

use prost::Message;
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::CompressionEncoding,
    codegen::{BoxFuture, Context, Poll, Service, http},
    server::{Grpc, NamedService},
    transport::{Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;
use tower_jverify::{Decision, Field, JVerifyLayer, Media, Rule, number};

mod common;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    common::log();
    let settings = common::Settings::read();

    // Fields by their protobuf numbers. The setting `descriptors` allows names.
    let login = number().token(Field::body("/1")).phone(Field::body("/2"));
    let layer = JVerifyLayer::builder(settings.verifier())
        .rule(Rule::post("/accounts.Accounts/Login", login).accept([Media::Grpc]))
        .build()?;

    let incoming = TcpIncoming::bind(settings.listen)?.with_nodelay(Some(true));
    print_what_to_try(&settings, incoming.local_addr()?);
    Server::builder().layer(layer).add_service(Accounts).serve_with_incoming(incoming).await?;
    Ok(())
}

#[derive(Clone, PartialEq, prost::Message)]
struct LoginRequest {
    #[prost(string, tag = "1")]
    token: String,
    #[prost(string, tag = "2")]
    phone: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Nothing {}

#[derive(Clone, PartialEq, prost::Message)]
struct Welcome {
    #[prost(string, tag = "1")]
    text: String,
}

#[derive(Clone)]
struct Accounts;

impl Accounts {
    /// Runs for verified requests only. The decision is an extension of the request.
    fn login(request: &Request<LoginRequest>) -> Result<Response<Welcome>, Status> {
        let decision = request.extensions().get::<Decision>().filter(|decision| decision.is_verified());
        let decision = decision.ok_or_else(|| Status::internal("the layer is not mounted"))?;
        let text = common::learnt(decision.phone(), request.metadata().as_ref());
        Ok(Response::new(Welcome { text }))
    }

    fn about(request: &Request<Nothing>) -> Response<Welcome> {
        Response::new(Welcome { text: common::learnt(None, request.metadata().as_ref()) })
    }
}

impl NamedService for Accounts {
    const NAME: &'static str = "accounts.Accounts";
}

/// The code that `tonic-build` would generate.
impl Service<http::Request<Body>> for Accounts {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/accounts.Accounts/Login" => {
                    let login = tower::service_fn(|request| async move { Accounts::login(&request) });
                    let grpc = Grpc::new(ProstCodec::<Welcome, LoginRequest>::default());
                    grpc.accept_compressed(CompressionEncoding::Gzip).unary(login, request).await
                }
                "/accounts.Accounts/About" => {
                    let about = tower::service_fn(|request| async move { Ok(Accounts::about(&request)) });
                    Grpc::new(ProstCodec::<Welcome, Nothing>::default()).unary(about, request).await
                }
                _ => Status::unimplemented("no such rpc").into_http(),
            })
        })
    }
}

/// The message as curl sends it: a frame, byte by byte.
fn print_what_to_try(settings: &common::Settings, address: SocketAddr) {
    println!("Listening on http://{address}.");
    if let common::Vendor::Sandbox = settings.vendor {
        println!("Verified by the sandbox. Try:");
        for (what, rpc, token, phone, answer) in TRIES {
            let message = LoginRequest { token: token.into(), phone: phone.into() }.encode_to_vec();
            println!(
                "\n# {what}\n\
                 printf '{}' | curl -si --http2-prior-knowledge -H 'content-type: application/grpc' --data-binary @- \
                 http://{address}/accounts.Accounts/{rpc} | grep -aoE 'grpc-status: [0-9]+|\\{{.*\\}}'\n{answer}",
                escaped(&frame(&message)),
            );
        }
    }
    println!("{}", common::LAST_LINE);
}

/// A frame: the flag 0 (not compressed), the length, the message.
fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a login is small");
    [&[0], length.to_be_bytes().as_slice(), message].concat()
}

/// Escapes the bytes for `printf`.
fn escaped(bytes: &[u8]) -> String {
    let escaped = bytes.iter().map(|&byte| match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
        _ => format!("\\{byte:03o}"),
    });
    escaped.collect()
}

/// What to try: the rpc, the token, the phone, and the part of the answer that is compared.
const TRIES: [(&str, &str, &str, &str, &str); 4] = [
    (
        "The carrier vouches for the phone",
        "Login",
        "sandbox-9000",
        "13800000000",
        concat!(
            r#"{"phone":"138****0000","x-jverify-checks":"number","x-jverify-decision":"allow","x-jverify-reason":"verified","x-jverify-risk-level":"low","x-jverify-risk-score":"0","x-jverify-sandbox":"1"}"#,
            "\ngrpc-status: 0"
        ),
    ),
    ("The token is another phone's", "Login", "sandbox-9001", "13800000000", "grpc-status: 7"),
    ("No proof: JPush is not asked", "Login", "", "", "grpc-status: 3"),
    ("Not guarded", "About", "", "", "{\"phone\":\"not proven\"}\ngrpc-status: 0"),
];
