//! Enforces a judgement.

use crate::{
    body::Kept,
    decision::{Applied, Decision},
    denial::Refusal,
};

/// How a guarded request ends.
pub(super) enum Enforced<B> {
    /// The inner service receives the request with this decision.
    Verified(Kept<B>, Decision),
    /// The inner service receives the unchanged request, although it is refused.
    AsItCame(Kept<B>, Refusal),
    /// The inner service never receives the request.
    Denied(Refusal),
}

/// A judged request, with its body.
pub(super) type Judged<B> = Result<(Kept<B>, Decision), Rejected<B>>;

/// A refused request. Without a body it cannot be passed on.
pub(super) struct Rejected<B> {
    pub(super) refusal: Refusal,
    pub(super) body: Option<Kept<B>>,
}

pub(super) fn enforce<B>(applied: Applied, judged: Judged<B>) -> Enforced<B> {
    match (applied, judged) {
        (Applied::Enforced | Applied::Shadow, Ok((body, decision))) => Enforced::Verified(body, decision),
        (Applied::Shadow, Err(Rejected { refusal, body: Some(body) })) => Enforced::AsItCame(body.restored(), refusal),
        (Applied::Enforced, Err(Rejected { refusal, .. }))
        | (Applied::Shadow, Err(Rejected { refusal, body: None })) => Enforced::Denied(refusal),
    }
}
