//! Informs observers about guarded requests.
//!
//! The layer creates one [`Decided`] for every guarded request. The [`Observers`] turn it into an event, metrics, and calls
//! of the user's closures. Any combination of them can be enabled.

mod alarms;
mod counts;
mod decided;
#[cfg(feature = "tracing")]
mod events;
#[cfg(not(feature = "tracing"))]
#[path = "no_events.rs"]
mod events;
mod explain;
mod listeners;
mod meters;
mod observers;
mod pseudonym;
mod ratio;
#[cfg(feature = "serde")]
mod record;
mod share;
mod stages;
mod watch;

pub(crate) use self::{
    counts::Counts,
    decided::Outcome,
    listeners::Listeners,
    meters::{BudgetMark, By, Operation, PassEvent, Phase},
    observers::{Observers, StartedCheck},
    pseudonym::Pseudonyms,
    stages::Stages,
    watch::Watched,
};
pub use self::{decided::Decided, pseudonym::Pseudonym};
