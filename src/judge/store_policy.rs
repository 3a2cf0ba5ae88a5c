//! What happens if a claim cannot be kept, or a request cannot be counted.

use crate::{
    denial::{DenialReason, Refusal},
    observe::Observers,
    store::StoreError,
};

/// What happens to a request whose claim the store cannot keep, or that the store cannot count, because the memory is full or Redis
/// does not answer. In no case does a request pass without its checks.
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
    /// While Redis does not answer, the memory of this instance decides: claims, limits and budgets are then not shared, and a budget
    /// continues from the last sum that Redis returned. The log has a WARN `store_local`, once a minute.
    ///
    /// While the memory is full, checks are sent without a claim, and clients are not limited: only the verifier ensures that a proof
    /// is used once. The limits of accounts still apply, because they do not count toward the capacity. The log has the alarm
    /// `store_full`. The default.
    #[default]
    Local,
    /// The request gets 503 `verification_unavailable`, reason `store_down`, while the store does not answer or is full: Redis if it is
    /// set, otherwise the memory.
    Refuse,
}

// === impl StorePolicy ===

impl StorePolicy {
    /// Returns what replaces a missing answer of the store.
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

    /// Returns `Ok` if this instance's memory takes the place of Redis.
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
