//! A pass under a Redis that is frozen or slow, and a pass in a page and under two services.

use std::time::Duration;

use http::header::ACCEPT;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use tower_jverify::{Cors, DenialReason, Guards, JVerifyLayer, Rate, Redis, Secret, StorePolicy};

use super::{Desk, PASS, PHONE, denial_reason, login, passes, solved, verifier};
use crate::support::{
    Application, post_json,
    redis_server::{KEY, Server},
};

/// `counts`: each request waits for limits in Redis before it claims.
fn slow(url: &str, policy: StorePolicy, counts: bool) -> Desk {
    let redis = Redis::builder(url).deployment_key(Secret::from(KEY)).deadline(Duration::from_millis(600));
    let guards = Guards::builder().redis(redis.build().unwrap()).store_policy(policy);
    let guards =
        if counts { guards.per_account(Rate::new(1_000, Duration::from_secs(60))).daily_budget(1_000) } else { guards };
    let guards = guards.build().unwrap();
    Desk::set(|builder| builder.guards(&guards).passes(passes()).rule(login()))
}

#[tokio::test]
async fn no_pass_is_accepted_while_redis_is_frozen_and_one_request_at_most_uses_it_in_the_end() {
    let Some(server) = Server::start() else { return };
    for (policy, counts) in [
        (StorePolicy::Local, true),
        (StorePolicy::Local, false),
        (StorePolicy::Refuse, true),
        (StorePolicy::Refuse, false),
    ] {
        let desks = [slow(&server.url(), policy, counts), slow(&server.url(), policy, counts)];
        let pass = desks[0].earned().await;
        server.signal("STOP");
        assert_ne!(desks[0].by_pass(&pass, &solved()).await.status(), 200, "{policy:?} {counts}");
        server.signal("CONT");
        let mut through = 0;
        for at in 0..40 {
            through += usize::from(desks[at % 2].by_pass(&pass, &solved()).await.status() == 200);
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert!(through <= 1, "{policy:?} {counts}: {through}");
    }
}

#[tokio::test]
async fn a_page_with_a_pass_has_it_in_the_header_alone_and_shares_it_with_listed_origins_alone() {
    let cors = Cors::origins(["https://shop.example"]).expose([PASS]).credentials(true);
    let desk = Desk::set(|builder| builder.passes(passes()).cors(cors).rule(login()));
    for (origin, shares) in [("https://shop.example", true), ("https://evil.example", false), ("null", false)] {
        for accept in ["text/html", "*/*"] {
            let mut request =
                post_json("/login", json!({"token": format!("650 {origin}{accept}"), "phone": PHONE}).to_string());
            request.headers_mut().insert(ACCEPT, accept.parse().unwrap());
            request.headers_mut().insert("origin", origin.parse().unwrap());
            let response = desk.send(request).await;
            assert_eq!(denial_reason(&response), Some(DenialReason::CaptchaRequired));
            let pass = response.headers()[PASS].to_str().unwrap().to_owned();
            let text = String::from_utf8(response.body().to_vec()).unwrap();
            assert_eq!(text.contains(&pass), accept == "*/*");
            assert_eq!(response.headers()["cache-control"], "no-store");
            let exposed = response.headers().get("access-control-expose-headers");
            assert_eq!(exposed.is_some_and(|exposed| exposed == PASS), shares);
            assert_eq!(response.headers().contains_key("access-control-allow-origin"), shares);
            assert_eq!(response.headers().contains_key("access-control-allow-credentials"), shares);
        }
    }
}

#[tokio::test]
async fn the_document_and_the_header_of_an_answer_have_the_same_pass_under_two_services() {
    let of = |name: &str| {
        let rule = login().name(name.to_owned()).passes(passes()).retry_pass([403]);
        JVerifyLayer::builder(verifier()).rule(rule).build()
    };
    let Ok(outer) = of("outer") else { return };
    // The outer one lets the risk through.
    let lenient = login().name("outer").passes(passes()).retry_pass([403]).policy(tower_jverify::Policy::empty().band(
        0,
        tower_jverify::Level::Low,
        tower_jverify::Action::Allow,
    ));
    outer.reload(JVerifyLayer::builder(verifier()).rule(lenient).build().unwrap());
    let service = outer.layer(of("inner").unwrap().layer(Application::default()));
    let body = json!({"token": "650 two", "phone": PHONE}).to_string();
    let response = service.oneshot(post_json("/login", body)).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(problem["code"], "captcha_required");
    assert_eq!(parts.headers.get_all(PASS).iter().count(), 1);
    assert_eq!(problem["pass"], parts.headers[PASS].to_str().unwrap());
}
