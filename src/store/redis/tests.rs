//! Against a real server, which each test starts for itself.

mod cluster;
mod contract_of_a_store;
mod faults;
mod lies;
#[path = "../../../tests/it/support/redis_server.rs"]
mod redis_server;
mod sentinel;

use std::time::Duration;

use self::redis_server::{KEY, Server};
use super::{Redis, RedisBuilder};
use crate::secret::Secret;

/// Longer than the default: the machine may be busy.
const DEADLINE: Duration = Duration::from_millis(500);

fn builder(server: &Server) -> RedisBuilder {
    Redis::builder(server.url()).deployment_key(Secret::from(KEY)).deadline(DEADLINE)
}
