//! What a policy accepts instead of a check that did not pass.

use crate::{error::ConfigError, verdict::Class};

/// What happens to a request when one of its checks does not pass: see [`Policy::on`](crate::Policy::on).
///
/// ```
/// use tower_jverify::{Class, Fallback, Policy};
///
/// let policy = Policy::default().on(Class::Unavailable, Fallback::Captcha);
/// # let _ = policy;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fallback {
    /// Refuse. The default of every class.
    #[default]
    Deny,
    /// Let the request through, marked and without a phone, if a captcha passed in the same request. Otherwise refuse it with
    /// `captcha_required`.
    Captcha,
    /// **Danger.** Let the request through, marked and unverified, while a breaker is open because of an outage.
    Open,
}

/// The fallbacks of a policy: those that are set, in the order of the classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fallbacks(Vec<(Class, Fallback)>);

// === impl Fallbacks ===

impl Fallbacks {
    pub(super) fn set(&mut self, class: Class, fallback: Fallback) {
        self.0.retain(|(known, _)| *known != class);
        // The default is not kept, so that equal policies compare equal. A fallback for a pass is stored, so that `validate` refuses it.
        if fallback != Fallback::Deny || class.is_pass() {
            let at = self.0.partition_point(|(known, _)| known.index() < class.index());
            self.0.insert(at, (class, fallback));
        }
    }

    pub(super) fn of(&self, class: Class) -> Fallback {
        self.0.iter().find(|(known, _)| *known == class).map_or(Fallback::Deny, |(_, fallback)| *fallback)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Class, Fallback)> {
        self.0.iter().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// # Errors
    ///
    /// `policy.on`, with the class, when it has a fallback that is too mild.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        for (class, fallback) in self.iter() {
            let (mildest, problem) = mildest(class);
            if fallback > mildest || class.is_pass() {
                return Err(ConfigError::new("policy.on", format!("{class}, {}", fallback.as_str()), problem));
            }
        }
        Ok(())
    }
}

/// The mildest fallback that a class may have, and why none is milder.
pub(super) const fn mildest(class: Class) -> (Fallback, &'static str) {
    match class {
        Class::Passed => (Fallback::Deny, "a pass has no fallback"),
        Class::Rejected | Class::Stale | Class::Invalid => (Fallback::Deny, "a definite no is never let through"),
        Class::Inconclusive | Class::Throttled => (
            Fallback::Captcha,
            "a client can provoke it with a proof of its choice, so it is never let through unproven",
        ),
        Class::Quota | Class::Account | Class::Misconfigured | Class::Unknown => {
            (Fallback::Captcha, "it can be provoked or stay unnoticed, so it is never let through unproven")
        }
        Class::Unreadable => (
            Fallback::Captcha,
            "the client's input can be the reason why the answer cannot be read, so it is never let through unproven",
        ),
        Class::Unavailable => (Fallback::Open, ""),
    }
}

// === impl Fallback ===

impl Fallback {
    /// The word in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Captcha => "captcha",
            Self::Open => "open",
        }
    }
}
