//! The rules that hold now, and how others take their place while requests come in.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;

use super::shared::Shared;

/// What a layer and all of its services share.
pub(super) struct Current<V> {
    /// The rules that the layer was built with. They are held by `newest`, until the first reload.
    first: Weak<Shared<V>>,
    is_reloaded: AtomicBool,
    newest: ArcSwap<Shared<V>>,
    /// Held by a reload: the next one begins with what this one has made.
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

    /// The rules that hold now. A request asks once and keeps them.
    #[inline]
    pub(super) fn now(&self) -> Arc<Shared<V>> {
        // Counting a reference takes a quarter of the instructions of `ArcSwap::load`, and few layers are ever reloaded. It fails
        // if a reload has dropped the first rules and has not set the flag yet.
        if !self.is_reloaded.load(Ordering::Acquire)
            && let Some(first) = self.first.upgrade()
        {
            return first;
        }
        self.newest.load_full()
    }

    /// Puts what `make` returns, which gets the rules of now, in their place. Requests that have begun keep the old ones, which are
    /// dropped with the last of these requests. Returns the old rules and the new ones.
    pub(super) fn replace(&self, make: impl FnOnce(&Shared<V>) -> Shared<V>) -> [Arc<Shared<V>>; 2] {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Arc::new(make(&self.newest.load()));
        let old = self.newest.swap(Arc::clone(&new));
        self.is_reloaded.store(true, Ordering::Release);
        [old, new]
    }
}

impl<V> Drop for Current<V> {
    /// The last of the layer and its services is gone, so what no request has matched by now, none will. A layer that never wrapped
    /// anything has nothing to say.
    fn drop(&mut self) {
        let last = self.newest.load();
        if last.is_mounted() {
            last.report_unused();
        }
    }
}
