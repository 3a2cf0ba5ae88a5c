//! One connection to the server that can write: DNS, Sentinel, TCP, TLS and login.

use std::{io, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, RedisError, RedisResult, Value,
    aio::MultiplexedConnection,
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    from_redis_value,
};
use rustls::pki_types::ServerName;
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::AbortHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    connection_settings::{Address, ConnectionSettings},
    place::{Login, Place},
    tls,
};
use crate::error::ConfigError;

/// The settings of a dial.
pub(super) struct Dialler {
    route: Route,
    tls: TlsConnector,
}

enum Route {
    Server(Place),
    Sentinel { master: String, sentinels: Vec<Place>, login: Login },
    Cluster(Box<ClusterClient>),
}

/// A connection. Clones share it, and it closes with the last clone.
#[derive(Clone)]
pub(super) enum Wire {
    Server { connection: MultiplexedConnection, driver: Arc<Driver> },
    Cluster(ClusterConnection),
}

/// The task that reads and writes a connection.
pub(super) struct Driver(AbortHandle);

/// How many commands of one connection wait for their answers at the same time. Further commands wait, within their deadlines.
const IN_FLIGHT: usize = 4_096;

/// How many commands wait to be written.
const UNWRITTEN: usize = 256;

/// How long one Sentinel may take. Then the next one is asked.
const SENTINEL: Duration = Duration::from_millis(250);

const PORT: u16 = 6379;

const SENTINEL_PORT: u16 = 26379;

// === impl Dialler ===

impl Dialler {
    pub(super) fn new(settings: &ConnectionSettings) -> Result<Self, ConfigError> {
        let login = |url: Login| Login::or(settings.username.as_deref(), settings.password.as_ref(), url);
        let places = |urls: &[String], port| {
            let places: Vec<Place> = urls.iter().map(|url| Place::parse(url, port)).collect::<Result<_, _>>()?;
            let wrong = |problem: &'static str| Err(ConfigError::unshown("redis.url", problem));
            match places.split_first() {
                None => wrong("the list is empty"),
                // A Sentinel without TLS could read the password of the master.
                Some((first, others)) if others.iter().any(|other| other.tls != first.tls) => {
                    wrong("mixes `redis://` and `rediss://`")
                }
                Some(_) => Ok(places),
            }
        };
        let route = match &settings.address {
            Address::Server(url) => {
                let place = Place::parse(url, PORT)?;
                Route::Server(Place { login: login(place.login.clone()), ..place })
            }
            Address::Sentinel { master, urls } => Route::Sentinel {
                master: master.clone(),
                sentinels: places(urls, SENTINEL_PORT)?,
                login: login(Login::default()),
            },
            Address::Cluster(urls) => {
                Route::Cluster(Box::new(cluster(&places(urls, PORT)?, &login, settings.deadline)?))
            }
        };
        Ok(Self { route, tls: tls::connector(&settings.extra_roots)? })
    }

    /// Finds the server again, and connects to it.
    pub(super) async fn dial(&self) -> RedisResult<Wire> {
        match &self.route {
            Route::Server(place) => self.connect(place).await,
            Route::Sentinel { master, sentinels, login } => {
                let mut last = RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "no Sentinel answered"));
                for sentinel in sentinels {
                    match timeout(SENTINEL, self.master(sentinel, master)).await {
                        Ok(Ok((host, port))) => {
                            let (tls, login) = (sentinel.tls, login.clone());
                            // The Sentinel's URL contains the database of the master.
                            let database = sentinel.database;
                            return self.connect(&Place { tls, host, port, login, database }).await;
                        }
                        Ok(Err(error)) => last = error,
                        Err(_) => {}
                    }
                }
                Err(last)
            }
            Route::Cluster(client) => client.get_async_connection().await.map(Wire::Cluster),
        }
    }

    /// The master's address, according to this Sentinel.
    async fn master(&self, sentinel: &Place, master: &str) -> RedisResult<(String, u16)> {
        let wire = self.connect(&Place { database: 0, ..sentinel.clone() }).await?;
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("get-master-addr-by-name").arg(master);
        let place: Option<(String, u16)> = from_redis_value(wire.ask(&ask).await?)?;
        place.ok_or_else(|| (ErrorKind::MasterNameNotFoundBySentinel, "a Sentinel does not know the master").into())
    }

    async fn connect(&self, place: &Place) -> RedisResult<Wire> {
        let stream = TcpStream::connect((place.host.as_str(), place.port)).await?;
        stream.set_nodelay(true)?;
        if !place.tls {
            return Wire::over(stream, place).await;
        }
        let name = ServerName::try_from(place.host.clone())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a certificate cannot name this host"))?;
        let stream = self.tls.connect(name, stream).await?;
        Wire::over(stream, place).await
    }
}

/// The cluster connection of the client library. It connects within the deadline, and repeats a command once if the slot has moved
/// or the connection is lost. A repeated claim recognises its nonce. A repeated count may count twice.
fn cluster(
    places: &[Place],
    login: &impl Fn(Login) -> Login,
    deadline: Duration,
) -> Result<ClusterClient, ConfigError> {
    let wrong = |problem: &'static str| ConfigError::unshown("redis.url", problem);
    // The client builds its TLS configuration itself, with the crypto provider of the process. It panics if there are two.
    if places.iter().any(|place| place.tls) {
        return Err(wrong("a cluster over TLS is not supported: see docs/scaling.md"));
    }
    if places.iter().any(|place| place.database != 0) {
        return Err(wrong("a cluster has only the database 0"));
    }
    let first = places.first().map_or_else(Login::default, |place| place.login.clone());
    let login = login(first);
    let nodes = places.iter().map(|place| (place.host.as_str(), place.port));
    let mut builder: ClusterClientBuilder = ClusterClient::builder(nodes)
        .retries(1)
        .min_retry_wait(1)
        .max_retry_wait(20)
        .connection_timeout(deadline)
        .response_timeout(deadline)
        .overall_response_timeout(Some(deadline))
        .connection_concurrency_limit(IN_FLIGHT);
    if let Some(username) = login.username {
        builder = builder.username(username);
    }
    if let Some(password) = login.password {
        builder = builder.password(password.expose_secret());
    }
    builder.build().map_err(|_| wrong("these are not nodes of one cluster"))
}

// === impl Wire ===

impl Wire {
    async fn over<S>(stream: S, place: &Place) -> RedisResult<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Each operation has a deadline around it.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_concurrency_limit(IN_FLIGHT)
            .set_pipeline_buffer_size(UNWRITTEN);
        let (connection, driver) = MultiplexedConnection::new_with_config(&place.info(), stream, config).await?;
        let driver = Driver(tokio::spawn(driver).abort_handle());
        Ok(Self::Server { connection, driver: Arc::new(driver) })
    }

    /// Whether the server has closed it. A cluster connection manages its nodes itself.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Server { driver, .. } => driver.0.is_finished(),
            Self::Cluster(_) => false,
        }
    }

    pub(super) async fn ask(&self, command: &Cmd) -> RedisResult<Value> {
        match self.clone() {
            Self::Server { mut connection, driver: _driver } => command.query_async(&mut connection).await,
            Self::Cluster(mut connection) => command.query_async(&mut connection).await,
        }
    }
}

// === impl Driver ===

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}
