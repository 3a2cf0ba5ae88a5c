//! Whether a rule is enforced.

use super::rollout::Rollout;

/// Whether a rule refuses requests, or only records what it would refuse.
///
/// ```
/// use tower_jverify::{Mode, Rollout, Rule, Secret, Unit, number};
///
/// // First: every request passes, and the log shows which ones would be refused.
/// let watched = Rule::post("/login", number()).mode(Mode::Shadow);
///
/// // Then: a quarter of the phones.
/// # let key = "0123456789abcdef0123456789abcdef";
/// let rollout = Rollout::percent(25.0).by(Unit::Phone).key(Secret::from(key));
/// let partly = Rule::post("/login", number()).mode(Mode::Rollout(rollout));
/// # let _ = (watched, partly);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Mode {
    /// A request that is refused does not reach the application.
    #[default]
    Enforce,
    /// **Danger: the rule guards nothing.** Every request reaches the application, with every byte as it came.
    ///
    /// The rule is evaluated as otherwise: bodies are read, checks are asked, paid for and counted. But the layer never
    /// answers. A request that would be refused has `x-jverify-decision: would-deny`, the word of its
    /// [`DenialReason`](crate::DenialReason) in `x-jverify-reason`, and [`Decision::would_deny`](crate::Decision::would_deny).
    /// The extractor `Verified` refuses it. A request that passes has the usual headers. All have `x-jverify-mode: shadow`.
    /// **Readers of `x-jverify-decision` that were written for `allow` and `flag` must treat `would-deny` as not allowed.**
    ///
    /// The body is never changed, also where the checks pass: [`canonical_body`](crate::Rule::canonical_body),
    /// [`decode`](crate::Rule::decode) and [`pin_phone`](crate::Rule::pin_phone) have no effect on what the application receives.
    /// Headers are still removed: those under the layer's prefix, and those that
    /// [`foreign_backend`](crate::JVerifyBuilder::foreign_backend) names. One request has no way on, and is answered: that of a client
    /// that breaks off its body, or whose body a limit outside of the layer ends.
    ///
    /// The application waits at most for [`shadow_deadline`](crate::Rule::shadow_deadline).
    ///
    /// A request that several rules may mean is in shadow only if all of them are. That is a request whose path has several
    /// readings; whose body cannot be read, on a path where `when` chooses between rules; whose body `canonical_body` or `decode`
    /// would change, on such a path; and, with `foreign_backend`, a request of another method on the path of a rule.
    Shadow,
    /// Enforces the rule for a part of its phones or clients. The rest is in [`Mode::Shadow`].
    Rollout(Rollout),
}
