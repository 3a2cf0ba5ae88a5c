//! Each call that arrived must be one that the layer accounted for, and the other way round.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Who knows of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The layer has a verdict on it that may have cost something.
    Layer,
    /// The sandbox saw it, or the proxy kept it from the sandbox.
    Vendor,
}

/// By `exID`. What both sides know is forgotten, so that a long run needs no more memory.
#[derive(Default)]
pub(crate) struct Calls(Mutex<Known>);

#[derive(Default)]
struct Known {
    by_one: HashMap<String, By>,
    sums: Sums,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Sums {
    /// What both sides know.
    pub(crate) by_both: u64,
    pub(crate) by_layer_alone: u64,
    pub(crate) by_vendor_alone: u64,
    /// What one side has named twice.
    pub(crate) twice: u64,
}

// === impl Calls ===

impl Calls {
    pub(crate) fn add(&self, ex_id: &str, by: By) {
        let mut known = self.lock();
        let Known { by_one, sums } = &mut *known;
        match by_one.entry(ex_id.to_owned()) {
            Entry::Vacant(vacant) => drop(vacant.insert(by)),
            Entry::Occupied(occupied) if *occupied.get() == by => sums.twice += 1,
            Entry::Occupied(occupied) => {
                occupied.remove();
                sums.by_both += 1;
            }
        }
    }

    pub(crate) fn sums(&self) -> Sums {
        let known = self.lock();
        let alone = |by| known.by_one.values().filter(|known| **known == by).count() as u64;
        Sums { by_layer_alone: alone(By::Layer), by_vendor_alone: alone(By::Vendor), ..known.sums }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
