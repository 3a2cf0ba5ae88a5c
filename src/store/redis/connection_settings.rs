//! The configured connection to Redis.

use std::time::Duration;

use crate::secret::Secret;

/// The settings of a connection.
#[derive(Clone)]
pub(super) struct ConnectionSettings {
    pub(super) address: Address,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) deadline: Duration,
    pub(super) extra_roots: Vec<Vec<u8>>,
}

/// The address of Redis. URLs may contain passwords.
#[derive(Clone)]
pub(super) enum Address {
    Server(String),
    Sentinel { master: String, urls: Vec<String> },
    Cluster(Vec<String>),
}
