//! The way to Redis, as it is configured.

use std::time::Duration;

use crate::secret::Secret;

/// All that a connection needs to know.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) reach: Reach,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) deadline: Duration,
    pub(super) extra_roots: Vec<Vec<u8>>,
}

/// Where Redis is. URLs may hold passwords.
#[derive(Clone)]
pub(super) enum Reach {
    Server(String),
    Sentinel { master: String, urls: Vec<String> },
    Cluster(Vec<String>),
}
