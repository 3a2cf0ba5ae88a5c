//! What happens where a claim cannot be kept, or a request cannot be counted.

use crate::{
    denial::{DenialReason, Refusal},
    observe::Observers,
    store::StoreError,
};

/// What happens to a request whose claim the store cannot keep, or that it cannot count: because the memory is full, or because Redis does not
/// answer. A store never lets a request through unasked, and never opens.
///
/// ```
/// use tower_jverify::{Guards, StorePolicy};
///
/// # fn main() -> Result<(), tower_jverify::ConfigError> {
/// let guards = Guards::builder().store_policy(StorePolicy::Refuse).build()?;
/// # let _ = guards;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StorePolicy {
    /// While Redis does not answer, this instance's memory decides: claims, limits and budgets are then its own, and a budget goes on from
    /// what Redis said last. The log has a WARN `store_local`, once a minute.
    ///
    /// While the memory is full, the check is asked without a claim, and no limit of a client holds: the verifier itself takes a proof once. The limits of
    /// accounts hold: the bound does not count them. The log has the alarm `store_full`. The default.
    #[default]
    Local,
    /// The request gets 503 `verification_unavailable`, reason `store_down`, while the store that it needs does not answer: Redis where there
    /// is one, or else the memory.
    Refuse,
}

// === impl StorePolicy ===

impl StorePolicy {
    /// Returns what takes the place of an answer that the store does not have.
    ///
    /// # Errors
    ///
    /// [`DenialReason::StoreDown`], where the policy refuses.
    pub(super) fn without_answer<T>(self, otherwise: T, observers: &Observers) -> Result<T, Refusal> {
        match self {
            Self::Local => {
                observers.store_full();
                Ok(otherwise)
            }
            Self::Refuse => Err(Refusal::new(DenialReason::StoreDown)),
        }
    }

    /// Returns where this instance's memory takes the place of Redis.
    ///
    /// # Errors
    ///
    /// [`DenialReason::StoreDown`], where the policy refuses.
    pub(super) fn without_redis(self, error: StoreError, observers: &Observers) -> Result<(), Refusal> {
        match self {
            Self::Local => {
                observers.store_local(error);
                Ok(())
            }
            Self::Refuse => Err(Refusal::new(DenialReason::StoreDown)),
        }
    }
}
