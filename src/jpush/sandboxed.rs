//! What the client does differently for the sandbox. Without the feature `sandbox` this does nothing.
//!
//! The sandbox is recognised by its type: no transport to a real server can have it.

use std::{any::Any, error::Error};

#[cfg(feature = "sandbox")]
use crate::sandbox::{Sandbox, SandboxFault};

/// Whether a transport is the sandbox, whose documented proofs contain more characters than those of carriers.
#[cfg(feature = "sandbox")]
pub(super) fn is_sandbox(transport: &dyn Any) -> bool {
    transport.is::<Sandbox>()
}

/// Whether a transport is the sandbox.
#[cfg(not(feature = "sandbox"))]
pub(super) fn is_sandbox(_: &dyn Any) -> bool {
    false
}

/// Whether the sandbox refused a connection, so that nothing was sent.
#[cfg(feature = "sandbox")]
pub(super) fn is_refused(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    error.downcast_ref::<SandboxFault>().is_some_and(SandboxFault::nothing_sent)
}

/// Whether the sandbox refused a connection.
#[cfg(not(feature = "sandbox"))]
pub(super) fn is_refused(_: &(dyn Error + Send + Sync + 'static)) -> bool {
    false
}
