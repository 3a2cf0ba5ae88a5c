//! The user's closures that are called for every guarded request.

use std::{fmt, sync::Arc};

use super::decided::Decided;

type Listener = dyn Fn(&Decided<'_>) + Send + Sync;

/// Closures, in the order in which they are called.
#[derive(Clone, Default)]
pub(crate) struct Listeners(Vec<Arc<Listener>>);

// === impl Listeners ===

impl Listeners {
    pub(crate) fn add(&mut self, listener: impl Fn(&Decided<'_>) + Send + Sync + 'static) {
        self.0.push(Arc::new(listener));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Listener> {
        self.0.iter().map(|listener| &**listener)
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners").field("closures", &self.0.len()).finish()
    }
}
