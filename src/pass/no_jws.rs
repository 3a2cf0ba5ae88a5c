//! The types for builds without the feature `pass`. `build()` refuses the settings, so they have no values.

use super::key::PassKey;
use crate::error::ConfigError;

/// A key, which this build cannot use.
#[derive(Debug)]
pub(crate) enum Key {}

// === impl Key ===

impl Key {
    /// # Errors
    ///
    /// Names the setting, always.
    pub(crate) fn new(setting: &'static str, kid: &str, key: &PassKey) -> Result<Self, ConfigError> {
        key.validate(setting, kid)?;
        Err(ConfigError::feature(setting, kid, "pass"))
    }
}
