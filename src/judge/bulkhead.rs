//! Limits the checks in flight, in total and for one client.
//!
//! A place is held as long as its check is in flight, even if the client has left. Without a limit for one client, a single
//! connection that opens requests and leaves them could take all places.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::client::Client;

/// The places of one bulkhead, each for one request whose checks are in flight.
pub(crate) struct Bulkhead {
    places: usize,
    /// How many places one client may hold.
    share: usize,
    taken: Arc<Taken>,
}

/// The taken places of all bulkheads that share them. They survive a reload, which may change the limit.
#[derive(Default)]
pub(super) struct Taken {
    all: AtomicUsize,
    /// The number of places of each known client. A client has an entry only while it holds a place, so the map has at most as
    /// many entries as taken places.
    held: Mutex<HashMap<Client, usize>>,
}

/// One place. Dropping it frees it.
pub(crate) struct Permit {
    taken: Arc<Taken>,
    client: Option<Client>,
}

/// Why a place was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// All places are taken.
    All,
    /// The client already holds its share.
    Share,
}

/// One client may hold this part of all places.
const PART: usize = 8;

// === impl Bulkhead ===

impl Bulkhead {
    /// Creates a bulkhead with a number of places, of which some may be taken. A client may always hold one.
    pub(super) fn new(places: usize, taken: Arc<Taken>) -> Self {
        Self { places, share: (places / PART).max(1), taken }
    }

    /// Takes a place, or fails at once. With a client, the place counts toward its share.
    pub(crate) fn enter(&self, client: Option<Client>) -> Result<Permit, Full> {
        match client {
            None => self.take()?,
            Some(client) => {
                let mut held = self.taken.held();
                let already = held.get(&client).copied().unwrap_or_default();
                if already >= self.share {
                    return Err(Full::Share);
                }
                self.take()?;
                held.insert(client, already + 1);
            }
        }
        Ok(Permit { taken: Arc::clone(&self.taken), client })
    }

    fn take(&self) -> Result<(), Full> {
        let one_more = |taken: usize| (taken < self.places).then(|| taken + 1);
        self.taken.all.fetch_update(Ordering::Acquire, Ordering::Relaxed, one_more).map(drop).map_err(|_| Full::All)
    }
}

// === impl Taken ===

impl Taken {
    pub(super) fn all(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    /// Never poisoned: nothing in this file panics while it is locked.
    fn held(&self) -> MutexGuard<'_, HashMap<Client, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Permit ===

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(client) = self.client {
            let mut held = self.taken.held();
            match held.get_mut(&client) {
                Some(places) if *places > 1 => *places -= 1,
                Some(_) | None => drop(held.remove(&client)),
            }
        }
        self.taken.all.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn client(address: &str) -> Client {
        Client::at(Some(address.parse::<IpAddr>().unwrap()))
    }

    #[test]
    fn a_client_holds_an_eighth_and_at_least_one_place() {
        for (places, share) in [(1, 1), (2, 1), (8, 1), (15, 1), (16, 2), (256, 32)] {
            let bulkhead = Bulkhead::new(places, Arc::default());
            let held: Vec<_> = (0..share).map(|_| bulkhead.enter(Some(Client::Unknown)).unwrap()).collect();
            assert_eq!(bulkhead.enter(Some(Client::Unknown)).err(), Some(Full::Share), "{places}");
            let others = (share..places).map(|_| bulkhead.enter(None).unwrap()).collect::<Vec<_>>();
            assert_eq!(bulkhead.enter(None).err(), Some(Full::All), "{places}");
            assert_eq!(bulkhead.enter(Some(client("192.0.2.1"))).err(), Some(Full::All), "{places}");
            drop((held, others));
            assert!(bulkhead.taken.held().is_empty(), "{places}: an entry is left");
            assert!(
                (0..places).map(|_| bulkhead.enter(None)).collect::<Vec<_>>().iter().all(Result::is_ok),
                "{places}"
            );
        }
    }

    #[test]
    fn a_refused_client_takes_no_place_and_leaves_no_entry() {
        let bulkhead = Bulkhead::new(1, Arc::default());
        let held = bulkhead.enter(Some(client("192.0.2.1"))).unwrap();
        for n in 0..1_000_u32 {
            let other = Client::at(Some(IpAddr::V4(n.into())));
            assert_eq!(bulkhead.enter(Some(other)).err(), Some(Full::All));
        }
        assert_eq!(bulkhead.taken.held().len(), 1);
        drop(held);
        assert!(bulkhead.enter(Some(client("192.0.2.1"))).is_ok());
    }
}
