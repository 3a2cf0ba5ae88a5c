//! Enforces a judgement.

use crate::{body::Kept, decision::Decision, denial::Refusal, rule::Mode};

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

pub(super) fn enforce<B>(mode: Mode, judged: Judged<B>) -> Enforced<B> {
    match (mode, judged) {
        (Mode::Enforce | Mode::Observe, Ok((body, decision))) => Enforced::Verified(body, decision),
        (Mode::Observe, Err(Rejected { refusal, body: Some(body) })) => Enforced::AsItCame(body.restored(), refusal),
        (Mode::Enforce, Err(Rejected { refusal, .. })) | (Mode::Observe, Err(Rejected { refusal, body: None })) => {
            Enforced::Denied(refusal)
        }
    }
}

#[cfg(test)]
mod tests;
