//! An axum application whose logins are verified.
//!
//! ```sh
//! cargo run --features axum,sandbox --example axum_login -- --sandbox
//! ```
//!
//! prints curl lines to try, with their answers. With `JPUSH_APP_KEY` and `JPUSH_MASTER_SECRET` instead of `--sandbox`, it calls
//! JPush.

use std::error::Error;

use axum::{Router, http::HeaderMap, routing::post};
use tokio::net::TcpListener;
use tower_jverify::{JVerifyLayer, Rule, Verified, captcha, number};

mod common;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    common::log();
    let settings = common::Settings::read();

    let layer = JVerifyLayer::builder(settings.verifier())
        .rule(Rule::post("/login", number()))
        .rule(Rule::post("/h5/login", number().web()))
        .rule(Rule::post("/register", captcha().then(number())))
        .rule(Rule::post("/signin", captcha().or(number())))
        .build()?;

    let router = Router::new()
        .route("/login", post(login))
        .route("/h5/login", post(login))
        .route("/register", post(login))
        .route("/signin", post(login))
        .fallback(anybody);

    let listener = TcpListener::bind(settings.listen).await?;
    common::print_what_to_try(&settings, listener.local_addr()?);
    // `around` and not `Router::layer`: the layer must see every path before the router does.
    let app = layer.around(router);
    axum::serve(listener, app).await?;
    Ok(())
}

/// Runs for verified requests only: the extractor `Verified` rejects all others.
async fn login(verified: Verified, headers: HeaderMap) -> String {
    common::learnt(verified.phone(), &headers)
}

/// Runs for requests that no rule matches.
async fn anybody(headers: HeaderMap) -> String {
    common::learnt(None, &headers)
}
