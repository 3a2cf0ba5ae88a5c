//! The settings of a rule that is not enforced for all requests.

use std::{sync::Arc, time::Duration};

use super::{limits, mode::Mode, rollout::Share, settings::Values, tester::Tester};
use crate::error::ConfigError;

/// The settings of a rule that is not enforced for all requests.
#[derive(Clone)]
pub(crate) struct Shadow {
    pub(crate) deadline: Duration,
    /// Whether no check is sent.
    pub(crate) unasked: bool,
    pub(super) tester: Option<Tester>,
    /// For whom it is enforced. `None`: only for testers.
    pub(super) share: Option<Arc<Share>>,
}

/// The range of `shadow_deadline`.
const DEADLINES: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);

// === impl Shadow ===

impl Shadow {
    /// `None` for a rule that is always enforced.
    ///
    /// # Errors
    ///
    /// Names the setting.
    pub(super) fn resolve(values: &Values, is_on_demand: bool) -> Result<Option<Self>, ConfigError> {
        if !DEADLINES.contains(&values.shadow_deadline) {
            return Err(limits::duration("shadow_deadline", values.shadow_deadline, "10 ms to 60 s"));
        }
        if let Some(tester) = &values.enforce_when {
            tester.validate()?;
        }
        let share = match &values.mode {
            Mode::Enforce => return Ok(None),
            Mode::Shadow => None,
            Mode::Rollout(rollout) => Some(Arc::new(rollout.compile(values.client_ip.is_some())?)),
        };
        if is_on_demand {
            let problem = "a rule that is `on_demand` is enforced: its handler decides what a refusal means";
            return Err(ConfigError::unshown("mode", problem));
        }
        let (deadline, unasked, tester) = (values.shadow_deadline, values.shadow_unasked, values.enforce_when.clone());
        Ok(Some(Self { deadline, unasked, tester, share }))
    }
}
