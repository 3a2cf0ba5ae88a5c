//! What every store does.

use super::server::Server;
use crate::store::contract;

#[tokio::test]
async fn it_keeps_the_contract_of_a_store() {
    let Some(server) = Server::start() else { return };
    let redis = server.builder().build().unwrap();
    contract::all(redis, async |time| server.advance(time)).await;
}
