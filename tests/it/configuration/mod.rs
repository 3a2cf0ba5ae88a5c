//! CASES 61: what can be wrong in a configuration is said when it is built, by the setting's name.

mod client;
mod layer;
mod resolved;
