//! What is done with a judgement.

use crate::{body::Kept, decision::Decision, denial::Refusal, rule::Mode};

/// How a guarded request ends.
pub(super) enum Enforced<B> {
    /// The inner service gets the request with this decision.
    Verified(Kept<B>, Decision),
    /// The inner service gets the request as it came, although it is refused.
    AsItCame(Kept<B>, Refusal),
    /// The inner service never gets it.
    Denied(Refusal),
}

/// `judged`: the decision, or the refusal; each with the request's body. Without a body there is nothing to pass on.
pub(super) fn enforce<B>(mode: Mode, judged: Result<(Kept<B>, Decision), (Option<Kept<B>>, Refusal)>) -> Enforced<B> {
    match (mode, judged) {
        (Mode::Enforce | Mode::Observe, Ok((body, decision))) => Enforced::Verified(body, decision),
        (Mode::Observe, Err((Some(body), refusal))) => Enforced::AsItCame(body.restored(), refusal),
        (Mode::Enforce, Err((_, refusal))) | (Mode::Observe, Err((None, refusal))) => Enforced::Denied(refusal),
    }
}

#[cfg(test)]
mod tests;
