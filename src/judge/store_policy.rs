//! What happens where a claim cannot be kept.

/// What happens to a check whose claim the store cannot keep, because it is full. A store never lets a request through unasked, and never
/// opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StorePolicy {
    /// The check is asked without a claim: the verifier itself takes a proof once. The log has the alarm `store_full`. The default.
    #[default]
    Local,
    /// The request gets 503 `verification_unavailable`, reason `store_down`.
    Refuse,
}
