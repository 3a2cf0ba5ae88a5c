//! An axum application whose clients pay for one number check, also if a captcha or a second password is needed.
//!
//! ```sh
//! cargo run --features axum,pass,sandbox --example step_up -- --sandbox
//! ```
//!
//! prints curl lines to try, with their answers. With `JPUSH_APP_KEY` and `JPUSH_MASTER_SECRET` in place of `--sandbox` it asks
//! JPush itself. The document `docs/step-up.md` explains the exchange to the developers of clients.

use std::error::Error;

use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use serde::Deserialize;
use tokio::net::TcpListener;
use tower_jverify::{JVerifyLayer, Passes, Rule, Verified, number};

mod common;

/// Of an application of your own, from its configuration: `openssl rand -base64 32` writes one.
const SECRET: &str = "only-of-this-example-0123456789abcdef";

#[derive(Deserialize)]
struct Login {
    password: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    common::log();
    let settings = common::Settings::read();

    let layer = JVerifyLayer::builder(settings.verifier())
        .passes(Passes::hs256("2026-11", SECRET).audience("step-up"))
        // A wrong password costs no second number check.
        .retry_pass([401])
        .rule(Rule::post("/login", number()))
        .build()?;
    let router = Router::new().route("/login", post(login));

    let listener = TcpListener::bind(settings.listen).await?;
    print_what_to_try(&format!("http://{}", listener.local_addr()?));
    axum::serve(listener, layer.around(router)).await?;
    Ok(())
}

async fn login(verified: Verified, Json(login): Json<Login>) -> Response {
    // The phone of the decision, never the body's: with a pass too, it is the one that was proven.
    let Some(phone) = verified.phone() else { return StatusCode::UNAUTHORIZED.into_response() };
    if login.password != "correct" {
        return (StatusCode::UNAUTHORIZED, "wrong password").into_response();
    }
    format!("welcome, {}", phone.masked()).into_response()
}

fn print_what_to_try(address: &str) {
    println!(
        "Listening on {address}. With the sandbox, try these in one shell, and set PASS to the last word of an answer that has one:"
    );
    let pass = r#" -H "x-jverify-pass: $PASS""#;
    for (what, header, body, answer) in [
        (
            "A risky number needs a captcha, and gets a pass",
            "",
            r#"{"token":"sandbox-9000-risk-650","phone":"13800000000","password":"correct"}"#,
            r#"{"type":"about:blank","title":"Please solve the captcha and try again.","status":403,"code":"captcha_required","next":["captcha"],"pass":"$PASS"} 403 $PASS"#,
        ),
        (
            "With the captcha, the pass takes the place of the token",
            pass,
            r#"{"captchaContent":"sandbox-pass","phone":"13800000000","password":"correct"}"#,
            "welcome, 138****0000 200",
        ),
        (
            "It works once",
            pass,
            r#"{"captchaContent":"sandbox-pass","phone":"13800000000","password":"correct"}"#,
            r#"{"type":"about:blank","title":"The verification has expired. Please start again.","status":403,"code":"proof_expired","next":["new_token"]} 403"#,
        ),
        (
            "A wrong password after a paid check gets a pass too",
            "",
            r#"{"token":"sandbox-9000","phone":"13800000000","password":"wrong"}"#,
            "wrong password 401 $PASS",
        ),
        (
            "With it, the next try costs nothing",
            pass,
            r#"{"phone":"13800000000","password":"correct"}"#,
            "welcome, 138****0000 200",
        ),
    ] {
        println!(
            "\n# {what}\ncurl -sw ' %{{http_code}} %header{{x-jverify-pass}}\\n' {address}/login -H 'content-type: application/json'{header} -d '{body}'"
        );
        println!("{answer}");
    }
    println!("{}", common::LAST_LINE);
}
