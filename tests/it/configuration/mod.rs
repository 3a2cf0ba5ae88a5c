//! CASES 61: `build()` rejects an invalid configuration with the setting's name.

mod client;
mod layer;
mod resolved;
