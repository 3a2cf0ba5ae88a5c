//! What every store does.

use super::{Server, builder};
use crate::store::contract;

#[tokio::test]
async fn it_keeps_the_contract_of_a_store() {
    let Some(server) = Server::start() else { return };
    let redis = builder(&server).build().unwrap();
    contract::all(redis, async |time| server.advance(time)).await;
}
