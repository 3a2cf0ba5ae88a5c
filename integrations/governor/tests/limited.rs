//! A limiter outside of the layer refuses before anything is paid; inside, what it refuses is paid already. Over real sockets.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{ServiceExt, extract::Request, response::Response};
use tokio::net::TcpListener;
use tower::Service;
use tower_governor::{GovernorLayer, governor::GovernorConfigBuilder};
use tower_jverify::{JVerifyLayer, Rule, number};
use tower_jverify_governor::limited;
use tower_jverify_support::{Verifier, application, ask, check, login};

/// As many requests as `limited` lets through at once.
const BURST: usize = 10;

fn layer(verifier: &Verifier) -> JVerifyLayer<Verifier> {
    JVerifyLayer::builder(verifier.clone()).rule(Rule::post("/login", number())).build().unwrap()
}

async fn serve<S>(service: S) -> SocketAddr
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = service.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// The statuses of so many logins, each with another invented address.
async fn logins(address: SocketAddr, count: usize) -> Vec<String> {
    let mut statuses = Vec::new();
    for number in 0..count {
        let invented = format!(
            "x-forwarded-for: 10.0.0.{number}\r\nforwarded: for=10.0.0.{number}\r\nx-real-ip: 10.0.0.{number}\r\n"
        );
        let answer = ask(address, "/login", &invented, &login()).await;
        let status = answer.split(' ').nth(1).unwrap().to_owned();
        assert_eq!(status == "429", answer.contains("\r\nretry-after: "), "{answer}");
        statuses.push(status);
    }
    statuses
}

/// Ten that pass, and five that the limiter refuses.
fn expected() -> Vec<&'static str> {
    [vec!["200"; BURST], vec!["429"; 5]].concat()
}

#[tokio::test]
async fn what_a_limiter_outside_refuses_costs_no_call() {
    let verifier = Verifier::default();
    let address = serve(limited(&layer(&verifier), application()).unwrap()).await;
    assert_eq!(logins(address, BURST + 5).await, expected());
    assert_eq!(verifier.calls(), BURST, "one for each login that passed");
}

#[tokio::test]
async fn what_a_limiter_inside_refuses_is_paid_already() {
    let verifier = Verifier::default();
    let limit = GovernorConfigBuilder::default().period(Duration::from_secs(30)).burst_size(10).finish().unwrap();
    let address = serve(layer(&verifier).around(application().layer(GovernorLayer::new(limit)))).await;
    assert_eq!(logins(address, BURST + 5).await, expected());
    assert_eq!(verifier.calls(), BURST + 5, "one for each login");
}

#[tokio::test]
async fn a_login_is_verified_a_forged_one_is_refused_and_a_neighbour_passes() {
    let limit = GovernorConfigBuilder::default().burst_size(100).finish().unwrap();
    let service = tower::Layer::layer(&GovernorLayer::new(limit), layer(&Verifier::default()).around(application()));
    check(serve(service).await).await;
}
