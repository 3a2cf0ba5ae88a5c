//! Denials in Chromium: the page for a person, and what scripts of other origins may read.
//!
//! `.ci/peers` installs the browser, and what drives and examines it. `JVERIFY_TEST_SCREENSHOT=docs/denial-page.png` writes the
//! image of the documentation again.

use std::{
    env,
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
    process::Stdio,
};

use axum::{Router, response::Html, routing};
use serde_json::{Value, json};
use tokio::{net::TcpListener, process::Command};
use tower_jverify::{Cors, JVerifyLayer, Rule, Sandbox, number};

use crate::support::{jpush, quick_to_notice};

const FORM: &str = "<!doctype html><html lang=en><title>login</title>\
    <form action=/login method=post><input name=token><input name=phone></form>";

/// A site with a login form.
fn site() -> Router {
    Router::new()
        .route("/", routing::get(|| async { Html(FORM) }))
        .route("/login", routing::post(|| async { "application" }))
}

/// A site that nothing guards: it is an origin.
async fn origin() -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, site()).await });
    address
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The answer of the script; `None` if the browser, or what drives it, is not there.
async fn browsed(guarded: SocketAddr, allowed: SocketAddr, foreign: SocketAddr) -> Option<Value> {
    let peers = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("peers/node_modules");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/denials/browser.js");
    let program =
        |name: &str| env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|it| it.exists());
    let has_modules = ["playwright-core", "axe-core"].iter().all(|module| peers.join(module).exists());
    let (Some(node), Some(chromium), true) = (program("node"), program("chromium"), has_modules) else {
        let missing = "node, chromium, playwright-core or axe-core is not there; `.ci/peers` installs all peers";
        assert!(env::var_os("CI").is_none(), "{missing}");
        let _ = writeln!(io::stderr(), "SKIPPED: {missing}");
        return None;
    };
    let output = Command::new(node)
        .arg(script)
        .arg(chromium)
        .args([guarded, allowed, foreign].map(|address| format!("http://{address}")))
        .args(env::var_os("JVERIFY_TEST_SCREENSHOT"))
        .env("NODE_PATH", peers)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn a_browser_shows_an_accessible_page_and_keeps_denials_from_foreign_scripts() {
    let (allowed, foreign) = (origin().await, origin().await);
    let sandbox = Sandbox::new();
    let layer = JVerifyLayer::builder(jpush(&sandbox))
        .guards(&quick_to_notice())
        .rule(Rule::post("/login", number()))
        .cors(Cors::origins([format!("http://{allowed}")]).expose(["retry-after"]).credentials(true))
        .build()
        .unwrap();
    let (listener, guarded) = listen().await;
    tokio::spawn(async move { axum::serve(listener, layer.around(site())).await });
    let Some(seen) = browsed(guarded, allowed, foreign).await else { return };

    let pages = seen["pages"].as_array().unwrap();
    assert_eq!(pages.len(), 16);
    for page in pages {
        let (case, is) = (page["case"].as_str().unwrap(), |name: &str| page[name].clone());
        let (is_chinese, is_dark) = (case.contains("zh-CN"), case.contains("dark"));
        assert_eq!(is("violations"), json!([]), "{case}");
        assert!(is("passes").as_u64().unwrap() > 10, "{case}: axe looked at nothing");
        assert_eq!(is("scrolls"), false, "{case}");
        assert_eq!(is("type"), "text/html; charset=utf-8", "{case}");
        assert_eq!(is("lang"), if is_chinese { "zh-CN" } else { "en" }, "{case}");
        // The browser has compared the hash of the style, or the page would have no colours.
        assert_eq!(is("background"), if is_dark { "rgb(20, 23, 26)" } else { "rgb(244, 245, 247)" }, "{case}");
        let (status, code, said) = match (case.rsplit(' ').next().unwrap(), is_chinese) {
            ("sandbox-9005", false) => (429, "throttled", "You can try again after 30 seconds."),
            ("sandbox-9005", true) => (429, "throttled", "30 秒后可以重试。"),
            ("sandbox-9001", false) => (403, "verification_failed", "Go back and choose another way to sign in."),
            ("sandbox-9001", true) => (403, "verification_failed", "请返回并选择其他登录方式。"),
            (_, false) => (400, "proof_missing", "Go back, check what you entered, and try again."),
            (_, true) => (400, "proof_missing", "请返回检查后重试。"),
        };
        assert_eq!((is("status"), is("code")), (json!(status), json!(code)), "{case}");
        assert!(is("alert").as_str().unwrap().contains(said), "{case}: {page}");
    }

    let (read, hidden, opaque) = (
        json!({"type": "cors", "status": 429, "code": "throttled", "retryAfter": "30"}),
        json!({"error": "TypeError"}),
        json!({"type": "opaque", "status": 0, "text": ""}),
    );
    for (who, origin, answer) in [
        ("allowed", format!("http://{allowed}"), &read),
        ("foreign", format!("http://{foreign}"), &hidden),
        ("null", "null".to_owned(), &hidden),
    ] {
        let fetched = &seen["fetches"][who];
        assert_eq!(fetched["origin"], origin);
        assert_eq!((&fetched["cors"], &fetched["credentials"]), (answer, answer), "{who}");
        assert_eq!(fetched["noCors"], opaque, "{who}");
    }
}
