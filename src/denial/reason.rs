//! Why a request was refused.

use crate::verdict::Class;

/// Why a request was refused.
///
/// | reason | status | `code` | gRPC | `next` |
/// |---|---|---|---|---|
/// | a verdict `Rejected` or `Inconclusive`, a captcha, scene or phone that does not match, risk at a deny band | 403 | `verification_failed` | 7 | `other_method` |
/// | risk at a deny band, with [`Policy::disclose_risk`](crate::Policy::disclose_risk) | 403 | `risk_too_high` | 7 | `other_method` |
/// | step-up needed | 403 | `captcha_required` | 7 | `captcha` |
/// | a verdict `Stale`, a proof that another request has asked about, a pass that cannot be used | 403 | `proof_expired` | 7 | `new_token` |
/// | a CORS preflight on a rule for every method | 403 | `preflight_refused` | 7 | |
/// | a proof missing or half | 400 | `proof_missing` | 3 | |
/// | a proof malformed or ambiguous, a verdict `Invalid` | 400 | `proof_malformed` | 3 | |
/// | a body that cannot be read | 400 | `body_malformed` | 3 | |
/// | a path that can be read in several ways | 400 | `path_ambiguous` | 3 | |
/// | a request that asks to become another protocol | 400 | `upgrade_refused` | 3 | |
/// | a method that no rule of a guarded path names | 405 | `method_not_allowed` | 12 | |
/// | a body too slow | 408 | `body_timeout` | 4 | |
/// | a body too large | 413 | `body_too_large` | 3 | |
/// | a media type that is not accepted | 415 | `unsupported_media_type` | 3 | |
/// | a content coding that is not accepted | 415 | `unsupported_encoding` | 3 | |
/// | a verdict `Throttled`, a client over a limit | 429 | `throttled` | 8 | `wait`, `other_method` |
/// | any other verdict, an open breaker, a store that is full or does not answer, an account over its rate or its daily budget, too many checks or bodies at once, a closure of the user's that panicked | 503 | `verification_unavailable` | 14 | `other_method` |
/// | a gRPC call whose own deadline (`grpc-timeout`) is over, or too near to begin a check | 503 | `verification_unavailable` | 4 | `other_method` |
///
/// ```
/// use tower_jverify::{Class, Denial, DenialReason};
///
/// let denial = Denial::for_test(DenialReason::Verdict(Class::Rejected));
/// assert_eq!((denial.code(), denial.reason().as_str()), ("verification_failed", "rejected"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenialReason {
    /// The verifier's answer was not a pass, or there was no answer. Never [`Class::Passed`].
    Verdict(Class),
    /// The captcha was solved for another scene, or the one-tap phone is not the body's.
    Mismatch,
    /// The captcha is of a type that does not count, or was solved from another network, or the verifier does not say.
    CaptchaUnbound,
    /// The policy refuses this risk.
    RiskTooHigh,
    /// The policy requires a captcha in the same request.
    CaptchaRequired,
    /// A required proof is missing or incomplete.
    ProofMissing,
    /// The proof is invalid: a wrong type, a name twice, a second source.
    ProofMalformed,
    /// The body does not match its media type, or the client broke off.
    BodyMalformed,
    /// The path has several readings, one of which is guarded, or a routing parameter names a guarded path.
    PathAmbiguous,
    /// No rule of a guarded path names the method, and the backend may ignore it. The answer has `Allow`.
    MethodNotAllowed,
    /// A CORS preflight, which carries no proof, on a rule for its method. Mount a CORS layer outside of this one to answer
    /// it.
    PreflightRefused,
    /// The request asks for another protocol (`CONNECT`, `Upgrade`), whose data the layer could not read.
    Upgrade,
    /// The body is over its byte limit.
    BodyTooLarge,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The rule does not accept this media type.
    UnsupportedMediaType,
    /// The rule does not accept this content coding.
    UnsupportedEncoding,
    /// Another request has used this proof. No check was sent.
    Replayed,
    /// The pass cannot be used for this request: its key, rule, phone, path or client differs, its text was changed, or no store can say
    /// whether it was used. No check was sent.
    PassInvalid,
    /// The pass is for this request, but has expired. No check was sent.
    PassExpired,
    /// Another request has used this pass. No check was sent.
    PassUsed,
    /// The breaker of the endpoint is open. No check was sent.
    BreakerOpen,
    /// The store is full or does not answer, so the proof cannot be claimed or the request not counted, and
    /// [`StorePolicy::Refuse`](crate::StorePolicy) is set. No check was sent.
    StoreDown,
    /// The client is over its rate, or over a limit of the rule ([`Rule::limit`](crate::Rule::limit)). No check was sent.
    RateLimited,
    /// The account is over its rate ([`GuardsBuilder::per_account`](crate::GuardsBuilder::per_account)). No check was sent.
    AccountLimited,
    /// The account's checks for this day are used up ([`GuardsBuilder::daily_budget`](crate::GuardsBuilder::daily_budget)).
    /// No check was sent.
    Budget,
    /// Too many checks in flight, or too many bodies being read. Nothing was spent.
    Overloaded,
    /// A gRPC call's deadline (`grpc-timeout`) has passed, or is too near to start a check. The client set it, so no policy
    /// opens for it.
    DeadlineExceeded,
    /// A user's closure or a verifier panicked.
    Panicked,
}

// === impl DenialReason ===

impl DenialReason {
    /// The reasons other than verdicts, in the order of [`DenialReason::index`].
    const OTHERS: [Self; 27] = [
        Self::Mismatch,
        Self::RiskTooHigh,
        Self::CaptchaRequired,
        Self::ProofMissing,
        Self::ProofMalformed,
        Self::BodyMalformed,
        Self::PathAmbiguous,
        Self::MethodNotAllowed,
        Self::PreflightRefused,
        Self::Upgrade,
        Self::BodyTooLarge,
        Self::BodyTimeout,
        Self::UnsupportedMediaType,
        Self::UnsupportedEncoding,
        Self::Overloaded,
        Self::DeadlineExceeded,
        Self::Panicked,
        Self::Replayed,
        Self::BreakerOpen,
        Self::StoreDown,
        Self::RateLimited,
        Self::AccountLimited,
        Self::Budget,
        Self::CaptchaUnbound,
        Self::PassInvalid,
        Self::PassExpired,
        Self::PassUsed,
    ];

    /// All reasons, in the order of [`DenialReason::index`].
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Class::ALL.into_iter().map(Self::Verdict).chain(Self::OTHERS)
    }

    /// The index in [`DenialReason::all`].
    pub(crate) const fn index(self) -> usize {
        let other = match self {
            Self::Verdict(class) => return class.index(),
            Self::Mismatch => 0,
            Self::RiskTooHigh => 1,
            Self::CaptchaRequired => 2,
            Self::ProofMissing => 3,
            Self::ProofMalformed => 4,
            Self::BodyMalformed => 5,
            Self::PathAmbiguous => 6,
            Self::MethodNotAllowed => 7,
            Self::PreflightRefused => 8,
            Self::Upgrade => 9,
            Self::BodyTooLarge => 10,
            Self::BodyTimeout => 11,
            Self::UnsupportedMediaType => 12,
            Self::UnsupportedEncoding => 13,
            Self::Overloaded => 14,
            Self::DeadlineExceeded => 15,
            Self::Panicked => 16,
            Self::Replayed => 17,
            Self::BreakerOpen => 18,
            Self::StoreDown => 19,
            Self::RateLimited => 20,
            Self::AccountLimited => 21,
            Self::Budget => 22,
            Self::CaptchaUnbound => 23,
            Self::PassInvalid => 24,
            Self::PassExpired => 25,
            Self::PassUsed => 26,
        };
        Class::ALL.len() + other
    }

    /// The word in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verdict(class) => class.as_str(),
            Self::Mismatch => "mismatch",
            Self::CaptchaUnbound => "captcha_unbound",
            Self::RiskTooHigh => "risk_too_high",
            Self::Replayed => "replayed",
            Self::PassInvalid => "pass_invalid",
            Self::PassExpired => "pass_expired",
            Self::PassUsed => "pass_used",
            Self::BreakerOpen => "breaker_open",
            Self::StoreDown => "store_down",
            Self::RateLimited => "rate_limited",
            Self::AccountLimited => "account_limited",
            Self::Budget => "budget",
            Self::Overloaded => "overloaded",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Panicked => "panicked",
            other => other.answer().code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DenialReason;

    #[test]
    fn each_reason_has_its_place_among_all() {
        assert!(DenialReason::all().enumerate().all(|(place, reason)| reason.index() == place));
    }
}
