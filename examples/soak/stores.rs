//! The faults of Redis, and their order.

use std::{error::Error, time::Duration};

use tokio::{
    task::block_in_place,
    time::{Instant, sleep},
};
use tower_jverify::{ConfigError, Redis, Secret};

use crate::redis_server::{KEY, Server, Watched};

/// One server, a cluster of three, and a master with a replica that Sentinel watches.
pub(crate) struct Stores {
    server: Server,
    nodes: Vec<Server>,
    master: Server,
    replica: Server,
    sentinel: Server,
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
        const NONE: &str = "`--redis`: no redis-server";
        let server = Server::start().ok_or(NONE)?;
        let nodes = Server::start_cluster().ok_or(NONE)?;
        let Watched { master, replica, sentinel } = Watched::start().ok_or(NONE)?;
        Ok(Self { server, nodes, master, replica, sentinel, faults: 0 })
    }

    pub(crate) fn redis(&self) -> Result<Redis, ConfigError> {
        Redis::builder(self.server.url()).deployment_key(Secret::from(KEY)).build()
    }

    pub(crate) fn cluster(&self) -> Result<Redis, ConfigError> {
        Redis::cluster(self.nodes.iter().map(Server::url)).deployment_key(Secret::from(KEY)).build()
    }

    /// The master that Sentinel names.
    pub(crate) fn watched(&self) -> Result<Redis, ConfigError> {
        Redis::sentinel("main", [self.sentinel.url()]).deployment_key(Secret::from(KEY)).build()
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

    /// Kills the master, and waits until Sentinel has put the replica in its place and for a while longer.
    pub(crate) async fn fail_over(&mut self) {
        sleep(PEACE).await;
        self.faults += 1;
        block_in_place(|| {
            self.master.kill();
            self.replica.wait_for(&["ROLE"], "master");
        });
        sleep(PEACE * 3).await;
    }

    /// Whether each of the servers has been used: of the master and its replica, the one that is the master now.
    pub(crate) fn are_used(&self) -> bool {
        let used = |server: &Server| server.execute(&[&["INFO", "commandstats"]]).contains("cmdstat_evalsha:calls=");
        used(&self.server) && self.nodes.iter().all(used) && used(&self.replica)
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
