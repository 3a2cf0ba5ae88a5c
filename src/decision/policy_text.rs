//! A policy as text, for people.

use std::fmt;

use super::policy::Policy;

/// One line per setting, always in the same order: bands, unknown risk, tags, fallbacks, then `disclose_risk`.
///
/// ```
/// use tower_jverify::{Action, Class, Fallback, Policy};
///
/// let policy = Policy::default().tag("F24004", Action::Deny).on(Class::Unavailable, Fallback::Captcha);
/// assert_eq!(policy.to_string(), "\
/// band(0): low, allow
/// band(300): medium, flag
/// band(600): elevated, step_up
/// band(900): high, deny
/// unknown_risk: flag
/// tag(\"F24004\"): deny
/// on(unavailable): captcha
/// on(any other class): deny
/// disclose_risk: false");
/// ```
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for band in &self.bands {
            writeln!(f, "band({}): {}, {}", band.from, band.level.as_str(), band.action.as_str())?;
        }
        writeln!(f, "unknown_risk: {}", self.unknown_risk.as_str())?;
        for (tag, action) in self.tags.iter() {
            writeln!(f, "tag({tag:?}): {}", action.as_str())?;
        }
        for (class, fallback) in self.fallbacks.iter() {
            writeln!(f, "on({class}): {}", fallback.as_str())?;
        }
        let other = if self.fallbacks.iter().next().is_some() { "any other class" } else { "any class" };
        writeln!(f, "on({other}): deny")?;
        write!(f, "disclose_risk: {}", self.discloses_risk)
    }
}

#[cfg(feature = "serde")]
impl Policy {
    /// A name for these settings: equal policies have the same one. The first 8 bytes of SHA-256 (FIPS 180-4) of the text, as
    /// hexadecimal digits.
    pub(crate) fn fingerprint(&self) -> String {
        use sha2::{Digest, Sha256};

        let [first @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _]: [u8; 32] =
            Sha256::digest(self.to_string()).into();
        format!("{:016x}", u64::from_be_bytes(first))
    }
}
