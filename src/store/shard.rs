//! One part of the memory: entries by key, and in the order in which they expire.

#![expect(
    clippy::indexing_slicing,
    reason = "every index is a slot or a place that this file made, and is below the length"
)]

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{Nonce, Purpose, StoreError, key::Key};
use crate::ex_id::CompactExId;

/// Entries by key, with a binary heap over them. The heap has each entry once. If an entry is removed or moved, its slot in the heap
/// is too, so an old slot cannot expire a later entry.
#[derive(Default)]
pub(super) struct Shard {
    slots: HashMap<Key, u32, BuildHasherDefault<Hashed>>,
    entries: Vec<Entry>,
    /// All slots. The first `live` are a heap, the earliest first; the others are free.
    order: Vec<u32>,
    live: usize,
}

pub(super) struct Entry {
    pub(super) held: Held,
    /// When it ends, in microseconds of the memory's clock.
    until: u64,
    key: Key,
    /// The position of its slot in `order`.
    place: u32,
}

pub(super) enum Held {
    Claim {
        nonce: Nonce,
        by: CompactExId,
    },
    /// The entry ends at the theoretical arrival time (GCRA).
    Rate,
    Sum(u64),
    Free,
}

/// The capacity of all shards.
pub(super) struct Room {
    taken: AtomicUsize,
    capacity: usize,
}

/// The capacity of all shards, for an entry of this purpose.
#[derive(Clone, Copy)]
pub(super) struct RoomOf<'r> {
    room: &'r Room,
    purpose: Purpose,
}

/// Keys are hashes: 64 bits of a key are its hash.
#[derive(Default)]
pub(super) struct Hashed(u64);

// === impl Shard ===

impl Shard {
    /// The entry, if it has not ended. Removes an ended entry.
    pub(super) fn get(&mut self, key: Key, now: u64, room: &Room) -> Option<&mut Entry> {
        let slot = *self.slots.get(&key)?;
        if self.entries[index(slot)].until <= now {
            self.remove(key, room);
            return None;
        }
        Some(&mut self.entries[index(slot)])
    }

    /// Adds an entry. The key must not exist.
    pub(super) fn insert(&mut self, key: Key, held: Held, until: u64, room: RoomOf<'_>) -> Result<(), StoreError> {
        let place = u32::try_from(self.live).map_err(|_| StoreError::Full)?;
        if !room.enter() {
            return Err(StoreError::Full);
        }
        let entry = Entry { held, until, key, place };
        let slot = if let Some(&free) = self.order.get(self.live) {
            self.entries[index(free)] = entry;
            free
        } else {
            self.entries.push(entry);
            // All slots are live, so the next slot has the next number.
            self.order.push(place);
            place
        };
        self.slots.insert(key, slot);
        self.live += 1;
        self.rise(self.live - 1);
        Ok(())
    }

    /// Moves an entry to a later end.
    pub(super) fn prolong(&mut self, key: Key, until: u64) {
        if let Some(&slot) = self.slots.get(&key) {
            let entry = &mut self.entries[index(slot)];
            entry.until = until;
            let place = index(entry.place);
            self.settle(place);
        }
    }

    pub(super) fn remove(&mut self, key: Key, room: &Room) {
        if let Some(slot) = self.slots.remove(&key) {
            let entry = &mut self.entries[index(slot)];
            // The value may own memory.
            entry.held = Held::Free;
            let place = index(entry.place);
            self.live -= 1;
            self.exchange(place, self.live);
            if place < self.live {
                self.settle(place);
            }
            room.leave();
        }
    }

    /// Removes up to this many ended entries, and returns their number.
    pub(super) fn expire(&mut self, now: u64, most: usize, room: &Room) -> usize {
        for gone in 0..most {
            if self.earliest() > now {
                return gone;
            }
            let key = self.entries[index(self.order[0])].key;
            self.remove(key, room);
        }
        most
    }

    /// When the next entry ends; `u64::MAX` without entries.
    pub(super) fn earliest(&self) -> u64 {
        if self.live == 0 { u64::MAX } else { self.until(0) }
    }

    fn until(&self, place: usize) -> u64 {
        self.entries[index(self.order[place])].until
    }

    fn exchange(&mut self, one: usize, other: usize) {
        self.order.swap(one, other);
        let (first, second) = (self.order[one], self.order[other]);
        // Each position belongs to an existing entry, so it fits.
        let of = |place| u32::try_from(place).expect("a place is below the number of slots");
        self.entries[index(first)].place = of(one);
        self.entries[index(second)].place = of(other);
    }

    fn settle(&mut self, place: usize) {
        let place = self.rise(place);
        self.sink(place);
    }

    fn rise(&mut self, mut place: usize) -> usize {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.until(parent) <= self.until(place) {
                break;
            }
            self.exchange(place, parent);
            place = parent;
        }
        place
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            if left >= self.live {
                return;
            }
            let child = if right < self.live && self.until(right) < self.until(left) { right } else { left };
            if self.until(place) <= self.until(child) {
                return;
            }
            self.exchange(place, child);
            place = child;
        }
    }
}

// === impl Entry ===

impl Entry {
    pub(super) fn until(&self) -> u64 {
        self.until
    }
}

// === impl Room ===

impl Room {
    pub(super) fn new(capacity: usize) -> Self {
        Self { taken: AtomicUsize::new(0), capacity }
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    pub(super) fn of(&self, purpose: Purpose) -> RoomOf<'_> {
        RoomOf { room: self, purpose }
    }

    fn leave(&self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl RoomOf ===

impl RoomOf<'_> {
    fn enter(self) -> bool {
        let Room { taken, capacity } = self.room;
        let more = |taken| (taken < *capacity || !self.purpose.is_bounded()).then_some(taken + 1);
        taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

// === impl Hashed ===

impl Hasher for Hashed {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a key is hashed as one u64")
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn index(slot: u32) -> usize {
    usize::try_from(slot).expect("a slot was a length")
}
