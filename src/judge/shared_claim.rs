//! The claim on a proof in Redis, which all instances share.

use std::time::Duration;

use tokio::runtime::Handle;

use crate::{
    ex_id::ExId,
    store::{Claimed, Name, Nonce, Redis, StoreError},
};

/// A claim that exists, or may exist: its nonce is known before the answer.
pub(super) struct SharedClaim {
    redis: Redis,
    name: Name,
    nonce: Nonce,
}

// === impl SharedClaim ===

impl SharedClaim {
    pub(super) fn new(redis: &Redis, name: Name, nonce: Nonce) -> Self {
        Self { redis: redis.clone(), name, nonce }
    }

    pub(super) async fn claim(&self, by: &ExId, lifetime: Duration) -> Result<Claimed, StoreError> {
        self.redis.claim_as(&self.name, self.nonce, by, lifetime).await
    }

    /// Releases the claim in a task, which ends with the deadline of an operation. If Redis does not answer, the proof stays claimed,
    /// and the client needs a new one.
    pub(super) fn release(self) {
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let _ = self.redis.release_name(&self.name, self.nonce).await;
            });
        }
    }
}
