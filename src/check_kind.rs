//! The kinds of checks, without their proofs: the words in headers, events and the code table.

use std::fmt;

/// The kind of a [`Question`](crate::Question), without its proof.
///
/// ```
/// use tower_jverify::{Check, CheckKind};
///
/// assert_eq!(Check::one_tap("token").kind(), CheckKind::OneTap);
/// assert_eq!(CheckKind::OneTap.as_str(), "one-tap");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CheckKind {
    /// Does a carrier's token belong to this phone? (号码认证)
    Number,
    /// Did a person solve the captcha? (行为验证)
    Captcha,
    /// Whose phone is it? (一键登录)
    OneTap,
    /// How risky is this phone? (风险分)
    Risk,
}

// === impl CheckKind ===

impl CheckKind {
    /// The word in headers and events: `number`, `captcha`, `one-tap`, `risk`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Captcha => "captcha",
            Self::OneTap => "one-tap",
            Self::Risk => "risk",
        }
    }

    /// Whether the vendor bills this check. A captcha is free; a number check is billed whether it matches or not.
    pub(crate) const fn is_billed(self) -> bool {
        match self {
            Self::Number | Self::OneTap | Self::Risk => true,
            Self::Captcha => false,
        }
    }
}

impl fmt::Display for CheckKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
