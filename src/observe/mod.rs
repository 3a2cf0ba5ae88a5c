//! What happened to a guarded request, and who is informed.
//!
//! The layer makes one [`Decided`] of every guarded request, and the observers make of it what they are for: an event, or
//! nothing.

#[cfg(feature = "tracing")]
mod alarms;
mod decided;
#[cfg(not(feature = "tracing"))]
mod none;
#[cfg(feature = "tracing")]
mod share;
#[cfg(feature = "tracing")]
mod tracing;

pub(crate) use self::decided::{Decided, Outcome};
#[cfg(not(feature = "tracing"))]
pub(crate) use self::none::Observers;
#[cfg(feature = "tracing")]
pub(crate) use self::tracing::Observers;
