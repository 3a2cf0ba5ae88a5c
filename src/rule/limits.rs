//! Limits that cannot stand.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use crate::ConfigError;

/// A limit, as permits.
///
/// # Errors
///
/// Zero, and more than can be counted.
pub(super) fn permits(setting: &'static str, permits: usize) -> Result<Arc<Semaphore>, ConfigError> {
    if permits == 0 {
        return Err(zero(setting));
    }
    if permits > Semaphore::MAX_PERMITS || u32::try_from(permits).is_err() {
        return Err(ConfigError::new(setting, permits.to_string(), "more than can be counted"));
    }
    Ok(Arc::new(Semaphore::new(permits)))
}

pub(super) fn zero(setting: &'static str) -> ConfigError {
    ConfigError::new(setting, "0", "a limit of zero refuses everything")
}

pub(super) fn duration(setting: &'static str, value: Duration, problem: &'static str) -> ConfigError {
    ConfigError::new(setting, format!("{value:?}"), problem)
}
