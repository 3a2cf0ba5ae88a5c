//! A guarded request stays the request that was read.

use http::{Method, Request};
use http_body_util::Full;
use tower_jverify::{Rule, number};

use crate::support::{Application, LOGIN, Verifier, builder, code, post_json, send};

#[tokio::test]
async fn a_guarded_request_that_asks_to_become_another_protocol_is_refused() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let layer = builder(&verifier).rule(Rule::any_request(number())).build().unwrap();
    for protocol in ["websocket", "h2c"] {
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
async fn what_no_rule_guards_may_upgrade() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let layer = builder(&verifier).rule(Rule::post("/login", number())).build().unwrap();
    let mut request = post_json("/socket", "");
    request.headers_mut().insert("upgrade", "websocket".parse().unwrap());
    assert_eq!(send(&layer, &application, request).await.status(), 200);
    assert_eq!(application.header("upgrade").as_deref(), Some("websocket"));
}
