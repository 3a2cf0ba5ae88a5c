//! The store in the memory of this process.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use siphasher::sip128::{Hasher128, SipHasher13};
use tokio::time::Instant;

use super::{
    Claimed, Nonce, Purpose, Store, StoreError, Subject, Taken,
    day::Day,
    key::{Key, Pieces},
    rate::Rate,
    shard::{Held, Room, Shard},
};
use crate::ex_id::ExId;

/// Keeps claims, rates and sums in this process, up to a capacity, which does not include those of accounts. At the capacity it
/// returns [`StoreError::Full`], and never drops a valid entry for another one. Each call removes a few ended entries, and a full
/// store removes ended entries before it returns the error.
///
/// Every operation is synchronous and takes the lock of one shard for a short time.
pub(crate) struct Memory {
    shards: [Part; SHARDS],
    room: Room,
    secret: (u64, u64),
    /// Times are microseconds since then, on Tokio's clock.
    start: Instant,
}

struct Part {
    shard: Mutex<Shard>,
    /// When the shard's next entry ends. It can be read without the shard's lock.
    earliest: AtomicU64,
}

const SHARDS: usize = 64;

/// How many ended entries one call removes: more than it can add, so that their number falls.
const EXPIRED_A_CALL: usize = 3;

/// How many ended entries a call at the capacity removes from the first shard that has any.
const EXPIRED_AT_BOUND: usize = 64;

/// How long a sum is kept after its first addition: until its day has ended, and a whole day longer for late additions.
const SUM_LIFETIME: Duration = Duration::from_secs(2 * 24 * 60 * 60);

// === impl Memory ===

impl Memory {
    /// The default capacity for all kinds of entries together. With generated exIDs, so many claims take less than 128 MiB.
    pub(crate) const CAPACITY: usize = 1_000_000;

    pub(crate) fn new(capacity: usize) -> Self {
        // Seeded by the operating system. Two outputs of SipHash under that seed.
        let seed = RandomState::new();
        Self {
            shards: std::array::from_fn(|_| Part { shard: Mutex::default(), earliest: AtomicU64::new(u64::MAX) }),
            room: Room::new(capacity),
            secret: (seed.hash_one(1_u8), seed.hash_one(2_u8)),
            start: Instant::now(),
        }
    }

    /// The subject's key in this memory. It does not borrow from the request.
    pub(crate) fn key(&self, subject: &Subject<'_>) -> Key {
        self.hashed(subject, None)
    }

    /// The number of entries, including ended entries that are not removed yet.
    pub(crate) fn entries(&self) -> usize {
        self.room.taken()
    }

    pub(crate) fn claim_now(
        &self,
        subject: &Subject<'_>,
        by: &ExId,
        lifetime: Duration,
    ) -> Result<Claimed, StoreError> {
        self.claim_key(self.key(subject), by, lifetime)
    }

    pub(crate) fn claim_key(&self, key: Key, by: &ExId, lifetime: Duration) -> Result<Claimed, StoreError> {
        self.within(key, |shard, now| {
            if let Some(entry) = shard.get(key, now, &self.room) {
                let by = match &entry.held {
                    Held::Claim { by, .. } => Some(by.expand()),
                    Held::Rate | Held::Sum(_) | Held::Free => None,
                };
                return Ok(Claimed::Taken { by });
            }
            let nonce = Nonce::fresh();
            let held = Held::Claim { nonce, by: by.compact() };
            shard.insert(key, held, now.saturating_add(micros(lifetime)), self.room.of(Purpose::Claim))?;
            Ok(Claimed::New(nonce))
        })
    }

    pub(crate) fn release_now(&self, subject: &Subject<'_>, nonce: Nonce) {
        self.release_key(self.key(subject), nonce);
    }

    /// Ends the claim with this nonce. Another claim stays.
    pub(crate) fn release_key(&self, key: Key, nonce: Nonce) {
        self.locked(key, self.now(), |shard, now| {
            let held = shard.get(key, now, &self.room).map(|entry| &entry.held);
            if matches!(held, Some(Held::Claim { nonce: of, .. }) if *of == nonce) {
                shard.remove(key, &self.room);
            }
        });
    }

    pub(crate) fn take_now(&self, subject: &Subject<'_>, rate: Rate, cost: u32) -> Result<Taken, StoreError> {
        let key = self.key(subject);
        self.within(key, |shard, now| {
            let arrival = shard.get(key, now, &self.room).map(|entry| entry.until());
            let next = arrival.unwrap_or(now).saturating_add(rate.interval().saturating_mul(u64::from(cost)));
            let wait = next.saturating_sub(now).saturating_sub(rate.window());
            if wait > 0 {
                return Ok(Taken::Wait(Duration::from_micros(wait)));
            }
            match arrival {
                Some(_) => shard.prolong(key, next),
                None if next > now => shard.insert(key, Held::Rate, next, self.room.of(subject.purpose))?,
                None => {}
            }
            Ok(Taken::Now)
        })
    }

    pub(crate) fn add_now(&self, subject: &Subject<'_>, amount: u64, window: Day) -> Result<u64, StoreError> {
        let key = self.hashed(subject, Some(window));
        self.within(key, |shard, now| {
            if let Some(entry) = shard.get(key, now, &self.room)
                && let Held::Sum(sum) = &mut entry.held
            {
                *sum = sum.saturating_add(amount);
                return Ok(*sum);
            }
            let until = now.saturating_add(micros(SUM_LIFETIME));
            shard.insert(key, Held::Sum(amount), until, self.room.of(subject.purpose))?;
            Ok(amount)
        })
    }

    /// Raises a sum to the one that a shared store has returned, if that is higher.
    pub(crate) fn raise_now(&self, subject: &Subject<'_>, to: u64, window: Day) {
        let key = self.hashed(subject, Some(window));
        // If the store is full, the sum starts from zero when it is needed.
        let _ = self.within(key, |shard, now| {
            if let Some(entry) = shard.get(key, now, &self.room)
                && let Held::Sum(sum) = &mut entry.held
            {
                *sum = to.max(*sum);
                return Ok(());
            }
            let until = now.saturating_add(micros(SUM_LIFETIME));
            shard.insert(key, Held::Sum(to), until, self.room.of(subject.purpose))
        });
    }

    fn hashed(&self, subject: &Subject<'_>, day: Option<Day>) -> Key {
        let mut pieces = Pieces::new(SipHasher13::new_with_keys(self.secret.0, self.secret.1));
        // The day comes before the purpose, in a fixed length, so that no part can imitate it.
        pieces.push(&day.map_or(0, |day| day.number().saturating_add(1)).to_le_bytes());
        subject.write(|bytes| pieces.push(bytes));
        let hash = pieces.hasher().finish128();
        Key::of([hash.h1, hash.h2])
    }

    fn now(&self) -> u64 {
        micros(self.start.elapsed())
    }

    /// Runs a function on the key's shard. If the memory is full, removes ended entries of any shard and runs the function again.
    fn within<T>(
        &self,
        key: Key,
        mut work: impl FnMut(&mut Shard, u64) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let now = self.now();
        loop {
            match self.locked(key, now, &mut work) {
                // Each round removes at least one ended entry, so the loop ends.
                Err(StoreError::Full) if self.sweep(now) => {}
                answer => return answer,
            }
        }
    }

    fn locked<T>(&self, key: Key, now: u64, work: impl FnOnce(&mut Shard, u64) -> T) -> T {
        let part = self.part(key);
        let mut shard = part.lock();
        shard.expire(now, EXPIRED_A_CALL, &self.room);
        let answer = work(&mut shard, now);
        part.earliest.store(shard.earliest(), Ordering::Relaxed);
        answer
    }

    /// Removes ended entries from the first shard that has any. Returns whether it removed any.
    fn sweep(&self, now: u64) -> bool {
        self.shards.iter().filter(|part| part.earliest.load(Ordering::Relaxed) <= now).any(|part| {
            let mut shard = part.lock();
            let gone = shard.expire(now, EXPIRED_AT_BOUND, &self.room);
            part.earliest.store(shard.earliest(), Ordering::Relaxed);
            gone > 0
        })
    }

    fn part(&self, key: Key) -> &Part {
        let which = key.choice() % SHARDS;
        self.shards.get(which).expect("a remainder is below the number of shards")
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(Self::CAPACITY)
    }
}

impl Store for Memory {
    async fn claim(&self, subject: &Subject<'_>, by: &ExId, lifetime: Duration) -> Result<Claimed, StoreError> {
        self.claim_now(subject, by, lifetime)
    }

    async fn release(&self, subject: &Subject<'_>, nonce: Nonce) -> Result<(), StoreError> {
        self.release_now(subject, nonce);
        Ok(())
    }

    async fn take(&self, subject: &Subject<'_>, rate: Rate, cost: u32) -> Result<Taken, StoreError> {
        self.take_now(subject, rate, cost)
    }

    async fn add(&self, subject: &Subject<'_>, amount: u64, window: Day) -> Result<u64, StoreError> {
        self.add_now(subject, amount, window)
    }
}

// === impl Part ===

impl Part {
    fn lock(&self) -> MutexGuard<'_, Shard> {
        self.shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In microseconds, as all times of a memory.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
