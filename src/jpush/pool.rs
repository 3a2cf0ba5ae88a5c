//! Connections that wait for the next check, and checks that wait for a connection. HTTP/1.1 only: a connection carries one check at
//! a time.
//!
//! hyper-util's `client::pool::cache` would do most of it, and is not used for three reasons. It has no bound on idle connections, and
//! a caller cannot add one: a dial that lost its race puts its connection into the cache by itself. It keeps a dropped connection unless
//! `poll_ready` has failed before, which may not have happened yet on a connection whose call just failed. And its service must be cloned
//! for each call; this pool takes one lock to take a connection and one to return it.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use tokio::{
    runtime::Handle,
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

/// The sending half of a connection. hyper reports it as ready if the previous reply was read to its end and the connection is open.
pub(super) type Connection = SendRequest<Full<Bytes>>;

/// The longest time that a connection is kept. The clock can represent it.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The connections of a client that are not in use.
pub(super) struct Pool {
    state: Mutex<State>,
    /// How long an unused connection is kept.
    lasts: Duration,
    /// How many unused connections are kept.
    most: usize,
}

#[derive(Default)]
struct State {
    /// The connection that was used last is at the end and is taken first, so that surplus connections expire.
    idle: Vec<Idle>,
    /// The call that has waited longest is in front.
    waiting: VecDeque<oneshot::Sender<Connection>>,
    /// Closes connections whose time is over.
    reaper: Option<JoinHandle<()>>,
    /// Each dial that no call waits for holds a clone.
    lost: Arc<()>,
}

struct Idle {
    connection: Connection,
    until: Instant,
}

/// Waits until a connection is put into the pool.
pub(super) struct Wait {
    pool: Arc<Pool>,
    receiver: Option<oneshot::Receiver<Connection>>,
}

/// A place for the connection of a dial that no call waits for any more.
pub(super) struct Room(#[expect(dead_code, reason = "it is counted")] Arc<()>);

// === impl Pool ===

impl Pool {
    pub(super) fn new(lasts: Duration, most: usize) -> Self {
        Self { state: Mutex::default(), lasts: lasts.min(LONGEST), most }
    }

    /// Takes a connection that is ready, if there is one.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut state = self.lock();
        let mut ended = Vec::new();
        let taken = loop {
            let Idle { connection, until } = state.idle.pop()?;
            if Instant::now() >= until {
                // The time of the other connections is over too.
                ended.append(&mut state.idle);
                break None;
            }
            // A connection is not ready if the server has closed it or its runtime has ended.
            if connection.is_ready() {
                break Some(connection);
            }
        };
        drop(state);
        taken
    }

    /// Gives a connection to the check that has waited longest, or keeps it for the next one.
    pub(super) fn put(self: &Arc<Self>, mut connection: Connection) {
        while connection.is_ready() {
            let mut state = self.lock();
            let Some(waiter) = state.waiting.pop_front() else {
                if state.idle.len() < self.most {
                    state.idle.push(Idle { connection, until: Instant::now() + self.lasts });
                    self.watch(&mut state);
                }
                return;
            };
            drop(state);
            match waiter.send(connection) {
                Ok(()) => return,
                Err(unused) => connection = unused,
            }
        }
    }

    /// Waits for a connection that another check returns.
    pub(super) fn wait(self: &Arc<Self>) -> Wait {
        let (sender, receiver) = oneshot::channel();
        self.lock().waiting.push_back(sender);
        Wait { pool: Arc::clone(self), receiver: Some(receiver) }
    }

    /// Returns a place if the pool would keep the connection of a dial that continues without its call.
    pub(super) fn room(&self) -> Option<Room> {
        let state = self.lock();
        let lost = Arc::strong_count(&state.lost) - 1;
        (state.idle.len() + lost < self.most).then(|| Room(Arc::clone(&state.lost)))
    }

    /// Starts the task that closes connections whose time is over. It ends when no connection is left.
    fn watch(self: &Arc<Self>, state: &mut State) {
        // The task is also finished if its runtime has ended.
        if state.reaper.as_ref().is_none_or(JoinHandle::is_finished) {
            let Ok(runtime) = Handle::try_current() else { return };
            // The task does not hold the pool: with the last client, the connections end.
            let pool = Arc::downgrade(self);
            // The task begins with a pause. Otherwise, while each check takes the previous check's connection, it would find none, end, and be
            // spawned for every check.
            let pause = self.lasts;
            state.reaper = Some(runtime.spawn(async move {
                sleep(pause).await;
                while let Some(next) = pool.upgrade().and_then(|pool| pool.expire()) {
                    sleep_until(next).await;
                }
            }));
        }
    }

    /// Closes the connections whose time is over. Returns when the time of the next one is over.
    fn expire(&self) -> Option<Instant> {
        let mut state = self.lock();
        let now = Instant::now();
        let (ended, idle): (Vec<_>, Vec<_>) =
            state.idle.drain(..).partition(|idle| now >= idle.until || !idle.connection.is_ready());
        state.idle = idle;
        let next = state.idle.first().map(|oldest| oldest.until);
        if next.is_none() {
            state.reaper = None;
        }
        drop(state);
        drop(ended);
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs when the last client and its calls have been dropped.
impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(reaper) = &self.lock().reaper {
            reaper.abort();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("lasts", &self.lasts).field("most", &self.most).finish_non_exhaustive()
    }
}

// === impl Wait ===

impl Future for Wait {
    type Output = Connection;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Connection> {
        let Some(receiver) = &mut self.receiver else { return Poll::Pending };
        match Pin::new(receiver).poll(cx) {
            Poll::Ready(Ok(connection)) if connection.is_ready() => Poll::Ready(connection),
            // The connection has ended meanwhile. The call's dial still runs.
            Poll::Ready(_) => {
                self.receiver = None;
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// A connection that came too late goes to another check.
impl Drop for Wait {
    fn drop(&mut self) {
        let Some(mut receiver) = self.receiver.take() else { return };
        receiver.close();
        if let Ok(connection) = receiver.try_recv() {
            self.pool.put(connection);
        }
        self.pool.lock().waiting.retain(|waiter| !waiter.is_closed());
    }
}
