//! Nested layers: the shadow of an outer layer does not make an inner layer pass.

use axum::{Router, routing::post};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower::ServiceExt;
use tower_jverify::{Action, Class, Mode, Rule, Verified, number};

use super::{decision, guarded, watched};
use crate::support::{Guarded, LOGIN, post_json, send_through, unchanged};

fn enforced(class: Class) -> Guarded {
    guarded(class, |it| it.rule(Rule::post("/login", number())))
}

async fn through(outer: &Guarded, inner: &Guarded, request: Request<Full<Bytes>>) -> u16 {
    send_through(&outer.layer, unchanged, inner.service(), request).await
}

#[tokio::test]
async fn an_inner_enforced_layer_asks_and_refuses_whatever_an_outer_shadow_has_seen() {
    for outer in [Class::Passed, Class::Rejected, Class::Unavailable] {
        let (outer, inner) = (guarded(outer, |it| it.rule(watched())), enforced(Class::Rejected));
        assert_eq!(through(&outer, &inner, post_json("/login", LOGIN)).await, 403);
        assert_eq!((inner.verifier.calls(), inner.application.runs()), (1, 0));
    }
    let (outer, inner) = (guarded(Class::Rejected, |it| it.rule(watched())), enforced(Class::Passed));
    assert_eq!(through(&outer, &inner, post_json("/login", "{")).await, 400);
}

#[tokio::test]
async fn a_request_that_an_outer_shadow_would_deny_is_not_verified_by_an_inner_layer() {
    let (outer, inner) = (guarded(Class::Rejected, |it| it.rule(watched())), enforced(Class::Passed));
    assert_eq!(through(&outer, &inner, post_json("/login", LOGIN)).await, 200);
    let merged = decision(&inner.application);
    assert!(!merged.is_verified() && merged.is_shadow());
    assert_eq!(
        (merged.would_deny().unwrap().as_str(), merged.phone(), merged.action()),
        ("rejected", None, Action::Deny)
    );
    assert_eq!(merged.verdicts().len(), 2);
    let header = |name: &str| inner.application.header(name);
    assert_eq!(header("x-jverify-decision").as_deref(), Some("would-deny"));
    assert_eq!(header("x-jverify-reason").as_deref(), Some("rejected"));
    assert_eq!(header("x-jverify-mode").as_deref(), Some("shadow"));
}

#[tokio::test]
async fn an_inner_shadow_makes_the_decision_of_an_outer_layer_worse_and_never_better() {
    let inner = guarded(Class::Rejected, |it| it.rule(watched()));
    assert_eq!(through(&enforced(Class::Passed), &inner, post_json("/login", LOGIN)).await, 200);
    assert_eq!(decision(&inner.application).would_deny().unwrap().as_str(), "rejected");
    let inner = guarded(Class::Passed, |it| it.rule(watched()));
    assert_eq!(through(&enforced(Class::Passed), &inner, post_json("/login", LOGIN)).await, 200);
    assert!(decision(&inner.application).is_verified());
    assert_eq!(inner.application.header("x-jverify-mode").as_deref(), Some("shadow"));
    assert_eq!(through(&enforced(Class::Rejected), &inner, post_json("/login", LOGIN)).await, 403);
}

#[tokio::test]
async fn the_same_layer_twice_asks_once_and_the_refusal_stays() {
    let shadow = guarded(Class::Rejected, |it| it.rule(watched()));
    assert_eq!(through(&shadow, &shadow, post_json("/login", LOGIN)).await, 200);
    assert_eq!((shadow.verifier.calls(), shadow.application.runs()), (1, 1));
    assert_eq!(decision(&shadow.application).would_deny().unwrap().as_str(), "rejected");
    assert_eq!(shadow.application.header("x-jverify-decision").as_deref(), Some("would-deny"));
    // Unread twice.
    assert_eq!(through(&shadow, &shadow, post_json("/login", "{")).await, 200);
    assert_eq!(decision(&shadow.application).would_deny().unwrap().as_str(), "body_malformed");
}

#[tokio::test]
async fn the_extractor_refuses_what_would_be_denied() {
    for (class, body, status) in [
        (Class::Passed, LOGIN, 200),
        (Class::Rejected, LOGIN, 500),
        (Class::Passed, "{", 500),
        (Class::Passed, "", 500),
    ] {
        let shadow = guarded(class, |it| it.rule(watched()));
        let router: Router = Router::new()
            .route("/login", post(async |verified: Verified| verified.phone().unwrap().as_str().to_owned()))
            .layer(shadow.layer.clone());
        let response = router.oneshot(post_json("/login", body).map(axum::body::Body::new)).await.unwrap();
        assert_eq!(response.status(), status, "{class:?} {body}");
        let optional: Router = Router::new()
            .route("/login", post(async |verified: Option<Verified>| verified.is_some().to_string()))
            .layer(shadow.layer.clone());
        let response = optional.oneshot(post_json("/login", body).map(axum::body::Body::new)).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

#[tokio::test]
async fn a_layer_for_all_rules_is_in_shadow() {
    let all = guarded(Class::Rejected, |it| {
        it.rule(Rule::post("/login", number()))
            .rule(Rule::post("/pay", number()).mode(Mode::Enforce))
            .mode(Mode::Shadow)
    });
    assert_eq!(all.send(post_json("/login", LOGIN)).await.status(), 200);
    assert_eq!(all.send(post_json("/pay", LOGIN)).await.status(), 403);
}

#[tokio::test]
async fn a_tester_is_enforced_by_the_outer_service_and_the_inner_one_takes_its_decision_over() {
    let header = http::HeaderName::from_static("x-rollout-tester");
    let of = |class| guarded(class, |it| it.rule(watched().enforce_when(header.clone(), "a secret of testers")));
    let request = || {
        let mut request = post_json("/login", LOGIN);
        request.headers_mut().insert(header.clone(), "a secret of testers".parse().unwrap());
        request
    };
    let passing = of(Class::Passed);
    assert_eq!(through(&passing, &passing, request()).await, 200);
    assert_eq!(passing.verifier.calls(), 1);
    assert!(decision(&passing.application).is_verified() && !decision(&passing.application).is_shadow());
    assert_eq!(passing.application.header("x-jverify-mode").as_deref(), Some("enforce"));
    let refusing = of(Class::Rejected);
    assert_eq!(through(&refusing, &refusing, request()).await, 403);
    assert_eq!((refusing.verifier.calls(), refusing.application.runs()), (1, 0));
}

#[tokio::test]
async fn a_reload_takes_the_next_step() {
    let layer = guarded(Class::Rejected, |it| it.rule(watched()));
    assert_eq!(layer.send(post_json("/login", LOGIN)).await.status(), 200);
    let next = crate::support::following(&layer.verifier).rule(Rule::post("/login", number())).build().unwrap();
    layer.layer.reload(next);
    assert_eq!(layer.send(post_json("/login", LOGIN)).await.status(), 403);
}
