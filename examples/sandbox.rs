//! A server with JPush's verification API, over plain HTTP, for applications that are not written in Rust.
//!
//! ```sh
//! LISTEN_ADDR=127.0.0.1:4000 cargo run --example sandbox --features sandbox
//! ```
//!
//! Configure the application under test to call `http://127.0.0.1:4000` instead of `https://api.verification.jpush.cn`, with any
//! application key and master secret. The proof in the request selects the answer; the documentation of `tower_jverify::sandbox`
//! lists all proofs. The example prints the private key that decrypts the phones of one-tap logins. It is a new key at each start.
//! The server listens on loopback only, because every client that reaches it passes every check. For containers of a test, the flag
//! `--danger-sandbox-beyond-loopback` allows other addresses; the application then needs
//! `JPushBuilder::danger_plain_http_to_private_hosts`.

use std::{error::Error, net::SocketAddr, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_jverify::Sandbox;

mod common;

const TRY: [(&str, &str); 7] = [
    ("/v2/web/verify", r#"{"token":"sandbox-9000","phone":"13800000000","exID":"try-1"}"#),
    ("/v2/web/verify", r#"{"token":"sandbox-9000-risk-600-tags-F24004","phone":"13800000000"}"#),
    ("/v2/web/verify", r#"{"token":"sandbox-9001","phone":"13800000000"}"#),
    ("/v2/web/h5/verify", r#"{"token":"sandbox-for-13800000000","phone":"13900000000"}"#),
    ("/action/check", r#"{"captchaContent":"sandbox-pass-scene-注册"}"#),
    ("/action/check", r#"{"captchaContent":"sandbox-fail"}"#),
    ("/v2/web/queryBusinessRisk", r#"{"phone":"13800000900"}"#),
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = common::Settings::read_sandboxed();
    let listener = TcpListener::bind(settings.listen).await?;
    if !settings.listen.ip().to_canonical().is_loopback() {
        eprintln!("Danger: every host that reaches {} passes every check.", settings.listen);
    }
    print_what_to_try(listener.local_addr()?).await?;

    let sandbox = Sandbox::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Without descriptors left, the next attempt fails at once.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = TowerToHyperService::new(sandbox.clone());
        tokio::spawn(async move {
            // The only errors are clients that have left, and the connection resets that a proof selects.
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Every curl line with its answer, from a separate sandbox, so that the ids are those of a new one.
async fn print_what_to_try(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    println!("The sandbox listens on http://{address}. Try:\n");
    let sandbox = Sandbox::new();
    for (path, body) in TRY {
        let request = http::Request::post(path)
            .header("authorization", "Basic a2V5OnNlY3JldA==")
            .header("content-type", "application/json")
            .body(Full::from(body))?;
        let reply = sandbox.clone().oneshot(request).await?.into_body().collect().await?.to_bytes();
        println!("curl -u key:secret -H 'content-type: application/json' http://{address}{path} -d '{body}'");
        println!("  {}\n", String::from_utf8_lossy(&reply));
    }
    println!("{}", Sandbox::one_tap_key_pem().expose());
    println!("{}", common::LAST_LINE);
    Ok(())
}
