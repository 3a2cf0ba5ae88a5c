//! A layer out of a file, and the files that make none.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tower_jverify::{Guards, JVerifyLayer};
use tower_jverify_gateway::{FileError, layer};
use tower_jverify_support::{Verifier, application, ask, check, login};

const FILE: &str = r#"
[[rules]]
path = "/login"
proof = "number"
deadline_ms = 3000

[[rules]]
name = "bind"
method = "PUT"
path = "/v1/{tenant}/phone"
proof = "captcha_then_number"
token = "body /auth/token or header x-token"
phone = "body /auth/phone"
shadow = true
"#;

async fn serve(layer: &JVerifyLayer<Verifier>) -> SocketAddr {
    let guarded = layer.around(application());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, guarded).await });
    address
}

fn read(text: &str) -> Result<JVerifyLayer<Verifier>, FileError> {
    layer(text, Verifier::default(), &Guards::new())
}

#[tokio::test]
async fn a_login_is_verified_a_forged_one_is_refused_and_a_neighbour_passes() {
    let layer = read(FILE).unwrap();
    assert_eq!(layer.unused_rules(), ["POST /login", "bind"]);
    check(serve(&layer).await).await;
    assert_eq!(layer.unused_rules(), ["bind"]);
}

#[tokio::test]
async fn a_file_that_is_wrong_names_what_is_wrong_in_it() {
    let rule = |lines: &str| format!("[[rules]]\npath = \"/login\"\nproof = \"number\"\n{lines}\n");
    for (text, named) in [
        ("rules = []".to_owned(), "rule"),
        (String::new(), "rules"),
        (rule("proofs = \"number\""), "proofs"),
        (rule("tokn = \"body token\""), "tokn"),
        (rule("token = \"cookie token\""), "line 4"),
        (rule("method = \"PO ST\""), "line 4"),
        (rule("deadline_ms = 0"), "deadline"),
        (rule("").replace("number", "password"), "password"),
        (rule("").replace("\"/login\"", "\"login\""), "rule.path"),
        (rule("").repeat(2), "/login"),
        ("[[rules]".to_owned(), "line 1"),
    ] {
        let error = read(&text).map(drop).unwrap_err().to_string();
        assert!(error.contains(named), "{text}: {error}");
    }
}

#[tokio::test]
async fn a_changed_file_holds_without_a_restart_and_a_wrong_one_changes_nothing() {
    let (verifier, guards) = (Verifier::default(), Guards::new());
    let running = layer(FILE, verifier.clone(), &guards).unwrap();
    let address = serve(&running).await;
    let used = login();
    assert!(ask(address, "/login", "", &used).await.starts_with("HTTP/1.1 200 "));
    let wrong = FILE.replace("proof = \"number\"", "proof = \"numbers\"");
    assert!(layer(&wrong, verifier.clone(), &guards).is_err());
    assert!(ask(address, "/login", "", "{}").await.starts_with("HTTP/1.1 400 "));

    running.reload(layer(&FILE.replace("/login", "/health"), verifier.clone(), &guards).unwrap());
    assert!(ask(address, "/login", "", "{}").await.starts_with("HTTP/1.1 200 "), "no rule matches it now");
    assert!(ask(address, "/health", "", "{}").await.starts_with("HTTP/1.1 400 "));
    let answer = ask(address, "/health", "", &used).await;
    assert!(answer.contains("proof_expired"), "the claims survive: {answer}");
    assert_eq!(verifier.calls(), 1);
}
