//! The claim on a proof in Redis, which all instances share.

use std::{sync::Arc, time::Duration};

use tokio::runtime::Handle;

use super::{account::Account, running::Abandoned};
use crate::{
    ex_id::ExId,
    observe::{Observers, Operation},
    store::{Claimed, Name, Nonce, Redis, RedisWait, StoreError},
};

/// A claim that exists, or may exist: its nonce is known before the answer.
pub(super) struct SharedClaim {
    redis: Redis,
    name: Name,
    nonce: Nonce,
    /// A shutdown waits for its release.
    abandoned: Arc<Abandoned>,
    observers: Arc<Observers>,
}

// === impl SharedClaim ===

impl SharedClaim {
    pub(super) fn new(
        account: &Account,
        redis: &Redis,
        (name, nonce): (Name, Nonce),
        observers: &Arc<Observers>,
    ) -> Self {
        let (abandoned, observers) = (Arc::clone(account.abandoned()), Arc::clone(observers));
        Self { redis: redis.clone(), name, nonce, abandoned, observers }
    }

    pub(super) async fn claim(
        &self,
        by: &ExId,
        lifetime: Duration,
        redis_wait: &mut RedisWait,
    ) -> Result<Claimed, StoreError> {
        self.redis.claim_as(&self.name, self.nonce, by, lifetime, redis_wait).await
    }

    /// Releases the claim in a task, which ends with the deadline of an operation. A shutdown waits for it. If Redis does not answer, the
    /// proof stays claimed, the client needs a new one, and the failure is counted.
    pub(super) fn release(self) {
        if let Ok(runtime) = Handle::try_current() {
            let releasing = self.abandoned.release();
            runtime.spawn(async move {
                let released = self.redis.release_name(&self.name, self.nonce);
                let _ = self.observers.store_in(Operation::Release, released).await;
                drop(releasing);
            });
        }
    }
}
