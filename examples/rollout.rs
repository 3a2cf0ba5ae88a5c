//! An axum application that introduces the verification of its logins: in shadow, then for a quarter of the phones, then for all.
//!
//! ```sh
//! cargo run --features axum,sandbox --example rollout -- --sandbox
//! ```
//!
//! prints curl lines to try, with their answers. With `JPUSH_APP_KEY` and `JPUSH_MASTER_SECRET` instead of `--sandbox`, it calls
//! JPush. `docs/policy.md` says when to take the next step.

use std::error::Error;

use axum::{
    Router,
    http::{HeaderMap, HeaderName},
    routing::post,
};
use tokio::net::TcpListener;
use tower_jverify::{JVerifyLayer, Mode, Rollout, Rule, Secret, Unit, Verified, number};

mod common;

/// Only for this example. An application reads its key from its configuration: `openssl rand -base64 32` generates one.
const KEY: &str = "only-of-this-example-0123456789abcdef";
const TESTERS: &str = "a-secret-of-the-testers";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    common::log();
    let settings = common::Settings::read();

    let quarter = Rollout::percent(25.0).by(Unit::Phone).key(Secret::from(KEY));
    let layer = JVerifyLayer::builder(settings.verifier())
        // Every request passes, and its headers say what would be refused.
        .rule(Rule::post("/shadow", number()).mode(Mode::Shadow))
        // The rule is enforced for a quarter of the phones.
        .rule(Rule::post("/quarter", number()).mode(Mode::Rollout(quarter)))
        .rule(Rule::post("/all", number()))
        // The rule is enforced for testers while it is in shadow for others.
        .enforce_when(HeaderName::from_static("x-rollout-tester"), TESTERS)
        .build()?;
    let router = Router::new()
        .route("/shadow", post(login))
        .route("/quarter", post(login))
        .route("/all", post(async |verified: Verified| format!("verified: {}", verified.is_verified())));

    let listener = TcpListener::bind(settings.listen).await?;
    print_what_to_try(&format!("http://{}", listener.local_addr()?));
    axum::serve(listener, layer.around(router)).await?;
    Ok(())
}

/// Takes no `Verified`, because that extractor refuses a request that would be denied. So users can log in as before.
async fn login(headers: HeaderMap) -> String {
    let words = ["x-jverify-decision", "x-jverify-reason", "x-jverify-mode"];
    words.map(|name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-")).join(" ")
}

fn print_what_to_try(address: &str) {
    println!("Listening on {address}. With the sandbox, try:");
    let refused = r#"{"type":"about:blank","title":"Verification failed. Please use another way to sign in.","status":403,"code":"verification_failed","next":["other_method"]} 403"#;
    let tester = format!(" -H 'x-rollout-tester: {TESTERS}'");
    let [good, wrong] = ["sandbox-9000", "sandbox-9001"];
    for (what, path, header, token, phone, answer) in [
        ("In shadow, a good login passes", "shadow", "", good, "13800000000", "allow verified shadow 200"),
        (
            "A wrong one too, and its headers say so",
            "shadow",
            "",
            wrong,
            "13800000000",
            "would-deny rejected shadow 200",
        ),
        ("A tester is refused", "shadow", &*tester, wrong, "13800000000", refused),
        ("Of the quarter, a wrong login is refused", "quarter", "", wrong, ENFORCED, refused),
        ("A good one passes", "quarter", "", good, ENFORCED, "allow verified enforce 200"),
        ("Of the others, it passes", "quarter", "", wrong, OTHER, "would-deny rejected shadow 200"),
        ("At last, all are refused", "all", "", wrong, OTHER, refused),
        ("What passes is verified", "all", "", good, OTHER, "verified: true 200"),
    ] {
        let body = format!(r#"{{"token":"{token}","phone":"{phone}"}}"#);
        println!(
            "\n# {what}\ncurl -sw ' %{{http_code}}\\n' {address}/{path} -H 'content-type: application/json'{header} -d '{body}'"
        );
        println!("{answer}");
    }
    println!("{}", common::LAST_LINE);
}

/// With the key above, the phone's bucket is below 2,500.
const ENFORCED: &str = "13800000002";
const OTHER: &str = "13800000000";
