//! Against a real server, which each test starts for itself.

mod contract_of_a_store;
mod faults;
mod lies;
#[path = "../../../tests/it/support/redis_server.rs"]
mod redis_server;

use self::redis_server::{KEY, Server};
use super::{Redis, RedisBuilder};
use crate::secret::Secret;

fn builder(server: &Server) -> RedisBuilder {
    Redis::builder(server.url()).deployment_key(Secret::from(KEY))
}
