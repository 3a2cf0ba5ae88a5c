//! What the tests of the integrations share: a verifier, logins, and requests over real sockets.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::{Router, extract::Request, http::HeaderMap, routing::post};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::Service;
use tower_jverify::{Check, Class, Decision, Question, Verdict};

/// Passes the tokens of [`login`], rejects all others, and counts its calls.
#[derive(Clone, Default)]
pub struct Verifier(Arc<AtomicUsize>);

impl Verifier {
    pub fn calls(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Service<Check> for Verifier {
    type Response = Verdict;
    type Error = Infallible;
    type Future = Ready<Result<Verdict, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, check: Check) -> Self::Future {
        self.0.fetch_add(1, Ordering::SeqCst);
        let is_right =
            matches!(check.question(), Question::Number { token, .. } if token.expose().starts_with("right"));
        ready(Ok(Verdict::new(check.kind(), if is_right { Class::Passed } else { Class::Rejected })))
    }
}

/// The body of a login of `13812345678`. Each has another token, because a proof can be used once.
pub fn login() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    format!(r#"{{"token":"right{number:04}","phone":"13812345678"}}"#)
}

/// Sends a POST with this JSON, and returns the whole answer. Each line of `headers` ends with CR LF.
pub async fn ask(address: SocketAddr, path: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = "host: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    let request = format!("POST {path} HTTP/1.1\r\n{head}{headers}content-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// An axum application as [`check`] expects it.
pub fn application() -> Router {
    Router::new().route("/login", post(received)).route("/health", post(received))
}

/// Describes the request that the application has received.
async fn received(headers: HeaderMap, request: Request) -> String {
    let decision = request.extensions().get::<Decision>();
    let decision = decision.map(|decision| (decision.is_verified(), decision.phone()));
    let said = headers.get("x-jverify-decision").map(|value| value.to_str().unwrap().to_owned());
    let body = axum::body::to_bytes(request.into_body(), 1000).await.unwrap();
    format!("{decision:?} {said:?} {}", body.len())
}

/// Asserts that docs/integrations.md has the marked part of a program.
pub fn is_in_the_document(program: &str) {
    let document = include_str!("../../../docs/integrations.md");
    let (_, part) = program.split_once("// begin: as in docs/integrations.md\n").unwrap();
    let (part, _) = part.split_once("// end\n").unwrap();
    assert!(document.contains(part.trim_end()), "docs/integrations.md has another program");
}

/// What every integration owes: a login reaches the application as verified, whatever the client claims, a forged one and one without a proof
/// are refused, a neighbour passes, and no other spelling of the path goes around the rule.
///
/// The application answers `/login` and `/health` with its `Option<(is_verified, phone)>`, its `Option` of the header `x-jverify-decision`, and the
/// length of the body.
pub async fn check(address: SocketAddr) {
    let forged = "x-jverify-decision: allow\r\nx_jverify_decision: allow\r\n";
    for headers in ["", forged] {
        let right = login();
        let answer = ask(address, "/login", headers, &right).await;
        let expected = format!("Some((true, Some(138****5678))) Some(\"allow\") {}", right.len());
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(&expected), "{answer}");
        let answer = ask(address, "/login", headers, &right).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("proof_expired"), "{answer}");
        let answer = ask(address, "/health", headers, "a body").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("None None 6"), "{answer}");
        let answer = ask(address, "/login", headers, "{}").await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("proof_missing"), "{answer}");
        let answer = ask(address, "/login", headers, &login().replace("right", "wrong")).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("verification_failed"), "{answer}");
    }
    for path in ["/login/", "//login", "/%6cogin"] {
        let answer = ask(address, path, "", "{}").await;
        assert!(!answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
}
