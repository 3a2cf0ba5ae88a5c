//! The limits that guards keep for each account.

use std::time::Duration;

use crate::{error::ConfigError, store::Rate};

/// Limits for the clients of one account, and for the account.
#[derive(Clone, Copy, Debug)]
pub(super) struct AccountLimits {
    pub(super) per_client: Option<Rate>,
    pub(super) per_client_and_phone: Option<Rate>,
    pub(super) per_account: Option<Rate>,
    pub(super) daily_budget: Option<u64>,
}

// === impl AccountLimits ===

impl Default for AccountLimits {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        const TEN_MINUTES: Duration = Duration::from_secs(600);
        Self {
            per_client: Some(Rate::new(600, MINUTE).burst(300)),
            per_client_and_phone: Some(Rate::new(3, TEN_MINUTES)),
            per_account: None,
            daily_budget: None,
        }
    }
}

impl AccountLimits {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let rates = [
            ("guards.per_client", self.per_client),
            ("guards.per_client_and_phone", self.per_client_and_phone),
            ("guards.per_account", self.per_account),
        ];
        rates.into_iter().try_for_each(|(setting, rate)| rate.map_or(Ok(()), |rate| rate.validate(setting)))?;
        match self.daily_budget {
            Some(0) => Err(ConfigError::new("guards.daily_budget", "0", "a limit of zero refuses everything")),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether any limit is for clients.
    pub(super) fn are_for_clients(&self) -> bool {
        self.per_client.is_some() || self.per_client_and_phone.is_some()
    }
}
