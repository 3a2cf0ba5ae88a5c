//! Errors in a configuration, returned by `build()`.
//!
//! A layer that guards a login must not fail at three in the morning because of its configuration: `build()` checks
//! everything that can be checked, and the error names the setting.

use std::{borrow::Cow, error::Error, fmt};

/// An invalid setting, returned by a `build()`.
///
/// Names the setting, the rule if it concerns one, and the value unless it is secret. It never contains a person's data:
/// none exists at that time.
///
/// ```
/// use tower_jverify::{JVerifyLayer, Rule, captcha};
/// # use tower_jverify::{Check, Class, Verdict};
/// # let verifier = tower::service_fn(|check: Check| async move {
/// #     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
/// # });
/// let error = JVerifyLayer::builder(verifier).rule(Rule::post("login", captcha())).build().err().unwrap();
/// assert_eq!(error.setting(), "rule.path");
/// assert_eq!(error.rule(), Some("POST login"));
/// assert_eq!(error.to_string(), "`rule.path` is \"login\": a path starts with a slash (in the rule `POST login`)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    setting: &'static str,
    rule: Option<Box<str>>,
    value: Option<Box<str>>,
    problem: Cow<'static, str>,
}

// === impl ConfigError ===

impl ConfigError {
    /// A problem whose value may be shown.
    pub(crate) fn new(
        setting: &'static str,
        value: impl Into<Box<str>>,
        problem: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { setting, rule: None, value: Some(value.into()), problem: problem.into() }
    }

    /// A problem whose value is secret, or absent.
    pub(crate) fn unshown(setting: &'static str, problem: impl Into<Cow<'static, str>>) -> Self {
        Self { setting, rule: None, value: None, problem: problem.into() }
    }

    /// Sets the rule of the setting. The first call wins.
    pub(crate) fn of_rule(mut self, rule: impl fmt::Display) -> Self {
        self.rule.get_or_insert_with(|| rule.to_string().into());
        self
    }

    /// A setting that needs a Cargo feature that this build does not have.
    pub(crate) fn feature(setting: &'static str, value: impl Into<Box<str>>, feature: &'static str) -> Self {
        Self::new(setting, value, format!("needs the Cargo feature `{feature}` of tower-jverify"))
    }

    /// The setting's name, as in the documentation: `deadline`, `rule.path`, `credentials`.
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// The rule of the invalid setting, as in `POST /login`; `None` if the error does not concern one rule.
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// The refused value; `None` if it is secret or absent.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            // Some problems concern the rule itself.
            Some(value) if self.value != self.rule => write!(f, "`{}` is {value:?}: {}", self.setting, self.problem)?,
            Some(_) | None => write!(f, "`{}`: {}", self.setting, self.problem)?,
        }
        match &self.rule {
            Some(rule) => write!(f, " (in the rule `{rule}`)"),
            None => Ok(()),
        }
    }
}

impl Error for ConfigError {}
