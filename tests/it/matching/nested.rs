//! In a nested axum router: the original path and the remaining path.

use axum::{Router, routing::post};
use tower::ServiceExt;
use tower_jverify::{CheckKind, Rule, captcha, number};

use super::BOTH;
use crate::support::{Guarded, code, post_json};

/// The status of, and what was asked for, `POST /api/login`, guarded by a layer inside the nested router.
async fn through_nested(guarded: &Guarded) -> (u16, String, Vec<CheckKind>) {
    let inside = Router::new().route("/login", post(|| async { "in" })).layer(guarded.layer.clone());
    let app = Router::new().nest("/api", inside);
    let request = post_json("/api/login", BOTH);
    let (parts, body) = app.oneshot(request.map(axum::body::Body::new)).await.unwrap().into_parts();
    let body = axum::body::to_bytes(body, 1024).await.unwrap();
    let response = http::Response::from_parts(parts, body);
    (response.status().as_u16(), code(&response), guarded.verifier.kinds())
}

#[tokio::test]
async fn either_path_may_match_under_a_nested_router() {
    for path in ["/api/login", "/login", "/API/{page}"] {
        let guarded = Guarded::by([Rule::post(path, number())]);
        assert_eq!(through_nested(&guarded).await, (200, String::new(), vec![CheckKind::Number]), "{path}");
    }
    let guarded = Guarded::by([Rule::post("/other", number())]);
    assert_eq!(through_nested(&guarded).await, (200, String::new(), vec![]), "neither path");
}

#[tokio::test]
async fn two_different_rules_for_the_two_paths_are_refused() {
    let guarded = Guarded::by([Rule::post("/login", number()), Rule::post("/api/login", captcha())]);
    assert_eq!(through_nested(&guarded).await, (400, "path_ambiguous".to_owned(), vec![]));
}

#[tokio::test]
async fn one_rule_for_both_paths_guards() {
    let guarded = Guarded::by([Rule::post("/{*any}", number())]);
    assert_eq!(through_nested(&guarded).await, (200, String::new(), vec![CheckKind::Number]));
}

#[tokio::test]
async fn a_rule_for_every_request_guards_a_route_wherever_it_is() {
    let guarded = Guarded::by([Rule::any_request(number())]);
    let route = Router::new().route("/login", post(|| async { "in" })).route_layer(guarded.layer.clone());
    let app = Router::new().nest("/api", route);
    let response = app.oneshot(post_json("/api/login", "{}").map(axum::body::Body::new)).await.unwrap();
    assert_eq!(response.status(), 400);
}
