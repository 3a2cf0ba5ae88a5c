//! The claim on a proof, so that the proof is checked once.
//!
//! # Threats
//!
//! Each call is billed, and a proof works once. If two requests have the same proof (after a double tap, an unnoticed resend, or an
//! attack with a recorded proof), the second is refused without a call, for all rules, paths and channels together. The claim is
//! made before the call, so that two simultaneous requests cannot both send a check.

use std::{sync::Arc, time::Duration};

use super::{account::Account, shared_claim::SharedClaim};
use crate::{
    check_kind::CheckKind,
    ex_id::ExId,
    observe::{Observers, Operation},
    store::{Claimed, Key, Name, Nonce, RedisWait, StoreError},
};

/// A proof that this request checks. If the claim is dropped before its check has started, the proof is free again.
pub(super) struct Claim {
    account: Arc<Account>,
    pub(super) key: Key,
    /// The id of the check.
    pub(super) ex_id: ExId,
    /// The claim in this instance's memory. `None` after it is released.
    nonce: Option<Nonce>,
    /// The claim in Redis.
    shared: Option<Box<SharedClaim>>,
    is_kept: bool,
}

/// Why a proof cannot be claimed.
pub(super) enum Unclaimed {
    /// Another request has used the proof: the one whose check has this id.
    Taken { by: Option<ExId> },
    /// The memory is full.
    Store,
    /// Redis does not answer.
    Redis(StoreError),
}

// === impl Claim ===

impl Claim {
    /// Claims a proof in memory. For proofs that are also claimed in Redis, this refuses replays on this instance without a request
    /// to Redis.
    pub(super) fn make(
        account: &Arc<Account>,
        key: Key,
        ex_id: ExId,
        lifetime: Duration,
        observers: &Observers,
    ) -> Result<Self, Unclaimed> {
        let nonce = match observers.store(Operation::Claim, || account.store().claim_key(key, &ex_id, lifetime)) {
            Ok(Claimed::New(nonce)) => Some(nonce),
            Ok(Claimed::Taken { by }) => return Err(Unclaimed::Taken { by }),
            // Redis has separate room.
            Err(_) if account.redis().is_some() => None,
            Err(_) => return Err(Unclaimed::Store),
        };
        Ok(Self { account: Arc::clone(account), key, ex_id, nonce, shared: None, is_kept: false })
    }

    /// Whether it must still be claimed in Redis.
    #[inline]
    pub(super) fn is_unshared(&self) -> bool {
        self.shared.is_none() && self.account.redis().is_some()
    }

    /// Whether the memory holds it.
    pub(super) fn is_in_memory(&self) -> bool {
        self.nonce.is_some()
    }

    /// Claims it in Redis. Without an answer the claim may exist there, and is released like an existing one.
    pub(super) async fn share(
        &mut self,
        name: Name,
        lifetime: Duration,
        redis_wait: &mut RedisWait,
        observers: &Arc<Observers>,
    ) -> Result<(), Unclaimed> {
        let Some(redis) = self.account.redis() else { return Ok(()) };
        if redis_wait.is_over(redis.deadline()) {
            // Nothing is sent, so nothing must be released.
            let error = StoreError::Timeout;
            observers.stored(Operation::Claim, Duration::ZERO, &Err::<(), _>(error));
            return Err(Unclaimed::Redis(error));
        }
        let nonce = self.nonce.unwrap_or_else(Nonce::fresh);
        // Before the request to Redis, because its future may be dropped.
        let shared = self.shared.insert(Box::new(SharedClaim::new(&self.account, redis, (name, nonce), observers)));
        match observers.store_in(Operation::Claim, shared.claim(&self.ex_id, lifetime, redis_wait)).await {
            Ok(Claimed::New(_)) => Ok(()),
            Ok(Claimed::Taken { by }) => {
                self.shared = None;
                Err(Unclaimed::Taken { by })
            }
            Err(error) => Err(Unclaimed::Redis(error)),
        }
    }

    /// Keeps the claim when it is dropped: the proof may be used up, because its check is sent now.
    pub(super) fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Undoes [`Claim::keep`], because nothing was sent: if the claim is dropped, the proof is free again.
    pub(super) fn release_on_drop(&mut self) {
        self.is_kept = false;
    }

    /// Releases the proof for another check.
    pub(super) fn give_back(mut self) {
        self.release();
    }

    fn release(&mut self) {
        if let Some(nonce) = self.nonce.take() {
            self.account.store().release_key(self.key, nonce);
        }
        if let Some(shared) = self.shared.take() {
            shared.release();
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_kept {
            self.release();
        }
    }
}

/// How long a proof of this kind is claimed: longer than it is valid. `None` for a check without a proof.
pub(super) fn lifetime(kind: CheckKind) -> Option<Duration> {
    let minutes = match kind {
        CheckKind::Number => 15,
        CheckKind::Captcha => 30,
        CheckKind::OneTap => 45,
        CheckKind::Risk => return None,
    };
    Some(Duration::from_secs(minutes * 60))
}
