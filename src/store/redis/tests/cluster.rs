//! A cluster of three nodes.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{DEADLINE, KEY, Server, contract_of_a_store::USER};
use crate::{
    ex_id::ExId,
    secret::Secret,
    store::{Claimed, Purpose, Redis, Store, Subject, contract},
};

/// Gives the node a user that may do no more than the documentation says.
fn add_user(node: &Server) {
    let user: Vec<&str> = USER.split(' ').chain(["+cluster|slots"]).collect();
    assert!(node.execute(&[&user]).starts_with("+OK"));
}

fn redis(nodes: &[Server]) -> Redis {
    nodes.iter().for_each(add_user);
    let redis = Redis::cluster(nodes.iter().map(Server::url)).deployment_key(Secret::from(KEY));
    let redis = redis.auth(Some("jverify"), Secret::from("password"));
    redis.deadline(DEADLINE).build().unwrap()
}

#[tokio::test]
async fn a_cluster_keeps_the_contract_of_a_store() {
    let Some(nodes) = Server::start_cluster() else { return };
    contract::all(redis(&nodes), async |time| nodes.iter().for_each(|node| node.advance(time))).await;
    let held = nodes.iter().filter(|node| node.execute(&[&["DBSIZE"]]).starts_with(":0")).count();
    assert_eq!(held, 0, "all nodes hold something");
}

#[tokio::test]
async fn with_one_node_of_three_gone_every_operation_ends_and_the_keys_of_the_others_still_work() {
    let Some(mut nodes) = Server::start_cluster() else { return };
    let redis = redis(&nodes);
    nodes[0].kill();
    let some = async {
        let mut claimed = 0;
        for number in 0_u32.. {
            let number = number.to_le_bytes();
            let parts: [&[u8]; 1] = [&number];
            let (subject, by) = (Subject::new(Purpose::Claim, &parts), ExId::generate());
            let claim = redis.claim(&subject, &by, Duration::from_secs(60));
            let answer = timeout(Duration::from_secs(5), claim).await.expect("every operation ends");
            if let Ok(Claimed::New(_)) = answer {
                claimed += 1;
            }
            if claimed == 20 {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(60), some).await.expect("two thirds of the slots work");
}
