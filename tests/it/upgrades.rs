//! A guarded request cannot change its protocol.

use http::{Method, Request};
use http_body_util::Full;
use tower_jverify::{Rule, number};

use crate::support::{Application, LOGIN, Verifier, builder, code, post_json, send};

#[tokio::test]
async fn a_guarded_request_that_asks_to_become_another_protocol_is_refused() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let layer = builder(&verifier).rule(Rule::any_request(number())).build().unwrap();
    for protocol in ["websocket", "websocket, h2c", "TLS/1.0", "h3"] {
        let mut request = post_json("/login", LOGIN);
        request.headers_mut().insert("upgrade", protocol.parse().unwrap());
        let response = send(&layer, &application, request).await;
        assert_eq!((response.status().as_u16(), code(&response).as_str()), (400, "upgrade_refused"), "{protocol}");
    }
    let connect = Request::builder().method(Method::CONNECT).uri("login:443").body(Full::default()).unwrap();
    assert_eq!(code(&send(&layer, &application, connect).await), "upgrade_refused");
    assert_eq!((verifier.calls(), application.runs()), (0, 0));
}

#[tokio::test]
async fn an_offer_to_switch_to_http2_is_ignored_and_removed() {
    // As Java's `HttpClient` and `curl --http2` send it.
    for (upgrade, connection, left) in [
        ("h2c", "Upgrade, HTTP2-Settings", None),
        ("H2C", "upgrade, http2-settings, keep-alive", Some("keep-alive")),
        ("h2c, h2c-14", "HTTP2_Settings , Upgrade", None),
    ] {
        let guarded = crate::support::Guarded::login();
        let mut request = post_json("/login", LOGIN);
        for (name, value) in [("upgrade", upgrade), ("connection", connection), ("http2-settings", "AAMAAABkAAQ")] {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let seen = guarded.verifies(request, upgrade).await;
        let headers = seen.parts.headers;
        assert!(!headers.contains_key("upgrade") && !headers.contains_key("http2-settings"), "{headers:?}");
        assert_eq!(headers.get("connection").map(|value| value.to_str().unwrap()), left, "{upgrade}");
        assert_eq!(seen.body.unwrap(), LOGIN);
    }
}

#[tokio::test]
async fn what_no_rule_guards_may_upgrade() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let layer = builder(&verifier).rule(Rule::post("/login", number())).build().unwrap();
    let mut request = post_json("/socket", "");
    request.headers_mut().insert("upgrade", "websocket".parse().unwrap());
    assert_eq!(send(&layer, &application, request).await.status(), 200);
    assert_eq!(application.header("upgrade").as_deref(), Some("websocket"));
}
