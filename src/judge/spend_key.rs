//! The user's function that returns the key by which requests are counted.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::request::Parts;

type FromFn = Arc<dyn Fn(&Parts) -> Option<Bytes> + Send + Sync>;

/// A function of the request's head. Set by `spend_key`.
#[derive(Clone)]
pub(crate) struct SpendKey(FromFn);

// === impl SpendKey ===

impl SpendKey {
    pub(crate) fn new(find: impl Fn(&Parts) -> Option<Bytes> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    pub(super) fn find(&self, parts: &Parts) -> Option<Bytes> {
        (self.0)(parts)
    }
}

impl fmt::Debug for SpendKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpendKey")
    }
}
