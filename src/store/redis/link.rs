//! The link to Redis: one connection for all requests. A failed connection is replaced, and if that does not help, requests
//! do not wait for Redis for a while.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use redis::{ErrorKind, RedisError, ServerErrorKind};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{
    deployment_key::PREFIX,
    dial::{Dialler, Wire},
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

#[derive(Default)]
struct State {
    line: Option<Line>,
    /// The number of the next line.
    next: u64,
    /// Closes when the current dial has ended.
    dialling: Option<watch::Receiver<()>>,
    /// When the last dial started.
    dialled: Option<Instant>,
    /// Failures without a success in between.
    failures: u32,
    is_skipped: bool,
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

/// Marks that a task waits until Redis can write again, until this is dropped with the task.
struct Watching(Weak<Link>);

/// After this number of failures in a row, requests do not wait for Redis.
const MOST_FAILURES: u32 = 5;

/// The pause after [`MOST_FAILURES`], before a task asks Redis whether it can write.
const PAUSE: Duration = Duration::from_secs(1);

/// The shortest time between two dials.
const BETWEEN_DIALS: Duration = Duration::from_millis(100);

/// How long a dial may take. It runs in the background, and a request waits for it until the request's deadline.
const DIAL: Duration = Duration::from_secs(1);

// === impl Link ===

impl Link {
    pub(super) fn new(dialler: Dialler, deadline: Duration) -> Self {
        Self { dialler, scripts: Scripts::new(), deadline, state: Mutex::default() }
    }

    /// Runs one operation within the remaining time, and counts its failure. Without time, nothing is sent.
    pub(super) async fn run<T>(
        self: &Arc<Self>,
        left: Duration,
        operation: impl AsyncFnOnce(&Wire) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        if left.is_zero() {
            return Err(StoreError::Timeout);
        }
        let mut number = None;
        let work = async {
            let line = self.line().await.ok_or(StoreError::Down)?;
            number = Some(line.number);
            operation(&line.wire).await.map_err(|error| meaning(&error))
        };
        let answer = timeout(left, work).await.unwrap_or(Err(StoreError::Timeout));
        self.settle(number, answer.as_ref().err().copied());
        answer
    }

    /// The current connection, or one that a dial makes. `None` if the caller must not wait for one.
    async fn line(self: &Arc<Self>) -> Option<Line> {
        let (mut ended, started) = {
            let mut state = self.lock();
            if state.is_skipped {
                return None;
            }
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
        // This runs without the lock, because an ending runtime drops the task here.
        if let Some(dialling) = started {
            tokio::spawn(dialling.dial());
        }
        // It always ends with an error, because nothing is ever sent.
        let _ = ended.changed().await;
        self.lock().line.clone()
    }

    /// Counts the result of an operation over a connection.
    fn settle(self: &Arc<Self>, number: Option<u64>, error: Option<StoreError>) {
        let mut watching = None;
        let mut state = self.lock();
        let is_gone = match error {
            // Redis answers. The content of the answer does not matter here.
            None | Some(StoreError::Full | StoreError::Unreadable) => {
                state.failures = 0;
                return;
            }
            Some(StoreError::Timeout) => false,
            Some(StoreError::Down | StoreError::ReadOnly) => true,
        };
        let mut dropped = None;
        if is_gone && number.is_some() {
            dropped = state.line.take_if(|line| Some(line.number) == number);
        }
        // A result of an old connection says nothing about the current one.
        let is_current = number.is_none() || dropped.is_some() || state.line.as_ref().map(|line| line.number) == number;
        if !state.is_skipped && is_current {
            state.failures = state.failures.saturating_add(1);
            if state.failures >= MOST_FAILURES {
                state.is_skipped = true;
                dropped = dropped.or(mem::take(&mut state.line));
                watching = Some(Watching(Arc::downgrade(self)));
            }
        }
        // The connection is closed and the task is started without the lock.
        drop(state);
        drop(dropped);
        if let Some(watching) = watching {
            tokio::spawn(watching.until_it_writes());
        }
    }

    /// Whether Redis accepts a write. A full Redis counts as accepting, because it answers.
    async fn writes(&self, wire: &Wire) -> bool {
        let mut ping = redis::cmd("SET");
        ping.arg(format!("{PREFIX}ping")).arg(1).arg("PX").arg(1);
        match timeout(self.deadline, wire.ask(&ping)).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => meaning(&error) == StoreError::Full,
            Err(_) => false,
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
        self.line = Some(Line { wire, number });
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
            let Some(link) = self.0.upgrade() else { return };
            if let Ok(Ok(wire)) = timeout(DIAL, link.dialler.dial()).await
                && link.writes(&wire).await
            {
                link.lock().keep(wire);
                return;
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(link) = self.0.upgrade() {
            let mut state = link.lock();
            state.is_skipped = false;
            state.failures = 0;
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
