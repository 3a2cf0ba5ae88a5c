//! A cluster of three nodes.

use std::{ops::Range, time::Duration};

use crc16::{State, XMODEM};
use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use super::{DEADLINE, KEY, Server, contract_of_a_store::USER};
use crate::{
    ex_id::ExId,
    secret::Secret,
    store::{Claimed, Purpose, Redis, Store, StoreError, Subject, contract},
};

/// Gives the node a user that may do no more than the documentation says.
fn add_user(node: &Server) {
    let user: Vec<&str> = USER.split(' ').chain(["+cluster|slots"]).collect();
    assert!(node.tell(&[&user]).starts_with("+OK"));
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
    let held = nodes.iter().filter(|node| node.tell(&[&["DBSIZE"]]).starts_with(":0")).count();
    assert_eq!(held, 0, "all nodes hold something");
}

/// Claims what has this number.
async fn claim(redis: &Redis, number: u32) -> Result<Claimed, StoreError> {
    let part = number.to_le_bytes();
    let claim = redis.claim(&Subject::new(Purpose::Claim, &[&part]), &ExId::generate(), Duration::from_secs(60)).await;
    claim.inspect_err(|error| assert!(matches!(error, StoreError::Down | StoreError::Timeout), "{error:?}"))
}

/// Numbers whose claims are on the first node, and numbers whose claims are on the others.
fn shared_out(redis: &Redis, numbers: Range<u32>) -> (Vec<u32>, Vec<u32>) {
    numbers.partition(|number| {
        let name = redis.name(&Subject::new(Purpose::Claim, &[&number.to_le_bytes()]), None);
        State::<XMODEM>::calculate(name.as_str().as_bytes()) % 16_384 <= 5_460
    })
}

/// How many connections the other nodes have.
fn connections(nodes: &[Server]) -> Vec<usize> {
    nodes[1..].iter().map(|node| node.tell(&[&["CLIENT", "LIST"]]).matches("user=jverify").count()).collect()
}

#[tokio::test]
async fn a_node_that_is_gone_or_frozen_costs_its_own_range_alone_and_that_soon_no_time() {
    let Some(mut nodes) = Server::start_cluster() else { return };
    let redis = redis(&nodes);
    let mut next = 0;
    let mut fresh = |count: u32| {
        next += count;
        next - count..next
    };
    for is_killed in [true, false] {
        let (first, others) = shared_out(&redis, fresh(60));
        for number in first.iter().chain(&others) {
            assert!(matches!(claim(&redis, *number).await, Ok(Claimed::New(_))));
        }
        let before = connections(&nodes);
        if is_killed {
            nodes[0].kill();
        } else {
            nodes[0].signal("STOP");
        }
        let (first, others) = shared_out(&redis, fresh(600));
        let lost = async {
            let claims = join_all(first.iter().map(|number| claim(&redis, *number))).await;
            assert!(claims.iter().all(Result::is_err), "of the lost node");
        };
        let kept = async {
            for number in &others {
                assert!(matches!(claim(&redis, *number).await, Ok(Claimed::New(_))), "{number} is of another node");
            }
        };
        tokio::join!(lost, kept);
        assert_eq!(connections(&nodes), before, "the connection stays");
        // All parts of the first node that lie on it alone are skipped once each has failed five times.
        let again: Vec<u32> = shared_out(&redis, fresh(1_500)).0;
        let all = join_all(again.iter().map(|number| claim(&redis, *number))).await;
        assert!(all.iter().all(Result::is_err));
        let (third, _) = shared_out(&redis, fresh(900));
        let mut timeouts = 0;
        for number in third {
            timeouts += u32::from(claim(&redis, number).await == Err(StoreError::Timeout));
        }
        assert!(timeouts < 20, "{timeouts} of about 300 have waited");
        if is_killed {
            nodes[0].spawn();
            add_user(&nodes[0]);
        } else {
            nodes[0].signal("CONT");
        }
        let back = async {
            for number in 1_000_000_u32.. {
                let (first, _) = shared_out(&redis, number..number + 1);
                if !first.is_empty() && claim(&redis, number).await.is_ok() {
                    return;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(60), back).await.expect("the node is back");
        nodes[1].wait_for(&["CLUSTER", "INFO"], "cluster_state:ok");
        // Each part for itself.
        sleep(Duration::from_secs(3)).await;
    }
}
