//! What to do with a request, and how risky its phone is.

/// What to do with a request whose checks passed. The order is from mild to strict.
///
/// ```
/// use tower_jverify::{Action, Policy};
///
/// let policy = Policy::default().unknown_risk(Action::StepUp);
/// assert!(Action::Flag < Action::StepUp);
/// # let _ = policy;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Action {
    /// Let it through.
    Allow,
    /// Let it through, marked.
    Flag,
    /// Let it through, marked, if a captcha passed in the same request. Otherwise refuse it with `captcha_required`.
    StepUp,
    /// Refuse.
    Deny,
}

/// How risky a phone is.
///
/// ```
/// use tower_jverify::{Action, Level, Policy};
///
/// let policy = Policy::default().band(450, Level::Elevated, Action::StepUp);
/// # let _ = policy;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// Normal.
    Low,
    /// Worth watching.
    Medium,
    /// Worth a further check.
    Elevated,
    /// Worth refusing.
    High,
    /// The risk was queried, and the answer has no score.
    Unknown,
}

// === impl Action ===

impl Action {
    /// The word in headers and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Flag => "flag",
            Self::StepUp => "step_up",
            Self::Deny => "deny",
        }
    }
}

// === impl Level ===

impl Level {
    /// The word in headers and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::Elevated => "elevated",
            Self::High => "high",
            Self::Unknown => "unknown",
        }
    }
}
