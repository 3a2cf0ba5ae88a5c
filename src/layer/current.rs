//! The current rules, and their replacement while requests arrive.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;

use super::shared::Shared;

/// The state that a layer and all of its services share.
pub(super) struct Current<V> {
    /// The rules that the layer was built with. `newest` owns them until the first reload.
    first: Weak<Shared<V>>,
    is_reloaded: AtomicBool,
    newest: ArcSwap<Shared<V>>,
    /// Locked by a reload: the next reload starts from its result.
    reloading: Mutex<()>,
}

// === impl Current ===

impl<V> Current<V> {
    pub(super) fn new(shared: Shared<V>) -> Arc<Self> {
        let first = Arc::new(shared);
        Arc::new(Self {
            first: Arc::downgrade(&first),
            is_reloaded: AtomicBool::new(false),
            newest: ArcSwap::new(first),
            reloading: Mutex::default(),
        })
    }

    /// The current rules. A request loads them once and keeps them.
    #[inline]
    pub(super) fn now(&self) -> Arc<Shared<V>> {
        // Counting a reference takes a quarter of the instructions of `ArcSwap::load`, and few layers are ever reloaded.
        // `upgrade` fails if a reload has dropped the first rules and has not set the flag yet.
        if !self.is_reloaded.load(Ordering::Acquire)
            && let Some(first) = self.first.upgrade()
        {
            return first;
        }
        self.newest.load_full()
    }

    /// Replaces the current rules by the result of `make`, which receives them. Requests that have started keep the old
    /// rules, which are dropped with the last of these requests. Returns the old rules and the new ones.
    pub(super) fn replace(&self, make: impl FnOnce(&Shared<V>) -> Shared<V>) -> [Arc<Shared<V>>; 2] {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Arc::new(make(&self.newest.load()));
        let old = self.newest.swap(Arc::clone(&new));
        self.is_reloaded.store(true, Ordering::Release);
        [old, new]
    }
}

impl<V> Drop for Current<V> {
    /// The last of the layer and its services is dropped, so no request can match a rule any more. A layer that never
    /// wrapped a service reports nothing.
    fn drop(&mut self) {
        let last = self.newest.load();
        if last.is_mounted() {
            last.report_unused();
        }
    }
}
