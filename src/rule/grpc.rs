//! What a group of rules needs in order to read gRPC calls.

use std::sync::Arc;

use super::{Rule, RuleState, plan::FieldSet};
#[cfg(feature = "grpc-descriptors")]
use crate::proof::Descriptors;
use crate::{
    ConfigError,
    proof::{Media, Plan},
};

/// How a rule reads gRPC calls.
#[derive(Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) client_streaming: bool,
    #[cfg(feature = "grpc-descriptors")]
    pub(super) descriptors: Option<Descriptors>,
}

/// The plan for these rules, and whether the calls are client-streaming.
///
/// # Errors
///
/// `field`, as the plan says; `client_streaming`, where the descriptors say otherwise.
pub(super) fn accept(
    plan: Plan,
    fields: &FieldSet,
    rules: &[(&Rule, Arc<RuleState>)],
) -> Result<(Plan, bool), ConfigError> {
    let Some((rule, state)) = rules.first() else { return Ok((plan, false)) };
    let settings = &state.settings.grpc;
    if !state.settings.accept.contains(&Media::Grpc) {
        return Ok((plan, false));
    }
    #[cfg(feature = "grpc-descriptors")]
    {
        let path = rule.path.as_deref().unwrap_or_default();
        let method = settings.descriptors.as_ref().and_then(|descriptors| descriptors.method(path));
        let plan = plan.accepting_grpc(fields.as_slice(), fields.required(), method.as_ref())?;
        let known = method.map(|method| method.is_client_streaming);
        if known == Some(false) && settings.client_streaming {
            let problem = "by its descriptor the method takes one message";
            return Err(ConfigError::new("client_streaming", rule.to_string(), problem));
        }
        Ok((plan, known.unwrap_or(settings.client_streaming)))
    }
    #[cfg(not(feature = "grpc-descriptors"))]
    {
        let _ = rule;
        let plan = plan.accepting_grpc(fields.as_slice(), fields.required())?;
        Ok((plan, settings.client_streaming))
    }
}
