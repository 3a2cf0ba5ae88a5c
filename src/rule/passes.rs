//! The passes of a rule, compiled.

use std::sync::Arc;

use http::StatusCode;

use super::settings::{Overrides, Values};
use crate::{
    error::ConfigError,
    judge::{Guards, RulePasses},
    pass::Keyring,
};

/// The compiled passes of the layer, for all rules that do not set passes.
pub(super) fn of_layer(layer: &Overrides) -> Result<Option<Arc<Keyring>>, ConfigError> {
    let passes = layer.passes.as_ref().and_then(Option::as_ref);
    Ok(passes.map(Keyring::new).transpose()?.map(Arc::new))
}

/// The passes of a rule with these settings.
///
/// # Errors
///
/// `passes` and its parts; `retry_pass`.
pub(super) fn resolve(
    rule: &Overrides,
    values: &Values,
    of_layer: Option<&Arc<Keyring>>,
    guards: &Guards,
    is_reload: bool,
) -> Result<Option<Box<RulePasses>>, ConfigError> {
    let statuses = values.retry_pass.iter();
    let retry = statuses.map(|status| {
        let is_refusal = (400..500).contains(status);
        StatusCode::from_u16(*status).ok().filter(|_| is_refusal).ok_or_else(|| {
            ConfigError::new(
                "retry_pass",
                status.to_string(),
                "a status from 400 to 499: other answers let a client in, or ask it to wait",
            )
        })
    });
    let retry: Box<[StatusCode]> = retry.collect::<Result<_, _>>()?;
    let Some(passes) = &values.passes else {
        let is_own = |is_set: bool, setting| {
            let problem = "requires `passes`, which has the keys";
            if is_set { Err(ConfigError::unshown(setting, problem)) } else { Ok(()) }
        };
        is_own(rule.retry_pass.as_ref().is_some_and(|statuses| !statuses.is_empty()), "retry_pass")?;
        is_own(rule.pass_field.is_some(), "pass_field")?;
        return Ok(None);
    };
    if rule.on_demand && rule.retry_pass.as_ref().is_some_and(|statuses| !statuses.is_empty()) {
        let problem = "a rule that is `on_demand` refuses a wrong password before its check is paid for";
        return Err(ConfigError::unshown("retry_pass", problem));
    }
    if passes.binds_client() && values.client_ip.is_none() {
        return Err(ConfigError::unshown("passes.bind_client", "requires `client_ip`, which finds the address"));
    }
    // A reload may bring rules that were built for other guards. Their passes are claimed nevertheless.
    if !guards.claim_proofs() && !is_reload {
        return Err(ConfigError::unshown(
            "passes",
            "a pass works once, and guards `without_replay_guard` claim nothing",
        ));
    }
    let ring = match (&rule.passes, of_layer) {
        (None, Some(ring)) => Arc::clone(ring),
        (Some(_), _) | (None, None) => Arc::new(Keyring::new(passes)?),
    };
    Ok(Some(Box::new(RulePasses { ring, retry: if rule.on_demand { Box::default() } else { retry } })))
}
