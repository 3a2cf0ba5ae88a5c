//! Resolves names with the system's resolver, on Tokio's blocking threads.
//!
//! It works like hyper-util's resolver, with two differences. It reports what this process lacks: without file descriptors the
//! system answers "name or service not known", and with all blocking threads in use it does not answer. And it omits addresses
//! for which plain `http` is not allowed.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    vec,
};

use hyper_util::client::legacy::connect::dns::Name;
use tokio::task::JoinHandle;
use tower_service::Service;

use super::{BoxError, errors::DnsError, reach::Reach};
use crate::exhaustion::{Exhausted, lacks_sockets};

type Addresses = Result<vec::IntoIter<SocketAddr>, BoxError>;

/// The resolver. Clones share the count of lookups that wait for a thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolver {
    reach: Reach,
    waiting: Arc<AtomicUsize>,
}

/// A lookup. Dropping it cancels it, unless it is already running.
#[derive(Debug)]
pub(super) struct Lookup(JoinHandle<Addresses>);

/// Counts one lookup as waiting, until it is dropped.
struct Waits(Arc<AtomicUsize>);

// === impl Resolver ===

impl Resolver {
    /// Resolves a name to allowed addresses.
    pub(super) fn new(reach: Reach) -> Self {
        Self { reach, ..Self::default() }
    }

    /// Whether a lookup waits for a blocking thread.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Lookup;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Lookup {
        let (waits, reach) = (Waits::new(&self.waiting), self.reach);
        Lookup(tokio::task::spawn_blocking(move || {
            drop(waits);
            let addresses = (name.as_str(), 0).to_socket_addrs().map_err(|error| -> BoxError {
                // Checked here and not after the dial, because a file descriptor may be free by then.
                if lacks_sockets() { Exhausted::with(error.into()).into() } else { DnsError(error.into()).into() }
            })?;
            if reach == Reach::Anywhere {
                return Ok(addresses);
            }
            let within: Vec<_> = addresses.filter(|address| reach.covers(address.ip())).collect();
            if within.is_empty() {
                return Err(DnsError("plain http must not go to the addresses of this name".into()).into());
            }
            Ok(within.into_iter())
        }))
    }
}

// === impl Lookup ===

impl Future for Lookup {
    type Output = Addresses;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Addresses> {
        // An error of the task: the runtime ends.
        Pin::new(&mut self.0).poll(cx).map(|found| found.map_err(BoxError::from).and_then(|found| found))
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        self.0.abort();
    }
}

// === impl Waits ===

impl Waits {
    fn new(waiting: &Arc<AtomicUsize>) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(waiting))
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
