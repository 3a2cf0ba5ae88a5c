//! The store in Redis, which several instances share.
//!
//! # Threats
//!
//! People who can read Redis, its dumps or its log see all that the store writes. So a name is an HMAC under a key that
//! Redis does not have, and no value contains a phone, a token or an address. Redis may be down, frozen, full or a replica:
//! each operation ends within its deadline and returns an error. The caller decides what then happens.

mod connection_settings;
mod count;
mod deployment_key;
#[cfg(feature = "redis")]
mod dial;
#[cfg(feature = "redis")]
mod link;
#[cfg(feature = "redis")]
mod operations;
#[cfg(feature = "redis")]
mod place;
#[cfg(feature = "redis")]
mod scripts;
mod settings;
#[cfg(all(test, feature = "redis"))]
mod tests;
#[cfg(feature = "redis")]
mod tls;
mod wait;
#[cfg(not(feature = "redis"))]
mod without;

use std::{fmt, sync::Arc, time::Duration};

use self::deployment_key::DeploymentKey;
#[cfg(feature = "redis")]
use self::link::Link as Server;
pub use self::settings::RedisBuilder;
pub(crate) use self::{
    count::{CountReply, CountRequest},
    deployment_key::Name,
    wait::RedisWait,
};
use super::{Subject, day::Day};
#[cfg(not(feature = "redis"))]
use std::convert::Infallible as Server;

/// Redis or Valkey, in which several instances share claims, limits and budgets: see
/// [`GuardsBuilder::redis`](crate::GuardsBuilder::redis).
///
/// Redis 6.2 or later, or Valkey: one server ([`Redis::builder`]), the master that Sentinels name ([`Redis::sentinel`]), or a cluster
/// ([`Redis::cluster`]). All instances need the same deployment key.
///
/// Nothing connects before the first request. All operations of a request together end within [`RedisBuilder::deadline`].
/// [`StorePolicy`](crate::StorePolicy) configures what happens without an answer. After five failures in a row, requests do
/// not wait for Redis: a task asks it once a second whether it can write, and uses it again once it can.
///
/// Redis gets hashes and ids of checks, and no phone, token or address. Its clock counts for claims and rates, so the clocks of the
/// instances may differ. The day of a budget is that of each instance's clock.
///
/// Requires the Cargo feature `redis`: without it `build()` returns an error.
///
/// ```
/// use tower_jverify::{Guards, Redis, Secret};
///
/// # fn main() -> Result<(), tower_jverify::ConfigError> {
/// # let key = Secret::from(format!("of this run alone: {:?}", std::time::Instant::now()));
/// # if cfg!(feature = "redis") {
/// let redis = Redis::builder("redis://127.0.0.1:6379/0").deployment_key(key).build()?;
/// let guards = Guards::builder().redis(redis).build()?;
/// # let _ = guards;
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Redis {
    key: DeploymentKey,
    /// How long a request waits at most.
    deadline: Duration,
    server: Arc<Server>,
}

// === impl Redis ===

impl Redis {
    /// Uses one server: `redis://host:6379/0`, or `rediss://` for TLS. Set user and password in the URL, percent-encoded, or with
    /// [`RedisBuilder::auth`].
    pub fn builder(url: impl Into<String>) -> RedisBuilder {
        RedisBuilder::server(url.into())
    }

    /// Uses the master with this name, which the Sentinels at these URLs know. User and password in a URL are for that Sentinel; set
    /// those of the master with [`RedisBuilder::auth`]. With `rediss://` both use TLS.
    pub fn sentinel(master: impl Into<String>, urls: impl IntoIterator<Item = impl Into<String>>) -> RedisBuilder {
        RedisBuilder::sentinel(master.into(), urls.into_iter().map(Into::into).collect())
    }

    /// Uses a cluster. The URLs name some of its nodes. All nodes have the same user and password.
    pub fn cluster(urls: impl IntoIterator<Item = impl Into<String>>) -> RedisBuilder {
        RedisBuilder::cluster(urls.into_iter().map(Into::into).collect())
    }

    /// The maximum time of all operations of a request together.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The name of the subject in Redis, with the day of a sum.
    pub(crate) fn name(&self, subject: &Subject<'_>, day: Option<Day>) -> Name {
        self.key.name(subject, day)
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}
