//! An endpoint that is down gets no checks.

mod openings;
mod probes;
mod settings;
