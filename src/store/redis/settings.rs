//! The settings of the connection to Redis. They exist in every build.

use std::{fmt, time::Duration};

use super::{
    Redis,
    connection_settings::{Address, ConnectionSettings},
    deployment_key::DeploymentKey,
};
use crate::{error::ConfigError, secret::Secret};

/// Configures [`Redis`].
///
/// ```
/// use std::time::Duration;
///
/// use tower_jverify::{Redis, Secret};
///
/// let redis = Redis::sentinel("logins", ["redis://10.0.0.1:26379", "redis://10.0.0.2:26379"])
///     .auth(Some("jverify"), Secret::from("password"))
///     .deadline(Duration::from_millis(50));
/// # let _ = redis;
/// ```
#[derive(Clone)]
#[must_use = "a builder connects nothing until it is built"]
pub struct RedisBuilder {
    key: Option<Secret>,
    connection: ConnectionSettings,
}

const DEADLINE: Duration = Duration::from_millis(100);

const SHORTEST: Duration = Duration::from_millis(10);

const LONGEST: Duration = Duration::from_secs(1);

// === impl RedisBuilder ===

impl RedisBuilder {
    pub(super) fn server(url: String) -> Self {
        Self::new(Address::Server(url))
    }

    pub(super) fn sentinel(master: String, urls: Vec<String>) -> Self {
        Self::new(Address::Sentinel { master, urls })
    }

    pub(super) fn cluster(urls: Vec<String>) -> Self {
        Self::new(Address::Cluster(urls))
    }

    fn new(address: Address) -> Self {
        let connection =
            ConnectionSettings { address, username: None, password: None, deadline: DEADLINE, extra_roots: Vec::new() };
        Self { key: None, connection }
    }

    /// Sets the secret key under which all instances hash what they share: at least 32 bytes, the same for all instances. Instances
    /// with different keys share nothing. Required: there is no default.
    ///
    /// `openssl rand -hex 32` generates one. The examples of this documentation are refused:
    ///
    /// ```
    /// # use tower_jverify::{Redis, Secret};
    /// let redis = Redis::builder("redis://127.0.0.1").deployment_key(Secret::from("an example: never deploy this key"));
    /// assert!(redis.build().is_err());
    /// ```
    pub fn deployment_key(mut self, key: Secret) -> Self {
        self.key = Some(key);
        self
    }

    /// Sets the password of the server (of the master, of all nodes), and the user if it is not `default`. Replaces those of the URL.
    /// Default: those of the URL.
    pub fn auth(mut self, username: Option<&str>, password: Secret) -> Self {
        self.connection.username = username.map(Into::into);
        self.connection.password = Some(password);
        self
    }

    /// Limits how long a request waits for Redis: all of its operations together, including the time to connect. After that, Redis is not asked
    /// again for this request, and [`StorePolicy`](crate::StorePolicy) configures what happens. Default: 100 ms; 10 ms to 1 s.
    ///
    /// The `deadline` of a rule must be longer than 1 s and this together, because no check starts with less than 1 s left.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.connection.deadline = deadline;
        self
    }

    /// Also trusts the certificates of this PEM, for `rediss://`. Default: none.
    pub fn extra_root_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.connection.extra_roots.push(pem.into());
        self
    }

    /// # Errors
    ///
    /// Names the first setting that is missing or out of its range; `redis` in a build without the feature `redis`.
    pub fn build(self) -> Result<Redis, ConfigError> {
        let key = DeploymentKey::new(self.key.as_ref())?;
        if !(SHORTEST..=LONGEST).contains(&self.connection.deadline) {
            return Err(ConfigError::new("redis.deadline", format!("{:?}", self.connection.deadline), "10 ms to 1 s"));
        }
        self.connected(key)
    }

    #[cfg(feature = "redis")]
    fn connected(self, key: DeploymentKey) -> Result<Redis, ConfigError> {
        use std::sync::Arc;

        use super::{dial::Dialler, link::Link};

        let deadline = self.connection.deadline;
        Ok(Redis { key, deadline, server: Arc::new(Link::new(Dialler::new(&self.connection)?, deadline)) })
    }

    #[cfg(not(feature = "redis"))]
    fn connected(self, _: DeploymentKey) -> Result<Redis, ConfigError> {
        let kind = match self.connection.address {
            Address::Server(_) => "a server",
            Address::Sentinel { .. } => "a master of Sentinels",
            Address::Cluster(_) => "a cluster",
        };
        Err(ConfigError::feature("redis", kind, "redis"))
    }
}

impl fmt::Debug for RedisBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBuilder").field("deadline", &self.connection.deadline).finish_non_exhaustive()
    }
}
