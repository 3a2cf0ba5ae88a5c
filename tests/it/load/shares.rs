//! CASES 86: one client holds at most an eighth of the bulkhead.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::time::sleep;
use tower_jverify::{Class, ClientIp, DenialReason, Fallback, JVerifyLayer, Policy, Rule, number};

use super::{Slow, leave, started};
use crate::support::{Application, LOGIN, asking, denial, post_json, send};

fn login(from: &str) -> Request<Full<Bytes>> {
    let mut request = post_json("/login", LOGIN);
    request.headers_mut().insert("x-forwarded-for", from.parse().unwrap());
    request
}

fn layer(slow: &Slow, rule: Rule) -> JVerifyLayer<Slow> {
    asking(slow.clone()).rule(rule).in_flight(16).build().unwrap()
}

fn rule() -> Rule {
    Rule::post("/login", number()).client_ip(ClientIp::forwarded(1))
}

async fn is_over_its_share(layer: &JVerifyLayer<Slow>, slow: &Slow, from: &str) {
    let (application, before) = (Application::default(), slow.started());
    let response = send(layer, &application, login(from)).await;
    assert_eq!((response.status().as_u16(), denial(&response).reason()), (503, DenialReason::Overloaded), "{from}");
    assert_eq!(response.headers()["retry-after"], "1", "{from}");
    assert_eq!((slow.started(), application.runs()), (before, 0), "{from}");
}

#[tokio::test(start_paused = true)]
async fn a_client_over_its_share_is_refused_and_the_others_are_not() {
    let slow = Slow::taking(2_000);
    // A client over its share is not an outage.
    let layer = layer(&slow, rule().policy(Policy::default().on(Class::Unavailable, Fallback::Open)));
    for (one, same) in [
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("2001:db8:1:2::1", "[2001:db8:1:2:ffff::9]:4711"),
        // Of all who are not found.
        ("unknown", ""),
    ] {
        let first = started(&layer, &slow, login(one)).await;
        let second = started(&layer, &slow, login(same)).await;
        is_over_its_share(&layer, &slow, one).await;
        is_over_its_share(&layer, &slow, same).await;
        leave(started(&layer, &slow, login("192.0.2.77")).await).await;

        // A client that leaves keeps its share until its check has ended.
        leave(first).await;
        is_over_its_share(&layer, &slow, one).await;
        layer.drained().await;
        assert_eq!(second.await.unwrap().status(), 200, "{one}");
        leave(started(&layer, &slow, login(one)).await).await;
        layer.drained().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_ends_gives_back_one_place_of_its_client_and_no_other() {
    let slow = Slow::taking(2_000);
    let layer = layer(&slow, rule());
    let first = started(&layer, &slow, login("192.0.2.1")).await;
    sleep(Duration::from_secs(1)).await;
    let second = started(&layer, &slow, login("192.0.2.1")).await;
    assert_eq!(first.await.unwrap().status(), 200);
    assert!(!second.is_finished());
    let third = started(&layer, &slow, login("192.0.2.1")).await;
    is_over_its_share(&layer, &slow, "192.0.2.1").await;
    assert_eq!(second.await.unwrap().status(), 200);
    assert_eq!(third.await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn without_client_ip_clients_have_no_share() {
    let slow = Slow::taking(2_000);
    let layer = layer(&slow, Rule::post("/login", number()));
    for _ in 0..16 {
        leave(started(&layer, &slow, login("192.0.2.1")).await).await;
    }
    is_over_its_share(&layer, &slow, "192.0.2.1").await;
    layer.drained().await;
    assert_eq!((slow.answered(), slow.most()), (16, 16));
}

#[tokio::test(start_paused = true)]
async fn a_rule_with_its_own_bulkhead_has_its_own_shares() {
    let slow = Slow::taking(2_000);
    let own = |path| Rule::post(path, number()).client_ip(ClientIp::forwarded(1));
    let layer = asking(slow.clone()).rule(own("/login")).rule(own("/own").in_flight(1));
    let layer = layer.rule(own("/shared")).in_flight(1).build().unwrap();
    let first = started(&layer, &slow, login("192.0.2.1")).await;
    let to = |path: &str| {
        let mut request = login("192.0.2.1");
        *request.uri_mut() = path.parse().unwrap();
        request
    };
    assert_eq!(send(&layer, &Application::default(), to("/shared")).await.status(), 503);
    let second = started(&layer, &slow, to("/own")).await;
    assert_eq!(send(&layer, &Application::default(), to("/own")).await.status(), 503);
    assert_eq!(
        (first.await.unwrap().status(), second.await.unwrap().status()),
        (http::StatusCode::OK, http::StatusCode::OK)
    );
}
