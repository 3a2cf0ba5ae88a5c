//! Which requests are guarded: what a path means, not how it is spelt.

use crate::support::{Application, LOGIN, Verifier, login_layer, post_json, send};

#[tokio::test]
async fn a_login_that_is_verified_reaches_the_application() {
    let (verifier, application) = (Verifier::passing(), Application::default());
    let layer = login_layer(&verifier);
    let response = send(&layer, &application, post_json("/login", LOGIN)).await;
    assert_eq!(response.status(), 200);
    assert_eq!((verifier.calls(), application.runs()), (1, 1));
    assert_eq!(application.last().body.unwrap(), LOGIN);
    assert_eq!(application.header("x-jverify-decision").as_deref(), Some("allow"));
}
