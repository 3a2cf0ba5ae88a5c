//! What every store does.

use std::time::Duration;

use super::{KEY, Server, builder};
use crate::{
    ex_id::ExId,
    secret::Secret,
    store::{Claimed, Purpose, Redis, Store, StoreError, Subject, contract},
};

/// The permissions of the application's user. `docs/scaling.md` shows the same line.
pub(super) const USER: &str =
    "ACL SETUSER jverify on >password ~jverify:1:* +set +get +incrby +pttl +pexpire +del +time +evalsha +eval";

#[tokio::test]
async fn it_keeps_the_contract_of_a_store() {
    let Some(server) = Server::start() else { return };
    let redis = builder(&server).build().unwrap();
    contract::all(redis, async |time| server.advance(time)).await;
}

#[tokio::test]
async fn a_user_that_may_do_no_more_than_the_documentation_says_is_enough() {
    let page = include_str!("../../../../docs/scaling.md");
    assert!(page.lines().any(|line| line.trim() == USER), "docs/scaling.md shows another line than {USER}");
    for more in ["+select", "+cluster|slots"] {
        assert!(page.contains(&format!("`{more}`")), "{more}");
    }
    let Some(server) = Server::start() else { return };
    let of = |database: &str| {
        let redis = Redis::builder(format!("{}{database}", server.url())).deployment_key(Secret::from(KEY));
        redis.auth(Some("jverify"), Secret::from("password")).build().unwrap()
    };
    let may = |more: Option<&'static str>| {
        let words: Vec<&str> = USER.split(' ').chain(more).collect();
        assert!(server.execute(&[&words]).starts_with("+OK"));
    };
    may(None);
    contract::all(of(""), async |time| server.advance(time)).await;
    // Another database has to be selected.
    let subject = Subject::new(Purpose::Claim, &[b"token"]);
    let claim = async || of("/1").claim(&subject, &ExId::generate(), Duration::from_secs(60)).await;
    assert_eq!(claim().await, Err(StoreError::Down));
    may(Some("+select"));
    assert!(matches!(claim().await, Ok(Claimed::New(_))));
}
