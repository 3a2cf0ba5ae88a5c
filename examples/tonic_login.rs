//! A gRPC service whose login proves itself; the proof travels in metadata.
//!
//! ```sh
//! cargo run --features tonic,sandbox --example tonic_login -- --sandbox
//! ```
//!
//! The messages and the service are written by hand, as small as can be, so that no `protoc` is needed:
//!
//! ```proto
//! package accounts;
//! service Accounts {
//!   rpc Login(Nothing) returns (Welcome);  // guarded: x-token and x-phone in the metadata
//!   rpc About(Nothing) returns (Welcome);  // for everybody
//! }
//! message Nothing {}
//! message Welcome { string text = 1; }
//! ```

use std::{convert::Infallible, error::Error, net::SocketAddr};

use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{BoxFuture, Context, Poll, Service, http},
    server::{Grpc, NamedService},
    transport::{Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;
use tower_jverify::{Decision, Field, JVerifyLayer, Rule, number};

mod common;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    common::log();
    let settings = common::Settings::read();

    let login = number().token(Field::header("x-token")).phone(Field::header("x-phone"));
    let layer =
        JVerifyLayer::builder(settings.verifier()).rule(Rule::post("/accounts.Accounts/Login", login)).build()?;

    let incoming = TcpIncoming::bind(settings.listen)?.with_nodelay(Some(true));
    print_what_to_try(&settings, incoming.local_addr()?);
    Server::builder().layer(layer).add_service(Accounts).serve_with_incoming(incoming).await?;
    Ok(())
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
    fn login(request: &Request<Nothing>) -> Result<Response<Welcome>, Status> {
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

/// What `tonic-build` would write.
impl Service<http::Request<Body>> for Accounts {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut grpc = Grpc::new(ProstCodec::<Welcome, Nothing>::default());
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/accounts.Accounts/Login" => {
                    let login = tower::service_fn(|request| async move { Accounts::login(&request) });
                    grpc.unary(login, request).await
                }
                "/accounts.Accounts/About" => {
                    let about = tower::service_fn(|request| async move { Ok(Accounts::about(&request)) });
                    grpc.unary(about, request).await
                }
                _ => Status::unimplemented("no such rpc").into_http(),
            })
        })
    }
}

fn print_what_to_try(settings: &common::Settings, address: SocketAddr) {
    println!("Listening on http://{address}.");
    if let common::Vendor::Sandbox = settings.vendor {
        println!("Verified by the sandbox. Try:");
        for (what, rpc, metadata, answer) in TRIES {
            // A gRPC message of no fields is five zero bytes. A refusal comes before it, which some curls take for an error.
            let message = answer.ends_with("grpc-status: 0");
            let (before, data) =
                if message { (r"printf '\0\0\0\0\0' | ", "--data-binary @-") } else { ("", "-X POST") };
            println!(
                "\n# {what}\n\
                 {before}curl -si --http2-prior-knowledge -H 'content-type: application/grpc' {metadata}{data} \
                 http://{address}/accounts.Accounts/{rpc} | grep -aoE 'grpc-status: [0-9]+|\\{{.*\\}}'\n{answer}"
            );
        }
    }
    println!("{}", common::LAST_LINE);
}

/// What to try: rpc, metadata, and what counts of the answer.
const TRIES: [(&str, &str, &str, &str); 4] = [
    (
        "The carrier vouches for the phone",
        "Login",
        "-H 'x-token: sandbox-9000' -H 'x-phone: 13800000000' ",
        concat!(
            r#"{"phone":"138****0000","x-jverify-checks":"number","x-jverify-decision":"allow","x-jverify-reason":"verified","x-jverify-risk-level":"low","x-jverify-risk-score":"0","x-jverify-sandbox":"1"}"#,
            "\ngrpc-status: 0"
        ),
    ),
    (
        "The token is another phone's",
        "Login",
        "-H 'x-token: sandbox-9001' -H 'x-phone: 13800000000' ",
        "grpc-status: 7",
    ),
    ("No proof: JPush is not asked", "Login", "", "grpc-status: 3"),
    ("Not guarded", "About", "", "{\"phone\":\"not proven\"}\ngrpc-status: 0"),
];
