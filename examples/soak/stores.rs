//! The faults of Redis, and their order.

use std::{error::Error, time::Duration};

use tokio::{
    task::block_in_place,
    time::{Instant, sleep},
};
use tower_jverify::{ConfigError, Redis, Secret};

use crate::redis_server::{KEY, Server};

/// One server, and a cluster of three.
pub(crate) struct Stores {
    server: Server,
    nodes: Vec<Server>,
    /// The number of faults so far.
    pub(crate) faults: u32,
}

#[derive(Clone, Copy)]
enum Fault {
    Killed,
    Frozen,
    Paused,
    ReadOnly,
    Full,
    Emptied,
}

const LASTS: Duration = Duration::from_secs(2);

/// The time after a fault without another one, in which Redis is used again.
const PEACE: Duration = Duration::from_secs(2);

// === impl Stores ===

impl Stores {
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let server = Server::start().ok_or("`--redis`: no redis-server")?;
        let nodes = Server::start_cluster().ok_or("`--redis`: no redis-server")?;
        Ok(Self { server, nodes, faults: 0 })
    }

    pub(crate) fn redis(&self) -> Result<Redis, ConfigError> {
        Redis::builder(self.server.url()).deployment_key(Secret::from(KEY)).build()
    }

    pub(crate) fn cluster(&self) -> Result<Redis, ConfigError> {
        Redis::cluster(self.nodes.iter().map(Server::url)).deployment_key(Secret::from(KEY)).build()
    }

    /// Injects one fault after the other until `end`.
    pub(crate) async fn go_wrong_until(&mut self, end: Instant) {
        for fault in Fault::ALL.into_iter().cycle() {
            if end.saturating_duration_since(Instant::now()) < LASTS + PEACE {
                break;
            }
            self.faults += 1;
            block_in_place(|| fault.begin(&mut self.server));
            sleep(LASTS).await;
            block_in_place(|| fault.end(&mut self.server));
            sleep(PEACE).await;
        }
        sleep(end.saturating_duration_since(Instant::now())).await;
    }

    /// Kills and restarts one node of the cluster, and freezes another.
    pub(crate) async fn lose_nodes(&mut self) {
        for (place, fault) in [Fault::Killed, Fault::Frozen].into_iter().enumerate() {
            sleep(PEACE).await;
            let Some(node) = self.nodes.get_mut(place) else { return };
            self.faults += 1;
            block_in_place(|| fault.begin(node));
            sleep(LASTS).await;
            block_in_place(|| fault.end(node));
        }
        sleep(PEACE * 2).await;
    }

    /// Whether each of the servers has been used.
    pub(crate) fn are_used(&self) -> bool {
        let used = |server: &Server| server.execute(&[&["INFO", "commandstats"]]).contains("cmdstat_evalsha:calls=");
        used(&self.server) && self.nodes.iter().all(used)
    }
}

// === impl Fault ===

impl Fault {
    const ALL: [Self; 6] = [Self::Killed, Self::Frozen, Self::Paused, Self::ReadOnly, Self::Full, Self::Emptied];

    fn begin(self, server: &mut Server) {
        match self {
            Self::Killed => server.kill(),
            Self::Frozen => server.signal("STOP"),
            Self::Paused => server.pause(u32::try_from(LASTS.as_millis()).unwrap_or_default()),
            Self::ReadOnly => drop(server.execute(&[&["REPLICAOF", "127.0.0.1", "1"]])),
            Self::Full => drop(server.execute(&[&["CONFIG", "SET", "maxmemory", "1"]])),
            Self::Emptied => drop(server.execute(&[&["FLUSHALL"], &["SCRIPT", "FLUSH"]])),
        }
    }

    fn end(self, server: &mut Server) {
        match self {
            Self::Killed => drop(server.spawn()),
            Self::Frozen => server.signal("CONT"),
            Self::ReadOnly => drop(server.execute(&[&["REPLICAOF", "NO", "ONE"]])),
            Self::Full => drop(server.execute(&[&["CONFIG", "SET", "maxmemory", "0"]])),
            Self::Paused | Self::Emptied => {}
        }
    }
}
