//! What instances share.

use tower_jverify::{DenialReason, GuardsBuilder};

use super::{Instance, PHONE, builder};
use crate::support::{Verifier, code, redis_server::Server};

#[tokio::test]
async fn a_token_that_one_instance_has_asked_about_is_refused_by_the_others_without_a_call() {
    let Some(server) = Server::start() else { return };
    let (one, other) = (Instance::new(&server), Instance::new(&server));
    assert_eq!(one.login("token", 1).await, Ok(()));
    let replayed = other.send("192.0.2.1", "token", PHONE).await;
    assert_eq!((replayed.status().as_u16(), code(&replayed)), (403, "proof_expired".into()));
    assert_eq!((one.verifier.calls(), other.verifier.calls()), (1, 0));
    // What an instance has asked about itself, it refuses by its own memory.
    assert_eq!(one.login("token", 2).await, Err(DenialReason::Replayed));
    assert_eq!(other.login("another", 3).await, Ok(()));
}

#[tokio::test]
async fn a_client_has_its_tries_once_over_all_instances() {
    let Some(server) = Server::start() else { return };
    let instances = [Instance::new(&server), Instance::new(&server)];
    for n in 0..6 {
        let login = instances[n % 2].login_from("192.0.2.1", &format!("token {n}"), PHONE).await;
        assert_eq!(login, if n < 3 { Ok(()) } else { Err(DenialReason::RateLimited) }, "{n}");
    }
    assert_eq!(instances[0].login_from("192.0.2.2", "of another client", PHONE).await, Ok(()));
}

#[tokio::test]
async fn an_account_has_its_budget_once_over_all_instances_and_a_limited_client_uses_none_of_it() {
    let Some(server) = Server::start() else { return };
    let budget = |guards: GuardsBuilder| guards.daily_budget(5);
    let instances = [Instance::with(&server, budget), Instance::with(&server, budget)];
    for n in 0..8 {
        let login = instances[n % 2].login_from("192.0.2.1", &format!("limited {n}"), PHONE).await;
        assert_eq!(login.is_ok(), n < 3, "{n}");
    }
    for n in 0..6_u32 {
        let login = instances[n as usize % 2].login(&format!("token {n}"), n).await;
        assert_eq!(login, if n < 2 { Ok(()) } else { Err(DenialReason::Budget) }, "{n}");
    }
}

#[tokio::test]
async fn instances_with_other_keys_share_nothing() {
    let Some(server) = Server::start() else { return };
    let one = Instance::new(&server);
    let key = tower_jverify::Secret::from("another deployment, another key: 32");
    let other = Instance::of(Verifier::passing(), builder(&server.url()).deployment_key(key), |guards| guards);
    assert_eq!(one.login("token", 1).await, Ok(()));
    assert_eq!(other.login("token", 1).await, Ok(()));
}
