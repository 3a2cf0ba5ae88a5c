//! The keys of passes in builds without the feature `pass`. `build()` refuses the setting, so there are none.

use std::time::SystemTime;

use super::{
    bound::Bound,
    carried::{Carried, Unread},
    jws::Key,
    passes::Passes,
};
use crate::error::ConfigError;

/// The keys of a rule's passes, which this build does not have.
#[derive(Debug)]
pub(crate) enum Keyring {}

// === impl Keyring ===

impl Keyring {
    /// # Errors
    ///
    /// Names the setting, always.
    pub(crate) fn new(passes: &Passes) -> Result<Self, ConfigError> {
        passes.validate()?;
        for (kid, key) in &passes.keys {
            Key::new("passes", kid, key)?;
        }
        Err(ConfigError::feature("passes", "a key", "pass"))
    }

    pub(crate) fn issue(&self, _: &Carried, _: &Bound<'_>, _: SystemTime) -> Option<String> {
        match *self {}
    }

    pub(crate) fn read(&self, _: &str, _: &Bound<'_>, _: SystemTime) -> Result<Carried, Unread> {
        match *self {}
    }
}
