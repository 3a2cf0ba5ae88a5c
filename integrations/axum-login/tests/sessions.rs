//! A login by a number, and the session that follows, over real sockets.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tower_jverify_axum_login::application;
use tower_jverify_support::{Verifier, ask, login};

async fn serve(verifier: &Verifier) -> SocketAddr {
    let application = application(verifier.clone()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, application).await });
    address
}

/// The header that a client sends after this answer.
fn cookie(answer: &str) -> String {
    let line = answer.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    format!("cookie: {}\r\n", line.unwrap().split(';').next().unwrap())
}

fn is_refused(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 400 ") && answer.contains("proof_missing")
}

#[tokio::test]
async fn a_verified_phone_has_a_session_that_needs_no_proof_until_it_logs_out() {
    let verifier = Verifier::default();
    let address = serve(&verifier).await;
    let answer = ask(address, "/login", "", &login()).await;
    assert!(answer.ends_with("account 1"), "{answer}");
    let cookie = cookie(&answer);
    let answer = ask(address, "/profile", &cookie, "{}").await;
    assert!(answer.ends_with("account 1 by its session"), "{answer}");
    assert_eq!(verifier.calls(), 1, "the session costs none");
    assert!(ask(address, "/logout", &cookie, "").await.starts_with("HTTP/1.1 200 "));
    let answer = ask(address, "/profile", &cookie, "{}").await;
    assert!(is_refused(&answer), "the session has ended: {answer}");
    let answer = ask(address, "/login", "", &login()).await;
    assert!(answer.ends_with("account 1"), "the phone has its account: {answer}");
}

#[tokio::test]
async fn without_a_session_of_the_store_a_proof_is_needed_whatever_the_client_sends() {
    let verifier = Verifier::default();
    let address = serve(&verifier).await;
    for headers in ["", "cookie: id=AAAAAAAAAAAAAAAAAAAAAA\r\n", "x-jverify-decision: not-guarded\r\n"] {
        let answer = ask(address, "/profile", headers, "{}").await;
        assert!(is_refused(&answer), "{headers}: {answer}");
    }
    let answer = ask(address, "/profile", "", &login()).await;
    assert!(answer.ends_with("138****5678 by a proof"), "{answer}");
    assert_eq!(verifier.calls(), 1);
}

#[tokio::test]
async fn a_refused_login_has_no_session() {
    let address = serve(&Verifier::default()).await;
    for body in ["{}", &login().replace("right", "wrong")] {
        let answer = ask(address, "/login", "", body).await;
        assert!(answer.starts_with("HTTP/1.1 4") && !answer.contains("set-cookie"), "{answer}");
    }
    // A session says nothing about another proof.
    let session = cookie(&ask(address, "/login", "", &login()).await);
    let answer = ask(address, "/login", &session, "{}").await;
    assert!(is_refused(&answer), "{answer}");
}
