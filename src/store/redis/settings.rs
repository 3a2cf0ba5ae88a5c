//! How Redis is reached. The settings exist in every build.

use std::{fmt, time::Duration};

use super::{Redis, deployment_key::DeploymentKey};
use crate::{error::ConfigError, secret::Secret};

/// Configures [`Redis`].
#[derive(Clone)]
#[must_use = "a builder connects nothing until it is built"]
pub struct RedisBuilder {
    pub(super) reach: Reach,
    pub(super) key: Option<Secret>,
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

const DEADLINE: Duration = Duration::from_millis(100);

const SHORTEST: Duration = Duration::from_millis(10);

const LONGEST: Duration = Duration::from_secs(1);

// === impl RedisBuilder ===

impl RedisBuilder {
    pub(super) fn server(url: String) -> Self {
        Self::new(Reach::Server(url))
    }

    pub(super) fn sentinel(master: String, urls: Vec<String>) -> Self {
        Self::new(Reach::Sentinel { master, urls })
    }

    pub(super) fn cluster(urls: Vec<String>) -> Self {
        Self::new(Reach::Cluster(urls))
    }

    fn new(reach: Reach) -> Self {
        Self { reach, key: None, username: None, password: None, deadline: DEADLINE, extra_roots: Vec::new() }
    }

    /// The secret key under which all instances hash what they share: at least 32 bytes, the same for all of them. Instances with
    /// another key share nothing with these. Required.
    ///
    /// Make one with `openssl rand -hex 32`. The examples of this documentation are refused:
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

    /// The password of the server (of the master, of all nodes), and the user where it is not `default`. Takes the place of what is in
    /// the URL.
    pub fn auth(mut self, username: Option<&str>, password: Secret) -> Self {
        self.username = username.map(Into::into);
        self.password = Some(password);
        self
    }

    /// How long one operation may take, with the time that a connection takes. Default: 100 ms; 10 ms to 1 s.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Trusts the certificates of this PEM as well as the usual ones, for `rediss://`.
    pub fn extra_root_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.extra_roots.push(pem.into());
        self
    }

    /// # Errors
    ///
    /// Names the first setting that is missing or out of its range; `redis` in a build without the feature `redis`.
    pub fn build(self) -> Result<Redis, ConfigError> {
        let key = DeploymentKey::new(self.key.as_ref())?;
        if !(SHORTEST..=LONGEST).contains(&self.deadline) {
            return Err(ConfigError::new("redis.deadline", format!("{:?}", self.deadline), "10 ms to 1 s"));
        }
        self.connected(key)
    }

    #[cfg(feature = "redis")]
    fn connected(self, key: DeploymentKey) -> Result<Redis, ConfigError> {
        use std::sync::Arc;

        use super::{dial::Dialler, link::Link};

        let deadline = self.deadline;
        Ok(Redis { key, server: Arc::new(Link::new(Dialler::new(&self)?, deadline)) })
    }

    #[cfg(not(feature = "redis"))]
    fn connected(self, _: DeploymentKey) -> Result<Redis, ConfigError> {
        let kind = match self.reach {
            Reach::Server(_) => "a server",
            Reach::Sentinel { .. } => "a master of Sentinels",
            Reach::Cluster(_) => "a cluster",
        };
        Err(ConfigError::feature("redis", kind, "redis"))
    }
}

impl fmt::Debug for RedisBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBuilder").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
