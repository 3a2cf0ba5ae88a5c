//! The meaning of an answer.

use std::fmt;

/// The meaning of an answer. The table of codes is in `docs/codes.md`.
///
/// ```
/// use tower_jverify::Class;
///
/// assert!(Class::Passed.is_pass());
/// assert!(!Class::Inconclusive.is_pass());
/// assert_eq!(Class::Unavailable.to_string(), "unavailable");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The check succeeded.
    Passed,
    /// The check failed: mismatch, not solved, forged, or made for another app.
    Rejected,
    /// The proof is spent or expired: the client needs a new one.
    Stale,
    /// The vendor could not decide.
    Inconclusive,
    /// Too many checks for this phone.
    Throttled,
    /// The app's own limit at the vendor.
    Quota,
    /// The account has no balance, or a service is not enabled.
    Account,
    /// Credentials or the app's set-up are wrong.
    Misconfigured,
    /// The vendor reports that the request is malformed.
    Invalid,
    /// There was no answer, or the service reported an internal failure.
    Unavailable,
    /// The answer cannot be read or trusted. [`Fallback::Open`](crate::Fallback) cannot be set for it, because the client's
    /// input may be the reason.
    Unreadable,
    /// An unclassified code, or a verifier's error that is not a [`CallError`](crate::CallError). Always refused.
    Unknown,
}

// === impl Class ===

impl Class {
    #[rustfmt::skip]
    pub(crate) const ALL: [Self; 12] = [
        Self::Passed, Self::Rejected, Self::Stale, Self::Inconclusive, Self::Throttled, Self::Quota, Self::Account,
        Self::Misconfigured, Self::Invalid, Self::Unavailable, Self::Unreadable, Self::Unknown,
    ];

    /// The index in [`Class::ALL`].
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// Whether the check succeeded.
    pub const fn is_pass(self) -> bool {
        matches!(self, Self::Passed)
    }

    /// The word in headers and events, such as `passed` or `unavailable`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Rejected => "rejected",
            Self::Stale => "stale",
            Self::Inconclusive => "inconclusive",
            Self::Throttled => "throttled",
            Self::Quota => "quota",
            Self::Account => "account",
            Self::Misconfigured => "misconfigured",
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
            Self::Unreadable => "unreadable",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
