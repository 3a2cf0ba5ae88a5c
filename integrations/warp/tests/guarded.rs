//! A warp application behind the layer, over real sockets.

use std::net::SocketAddr;

use hyper::body::Bytes;
use tokio::net::TcpListener;
use tower_jverify::{Decision, JVerifyLayer, Rule, number};
use tower_jverify_support::{Verifier, check};
use warp::Filter;

/// Says what reached it.
fn application(decision: Option<Decision>, said: Option<String>, body: Bytes) -> String {
    let decision = decision.map(|decision| (decision.is_verified(), decision.phone()));
    format!("{decision:?} {said:?} {}", body.len())
}

async fn serve() -> SocketAddr {
    let layer = JVerifyLayer::builder(Verifier::default()).rule(Rule::post("/login", number())).build().unwrap();
    let filter = warp::post()
        .and(warp::path("login").or(warp::path("health")).unify())
        .and(warp::path::end())
        .and(warp::ext::optional::<Decision>())
        .and(warp::header::optional::<String>("x-jverify-decision"))
        .and(warp::body::bytes())
        .map(application);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(tower_jverify_warp::serve(listener, filter, layer));
    address
}

#[tokio::test]
async fn a_login_is_verified_a_forged_one_is_refused_and_a_neighbour_passes() {
    check(serve().await).await;
}
