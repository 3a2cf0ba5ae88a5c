//! An axum application that checks the password first, and calls JPush only if the password is right.
//!
//! ```sh
//! cargo run --features axum,sandbox --example password_first -- --sandbox
//! ```
//!
//! prints curl lines to try in this order, with their answers. With `JPUSH_APP_KEY` and `JPUSH_MASTER_SECRET` instead of
//! `--sandbox`, it calls JPush.

use std::error::Error;

use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use serde::Deserialize;
use tokio::net::TcpListener;
use tower_jverify::{JVerifyLayer, Prove, Rule, number};

mod common;

#[derive(Deserialize)]
struct Login {
    password: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    common::log();
    let settings = common::Settings::read();

    let rule = Rule::post("/login", number()).on_demand();
    let layer = JVerifyLayer::builder(settings.verifier()).rule(rule).build()?;
    let router = Router::new().route("/login", post(login));

    let listener = TcpListener::bind(settings.listen).await?;
    print_what_to_try(&format!("http://{}", listener.local_addr()?));
    axum::serve(listener, layer.around(router)).await?;
    Ok(())
}

/// A handler that does not call `now()` has verified nothing. This handler holds no database connection while it waits.
async fn login(prove: Prove, Json(login): Json<Login>) -> Result<String, Response> {
    if login.password != "correct" {
        return Err((StatusCode::UNAUTHORIZED, "wrong password").into_response());
    }
    let verified = prove.now().await.map_err(IntoResponse::into_response)?;
    Ok(verified.phone().map(|phone| format!("welcome, {}", phone.masked())).unwrap_or_default())
}

fn print_what_to_try(address: &str) {
    println!("Listening on {address}. With the sandbox, try in this order:");
    let expired = r#"{"type":"about:blank","title":"The verification has expired. Please start again.","status":403,"code":"proof_expired","next":["new_token"]}"#;
    for (what, password, answer) in [
        ("A wrong password: JPush is not asked, and the token stays good", "wrong", "wrong password 401"),
        ("The same token", "correct", "welcome, 138****0000 200"),
        ("The token works once", "correct", &format!("{expired} 403")),
    ] {
        let body = format!(r#"{{"password":"{password}","token":"sandbox-once-9000","phone":"13800000000"}}"#);
        println!(
            "\n# {what}\ncurl -sw ' %{{http_code}}\\n' {address}/login -H 'content-type: application/json' -d '{body}'"
        );
        println!("{answer}");
    }
    println!("{}", common::LAST_LINE);
}
