//! A salvo application behind the layer, over real sockets.

use std::net::SocketAddr;

use salvo::{conn::tcp::TcpAcceptor, prelude::*};
use tower_jverify::{Decision, JVerifyLayer, Rule, number};
use tower_jverify_salvo::guarded_by;
use tower_jverify_support::{Verifier, check};

/// Says what reached it.
#[handler]
async fn application(request: &mut Request) -> String {
    let decision = request.extensions().get::<Decision>().map(|decision| (decision.is_verified(), decision.phone()));
    let said = request.headers().get("x-jverify-decision").map(|value| value.to_str().unwrap().to_owned());
    let body = request.payload().await.unwrap();
    format!("{decision:?} {said:?} {}", body.len())
}

async fn serve() -> SocketAddr {
    let layer = JVerifyLayer::builder(Verifier::default()).rule(Rule::post("/login", number())).build().unwrap();
    let router = Router::new()
        .hoop(guarded_by(layer))
        .push(Router::with_path("login").post(application))
        .push(Router::with_path("health").post(application));
    let acceptor: TcpAcceptor = TcpListener::new("127.0.0.1:0").bind().await;
    let address = acceptor.local_addr().unwrap();
    tokio::spawn(Server::new(acceptor).serve(router));
    address
}

#[tokio::test]
async fn a_login_is_verified_a_forged_one_is_refused_and_a_neighbour_passes() {
    check(serve().await).await;
}
