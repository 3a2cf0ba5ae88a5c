//! Checks of limits and names when the layer is built.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::spec::Rule;
use crate::{
    error::ConfigError,
    judge::{Bulkhead, Guards},
};

/// The places of `in_flight`: of this rule alone, or of all rules that do not set it.
pub(super) fn places(guards: &Guards, rule: Option<&str>, places: usize) -> Result<Arc<Bulkhead>, ConfigError> {
    if places == 0 {
        return Err(zero("in_flight"));
    }
    if places > Semaphore::MAX_PERMITS || u32::try_from(places).is_err() {
        return Err(ConfigError::new("in_flight", places.to_string(), "too large"));
    }
    Ok(Arc::new(guards.bulkhead(rule, places)))
}

/// The account of a verifier.
pub(super) fn account(text: &str) -> Result<Arc<str>, ConfigError> {
    label("account", text).map(Into::into)
}

/// Checks a text that the user chooses for the log.
fn label<'t>(setting: &'static str, text: &'t str) -> Result<&'t str, ConfigError> {
    if (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text)
    } else {
        Err(ConfigError::new(setting, text, "1 to 64 characters of visible ASCII"))
    }
}

/// Checks the names of rules, set and default.
pub(super) fn names(rules: &[Rule]) -> Result<(), ConfigError> {
    let mut taken = BTreeSet::new();
    for rule in rules {
        if let Some(name) = &rule.name {
            label("rule.name", name)?;
        }
        if !taken.insert(rule.to_string()) && rule.name.is_some() {
            return Err(ConfigError::new("rule.name", rule.to_string(), "another rule has this name"));
        }
    }
    Ok(())
}

pub(super) fn zero(setting: &'static str) -> ConfigError {
    ConfigError::new(setting, "0", "a limit of zero refuses everything")
}

pub(super) fn duration(setting: &'static str, value: Duration, problem: &'static str) -> ConfigError {
    ConfigError::new(setting, format!("{value:?}"), problem)
}
