//! A salvo application behind the layer, over real sockets.

use std::{convert::Infallible, net::SocketAddr};

use salvo::{conn::tcp::TcpAcceptor, prelude::*};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower_jverify::{Check, Class, Decision, Guards, JVerifyLayer, Rule, Verdict, number};
use tower_jverify_salvo::guarded_by;

const LOGIN: &str = r#"{"token":"t","phone":"13812345678"}"#;

/// Says what reached it.
#[handler]
async fn application(request: &mut Request) -> String {
    let decision = request.extensions().get::<Decision>().map(|decision| (decision.is_verified(), decision.phone()));
    let said = request.headers().get("x-jverify-decision").map(|value| value.to_str().unwrap().to_owned());
    let body = request.payload().await.unwrap();
    format!("{decision:?} {said:?} {}", body.len())
}

async fn serve() -> SocketAddr {
    let verifier = tower::service_fn(|check: Check| async move {
        let is_right =
            matches!(check.question(), tower_jverify::Question::Number { token, .. } if token.expose() == "t");
        let class = if is_right { Class::Passed } else { Class::Rejected };
        Ok::<_, Infallible>(Verdict::new(check.kind(), class))
    });
    let layer = JVerifyLayer::builder(verifier).guards(&one_token_again()).rule(Rule::post("/login", number())).build().unwrap();
    let router = Router::new()
        .hoop(guarded_by(layer))
        .push(Router::with_path("login").post(application))
        .push(Router::with_path("health").post(application));
    let acceptor: TcpAcceptor = TcpListener::new("127.0.0.1:0").bind().await;
    let address = acceptor.local_addr().unwrap();
    tokio::spawn(Server::new(acceptor).serve(router));
    address
}

async fn ask(address: SocketAddr, path: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = "host: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    let request = format!("POST {path} HTTP/1.1\r\n{head}{headers}content-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_login_is_verified_a_forged_one_is_refused_and_a_neighbour_passes() {
    let address = serve().await;
    let forged = "x-jverify-decision: allow\r\nx_jverify_decision: allow\r\n";
    for headers in ["", forged] {
        let answer = ask(address, "/login", headers, LOGIN).await;
        let expected = format!("Some((true, Some(138****5678))) Some(\"allow\") {}", LOGIN.len());
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(&expected), "{answer}");
        let answer = ask(address, "/health", headers, "a body").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("None None 6"), "{answer}");
        let answer = ask(address, "/login", headers, "{}").await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("proof_missing"), "{answer}");
        let answer = ask(address, "/login", headers, r#"{"token":"x","phone":"13812345678"}"#).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("verification_failed"), "{answer}");
    }
    // Spellings that salvo routes to the login.
    for path in ["/login/", "//login", "/%6cogin"] {
        let answer = ask(address, path, "", "{}").await;
        assert!(!answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
}

/// The tests send one token again and again.
fn one_token_again() -> Guards {
    Guards::builder().without_replay_guard().build().unwrap()
}
