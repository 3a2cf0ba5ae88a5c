//! The resources that requests hold: places for checks in flight, and bytes of bodies.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::bulkhead::{Bulkhead, Taken};
use crate::{body::Budget, error::ConfigError};

/// The places and bytes that requests hold. The key is the name of a rule that sets the limit; `None` for all rules that do
/// not.
#[derive(Default)]
pub(super) struct Held {
    places: Mutex<HashMap<Owner, Arc<Taken>>>,
    /// The key also has the size of the budget: held bodies count only toward a budget of the same size.
    bodies: Mutex<HashMap<(Owner, usize), Budget>>,
}

type Owner = Option<Box<str>>;

// === impl Held ===

impl Held {
    /// Returns a bulkhead with this number of places. Taken places stay taken, even if they exceed the new number.
    pub(super) fn bulkhead(&self, rule: Option<&str>, places: usize) -> Bulkhead {
        let taken = Arc::clone(locked(&self.places).entry(rule.map(Into::into)).or_default());
        Bulkhead::new(places, taken)
    }

    /// # Errors
    ///
    /// As [`Budget::new`].
    pub(super) fn budget(&self, rule: Option<&str>, bytes: usize) -> Result<Budget, ConfigError> {
        let (mut bodies, owner) = (locked(&self.bodies), (rule.map(Into::into), bytes));
        if let Some(budget) = bodies.get(&owner) {
            return Ok(budget.clone());
        }
        let budget = Budget::new(bytes)?;
        bodies.insert(owner, budget.clone());
        Ok(budget)
    }

    /// The number of taken places.
    pub(super) fn in_flight(&self) -> usize {
        locked(&self.places).values().map(|taken| taken.all()).sum()
    }

    /// The bytes of held bodies.
    pub(super) fn buffered(&self) -> usize {
        locked(&self.bodies).values().map(Budget::held).sum()
    }
}

/// Never poisoned: nothing here panics while it is locked.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
