//! The settings with which a path group reads gRPC calls.

use super::fields::Fields;
use crate::{
    error::ConfigError,
    proof::{Descriptors, Media, Plan},
};

/// How a rule reads gRPC calls.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) client_streaming: bool,
    pub(crate) descriptors: Option<Descriptors>,
}

/// # Errors
///
/// `client_streaming`: this build does not read gRPC calls.
pub(crate) fn validate(client_streaming: bool) -> Result<(), ConfigError> {
    if client_streaming && !cfg!(feature = "grpc") {
        return Err(ConfigError::feature("client_streaming", "true", "grpc"));
    }
    Ok(())
}

/// The plan for a group of this name and path, and whether its calls are client-streaming.
///
/// # Errors
///
/// `field`, from the plan; `client_streaming`, if the descriptors contradict it.
pub(super) fn accept(
    plan: Plan,
    fields: &Fields,
    accepted: &[Media],
    settings: &Settings,
    (name, path): (&str, Option<&str>),
) -> Result<(Plan, bool), ConfigError> {
    if !accepted.contains(&Media::Grpc) {
        return Ok((plan, false));
    }
    let path = path.unwrap_or_default();
    let method = settings.descriptors.as_ref().and_then(|descriptors| descriptors.method(path));
    let plan = plan.accepting_grpc(fields.as_slice(), fields.required(), method.as_ref())?;
    let known = method.map(|method| method.is_client_streaming());
    if known == Some(false) && settings.client_streaming {
        let problem = "the descriptor says that the method takes one message";
        return Err(ConfigError::new("client_streaming", name, problem));
    }
    Ok((plan, known.unwrap_or(settings.client_streaming)))
}
