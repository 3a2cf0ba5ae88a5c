//! A warp application behind the layer, over real sockets.

use std::{convert::Infallible, net::SocketAddr};

use hyper::body::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower_jverify::{Check, Class, Decision, JVerifyLayer, Question, Rule, Verdict, number};
use warp::Filter;

const LOGIN: &str = r#"{"token":"t","phone":"13812345678"}"#;

/// Says what reached it.
fn application(decision: Option<Decision>, said: Option<String>, body: Bytes) -> String {
    let decision = decision.map(|decision| (decision.is_verified(), decision.phone()));
    format!("{decision:?} {said:?} {}", body.len())
}

async fn serve() -> SocketAddr {
    let verifier = tower::service_fn(|check: Check| async move {
        let is_right = matches!(check.question(), Question::Number { token, .. } if token.expose() == "t");
        let class = if is_right { Class::Passed } else { Class::Rejected };
        Ok::<_, Infallible>(Verdict::new(check.kind(), class))
    });
    let layer = JVerifyLayer::builder(verifier).rule(Rule::post("/login", number())).build().unwrap();
    let filter = warp::post()
        .and(warp::path("login").or(warp::path("health")).unify())
        .and(warp::path::end())
        .and(warp::ext::optional::<Decision>())
        .and(warp::header::optional::<String>("x-jverify-decision"))
        .and(warp::body::bytes())
        .map(application);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(tower_jverify_warp::serve(listener, filter, layer));
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
    // Other spellings of the login.
    for path in ["/login/", "//login", "/%6cogin"] {
        let answer = ask(address, path, "", "{}").await;
        assert!(!answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
}
