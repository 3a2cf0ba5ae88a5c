//! Bounds: checks in flight, the one deadline, and futures that are dropped.

mod bulkhead;
mod deadline;
mod dropped;
