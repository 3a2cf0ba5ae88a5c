//! Glob imports of this crate together with those of crates that an application uses with it. The test is that they compile: a
//! public item with the name of a crate makes a path to that crate ambiguous, or hides the crate.

#![allow(clippy::wildcard_imports, reason = "they are what is tested")]

use axum::*;
use tower::{Layer, Service, ServiceExt as _};
use tower_jverify::*;

use crate::support::Verifier;

#[tokio::test]
async fn everything_of_this_crate_and_of_axum_is_in_scope() {
    async fn login(verified: Verified) -> axum::http::StatusCode {
        assert!(verified.is_verified());
        axum::http::StatusCode::OK
    }
    let rule: Rule = Rule::post("/login", captcha());
    let layer = JVerifyLayer::builder(Verifier::passing()).rule(rule).build().unwrap();
    let mut app: Around<Verifier> = layer.around(Router::new().route("/login", axum::routing::post(login)));
    let request = http::Request::post("/login").header("content-type", "application/json");
    let request = request.body(axum::body::Body::from(r#"{"captchaContent":"c"}"#)).unwrap();
    let response = Service::<extract::Request>::call(&mut app, request).await.unwrap();
    assert_eq!(response.status(), http::StatusCode::OK);
}

#[tokio::test]
async fn a_path_to_a_crate_means_the_crate() {
    // `tonic`, `http` and `tower` are paths here as well.
    let status = tonic::Status::new(
        tonic::Code::from_i32(Denial::for_test(DenialReason::CaptchaRequired).grpc_code().into()),
        "",
    );
    let verdict =
        tower::service_fn(
            |check: Check| async move { Ok::<_, tonic::Status>(Verdict::new(check.kind(), Class::Passed)) },
        )
        .oneshot(Check::captcha("c"));
    assert!(verdict.await.unwrap().class().is_pass());
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
    let body = tower::layer::util::Identity::new().layer("body");
    assert_eq!(http::Response::new(body).status(), http::StatusCode::OK);
}
