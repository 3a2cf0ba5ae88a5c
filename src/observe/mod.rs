//! What happened to a guarded request, and who is informed.
//!
//! The layer makes one [`Decided`] of every guarded request, and the [`Observers`] make of it what they are for: an event, numbers, and
//! calls of the user's closures. Any combination of them is on.

mod alarms;
mod counts;
mod decided;
#[cfg(feature = "tracing")]
mod events;
#[cfg(not(feature = "tracing"))]
#[path = "no_events.rs"]
mod events;
mod listeners;
mod meters;
mod observers;
mod ratio;
mod share;
mod watch;

pub use self::decided::Decided;
pub(crate) use self::{
    counts::Counts,
    decided::Outcome,
    listeners::Listeners,
    meters::{BudgetMark, By, Operation, Phase},
    observers::{Begun, Observers},
    watch::Watched,
};
