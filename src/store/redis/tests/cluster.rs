//! A cluster of three nodes.

use std::{net::TcpListener, process::Command, time::Duration};

use tokio::time::{sleep, timeout};

use super::{DEADLINE, KEY, Server, contract_of_a_store::USER};
use crate::{
    ex_id::ExId,
    secret::Secret,
    store::{Claimed, Purpose, Redis, Store, Subject, contract},
};

/// Three masters, each with a third of the slots.
fn start() -> Option<Vec<Server>> {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let node = |_| {
        let settings = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-port"];
        Server::start_with(&[&settings[..], &[&free()]].concat())
    };
    let nodes: Vec<Server> = (0..3).map(node).collect::<Option<_>>()?;
    let places = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
    let made = Command::new("redis-cli").args(["--cluster", "create"]).args(places).arg("--cluster-yes").output();
    let made = made.expect("redis-cli comes with redis-server");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    for node in &nodes {
        node.wait_for(&["CLUSTER", "INFO"], "cluster_state:ok");
        node.wait_for(&["CLUSTER", "INFO"], "cluster_slots_ok:16384");
    }
    Some(nodes)
}

fn redis(nodes: &[Server]) -> Redis {
    // A user that may do no more than the documentation says.
    let user: Vec<&str> = USER.split(' ').chain(["+cluster|slots"]).collect();
    for node in nodes {
        assert!(node.tell(&[&user]).starts_with("+OK"));
    }
    let redis = Redis::cluster(nodes.iter().map(Server::url)).deployment_key(Secret::from(KEY));
    let redis = redis.auth(Some("jverify"), Secret::from("password"));
    redis.deadline(DEADLINE).build().unwrap()
}

#[tokio::test]
async fn a_cluster_keeps_the_contract_of_a_store() {
    let Some(nodes) = start() else { return };
    contract::all(redis(&nodes), async |time| nodes.iter().for_each(|node| node.advance(time))).await;
    let held = nodes.iter().filter(|node| node.tell(&[&["DBSIZE"]]).starts_with(":0")).count();
    assert_eq!(held, 0, "all nodes hold something");
}

#[tokio::test]
async fn with_one_node_of_three_gone_what_the_others_hold_still_works() {
    let Some(mut nodes) = start() else { return };
    let redis = redis(&nodes);
    nodes[0].kill();
    let parts = |number: u32| number.to_le_bytes();
    let some = async {
        let mut claimed = 0;
        for number in 0_u32.. {
            let part = parts(number);
            let parts: [&[u8]; 1] = [&part];
            let subject = Subject::new(Purpose::Claim, &parts);
            let by = ExId::generate();
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
