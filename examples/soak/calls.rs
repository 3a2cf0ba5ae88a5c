//! Each call that reached the sandbox must be one that the layer accounted for, and the reverse.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Who has reported a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The layer has a verdict on it that may have cost something.
    Layer,
    /// The sandbox saw it, or the proxy kept it from the sandbox.
    Vendor,
}

/// Calls by `exID`. A call that both sides have reported is removed, so that a long run needs no more memory.
#[derive(Default)]
pub(crate) struct Calls(Mutex<Known>);

#[derive(Default)]
struct Known {
    by_one: HashMap<String, By>,
    sums: Sums,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Sums {
    /// How many calls both sides have reported.
    pub(crate) by_both: u64,
    pub(crate) by_layer_alone: u64,
    pub(crate) by_vendor_alone: u64,
    /// Calls that one side has reported twice.
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
