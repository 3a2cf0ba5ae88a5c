//! The link to Redis: one connection for all requests. A failed connection is replaced, and if that does not help, Redis is
//! left alone for a while.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use redis::{ErrorKind, RedisError, ServerErrorKind};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{
    deployment_key::Name,
    dial::{Dialler, Wire},
    parts::{Parts, neighbour},
    scripts::Scripts,
};
use crate::store::StoreError;

/// The connection of an instance to Redis.
pub(crate) struct Link {
    dialler: Dialler,
    pub(super) scripts: Scripts,
    deadline: Duration,
    state: Mutex<State>,
}

struct State {
    line: Option<Line>,
    /// The number of the next line.
    next: u64,
    /// The number of failures of a cluster's connection since its last success, over all parts.
    failures: u32,
    /// Closes when the dial that is running has ended.
    dialling: Option<watch::Receiver<()>>,
    /// When the last dial started.
    dialled: Option<Instant>,
    parts: Parts,
}

/// A connection with its number.
#[derive(Clone)]
struct Line {
    wire: Wire,
    number: u64,
}

/// Marks that a task works on the state, until this is dropped with the task.
struct Dialling {
    link: Arc<Link>,
    _ended: watch::Sender<()>,
}

/// As [`Dialling`], for the task that waits until Redis can write this name again.
struct Watching {
    link: Weak<Link>,
    name: Name,
}

/// The time after failures until Redis is asked whether it can write.
const PAUSE: Duration = Duration::from_secs(1);

/// The shortest time between two dials.
const BETWEEN_DIALS: Duration = Duration::from_millis(100);

/// How long a dial may take. It runs in the background, and a request waits for it until the request's deadline.
const DIAL: Duration = Duration::from_secs(1);

/// After this number of failures in a row, over all parts, the connection to a cluster is replaced. Its client reconnects to single nodes
/// by itself.
const MOST_OF_A_CLUSTER: u32 = 32;

// === impl Link ===

impl Link {
    pub(super) fn new(dialler: Dialler, deadline: Duration) -> Self {
        let parts = if dialler.is_for_a_cluster() { Parts::of_a_cluster() } else { Parts::of_a_server() };
        let state = State { line: None, next: 0, failures: 0, dialling: None, dialled: None, parts };
        Self { dialler, scripts: Scripts::new(), deadline, state: Mutex::new(state) }
    }

    /// Runs one operation about this name within the remaining time, and counts its failure. Without time, nothing is sent.
    pub(super) async fn run<T>(
        self: &Arc<Self>,
        name: &Name,
        left: Duration,
        operation: impl AsyncFnOnce(&Wire) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        if left.is_zero() {
            return Err(StoreError::Timeout);
        }
        if self.lock().parts.is_skipped(name) {
            return Err(StoreError::Down);
        }
        let mut number = None;
        let work = async {
            let line = self.line().await.ok_or(StoreError::Down)?;
            number = Some(line.number);
            operation(&line.wire).await.map_err(|error| meaning(&error))
        };
        let answer = timeout(left, work).await.unwrap_or(Err(StoreError::Timeout));
        self.settle(name, number, answer.as_ref().err().copied());
        answer
    }

    /// The current connection, or one that a dial makes. `None` if the caller must not wait for one.
    async fn line(self: &Arc<Self>) -> Option<Line> {
        let (mut ended, begun) = {
            let mut state = self.lock();
            // Skips an idle connection that the server has closed, so that no request fails because of it.
            if let Some(line) = state.line.as_ref().filter(|line| !line.wire.is_closed()) {
                return Some(line.clone());
            }
            match &state.dialling {
                Some(dialling) => (dialling.clone(), None),
                None if state.dialled.is_some_and(|dialled| dialled.elapsed() < BETWEEN_DIALS) => return None,
                None => {
                    let (ended, dialling) = watch::channel(());
                    state.dialling = Some(dialling.clone());
                    state.dialled = Some(Instant::now());
                    (dialling, Some(Dialling { link: Arc::clone(self), _ended: ended }))
                }
            }
        };
        // Without the lock, because an ending runtime drops the task here.
        if let Some(dialling) = begun {
            tokio::spawn(dialling.dial());
        }
        // It always ends with an error, because nothing is ever sent.
        let _ = ended.changed().await;
        self.lock().line.clone()
    }

    /// Counts the result of an operation over a connection.
    fn settle(self: &Arc<Self>, name: &Name, number: Option<u64>, error: Option<StoreError>) {
        let mut state = self.lock();
        let is_gone = match error {
            // Redis answers. The content of the answer does not matter here.
            None | Some(StoreError::Full | StoreError::Unreadable) => {
                state.failures = 0;
                state.parts.succeed(name);
                return;
            }
            Some(StoreError::Timeout) => false,
            Some(StoreError::Down | StoreError::ReadOnly) => true,
        };
        let mut dropped = if is_gone { state.fail(number) } else { None };
        // A result of an old connection says nothing about the current one.
        let is_current = number.is_none() || dropped.is_some() || state.line.as_ref().map(|line| line.number) == number;
        let mut watching = None;
        if is_current && state.parts.fail(name) {
            if !state.parts.are_of_a_cluster() {
                dropped = dropped.or(state.line.take());
            }
            watching = Some(Watching { link: Arc::downgrade(self), name: name.clone() });
        }
        // Closes the connection and starts the task without the lock.
        drop(state);
        drop(dropped);
        if let Some(watching) = watching {
            tokio::spawn(watching.until_it_writes());
        }
    }

    /// Whether a skipped part can write: over a new connection, or over a cluster's, which the other parts use.
    async fn is_back(self: &Arc<Self>, name: &Name) -> bool {
        if !self.dialler.is_for_a_cluster() {
            let Ok(Ok(wire)) = timeout(DIAL, self.dialler.dial()).await else { return false };
            let writes = self.writes(&wire, name).await.is_ok();
            if writes {
                self.lock().keep(wire);
            }
            return writes;
        }
        let Ok(Some(line)) = timeout(DIAL, self.line()).await else { return false };
        let written = self.writes(&line.wire, name).await;
        if written == Err(StoreError::Down) {
            let dropped = self.lock().fail(Some(line.number));
            drop(dropped);
        }
        written.is_ok()
    }

    /// Whether Redis accepts a write in the slot of this name. A full Redis counts as accepting, because it answers.
    async fn writes(&self, wire: &Wire, name: &Name) -> Result<(), StoreError> {
        let mut ping = redis::cmd("SET");
        ping.arg(neighbour(name)).arg(1).arg("PX").arg(1);
        match timeout(self.deadline, wire.ask(&ping)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => match meaning(&error) {
                StoreError::Full => Ok(()),
                error => Err(error),
            },
            Err(_) => Err(StoreError::Timeout),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn keep(&mut self, wire: Wire) {
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.failures = 0;
        self.line = Some(Line { wire, number });
    }

    /// Counts a lost server of the connection with this number. Returns the connection if it is given up.
    fn fail(&mut self, number: Option<u64>) -> Option<Line> {
        let is_current = |line: &Line| Some(line.number) == number;
        if self.parts.are_of_a_cluster() && self.line.as_ref().is_some_and(is_current) {
            self.failures = self.failures.saturating_add(1);
            if self.failures < MOST_OF_A_CLUSTER {
                return None;
            }
        }
        self.line.take_if(|line| is_current(line))
    }
}

// === impl Dialling ===

impl Dialling {
    async fn dial(self) {
        if let Ok(Ok(wire)) = timeout(DIAL, self.link.dialler.dial()).await {
            self.link.lock().keep(wire);
        }
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        self.link.lock().dialling = None;
    }
}

// === impl Watching ===

impl Watching {
    async fn until_it_writes(self) {
        loop {
            sleep(PAUSE).await;
            let Some(link) = self.link.upgrade() else { return };
            if link.is_back(&self.name).await {
                return;
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(link) = self.link.upgrade() {
            link.lock().parts.resume(&self.name);
        }
    }
}

/// Converts the error of the client library. A script returns errors as text, to which Redis 6 adds a prefix.
fn meaning(error: &RedisError) -> StoreError {
    let says = |code: &str| error.code() == Some(code) || error.detail().is_some_and(|detail| detail.contains(code));
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::ReadOnly) => StoreError::ReadOnly,
        _ if error.is_timeout() => StoreError::Timeout,
        ErrorKind::Server(ServerErrorKind::ResponseError) | ErrorKind::Extension if says("READONLY") => {
            StoreError::ReadOnly
        }
        ErrorKind::Server(ServerErrorKind::ResponseError) | ErrorKind::Extension if says("OOM") => StoreError::Full,
        ErrorKind::Server(ServerErrorKind::ResponseError) | ErrorKind::Extension if says("WRONGTYPE") => {
            StoreError::Unreadable
        }
        ErrorKind::Server(ServerErrorKind::ResponseError) | ErrorKind::UnexpectedReturnType => StoreError::Unreadable,
        _ => StoreError::Down,
    }
}
