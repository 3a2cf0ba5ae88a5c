//! A client of `tonic_login`: logs in with the given token and phone, and prints the answer.
//!
//! ```sh
//! cargo run --example tonic_client                            # the sandbox's good token
//! cargo run --example tonic_client -- sandbox-9001            # another token
//! cargo run --example tonic_client -- sandbox-9000 13900000000 http://127.0.0.1:3000
//! ```

use std::{env, error::Error, time::Duration};

use tonic::{Request, client::Grpc, codegen::http::uri::PathAndQuery, transport::Endpoint};
use tonic_prost::ProstCodec;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let login = LoginRequest { token: argument("sandbox-9000"), phone: argument("13800000000") };
    let server = argument("http://127.0.0.1:3000");

    let mut client = Grpc::new(Endpoint::from_shared(server)?.connect().await?);
    client.ready().await?;
    let mut request = Request::new(login);
    // More than a second: a check does not start with less than that left.
    request.set_timeout(Duration::from_secs(5));
    let path = PathAndQuery::from_static("/accounts.Accounts/Login");
    match client.unary(request, path, ProstCodec::<LoginRequest, Welcome>::default()).await {
        Ok(welcome) => println!("{}", welcome.into_inner().text),
        Err(status) => println!("{:?}: {}", status.code(), status.message()),
    }
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
struct Welcome {
    #[prost(string, tag = "1")]
    text: String,
}
