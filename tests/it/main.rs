//! The promises of the crate, tested through its public API: real sockets, real hyper, axum and tonic.
//!
//! One binary, with one module for each subject. Test names are the promises.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../fault_proxy/mod.rs"]
mod fault_proxy;
mod support;

mod assertion;
mod bodies;
mod canonical;
mod codings;
mod configuration;
mod decisions;
mod denials;
mod examples;
mod extraction;
mod extractor;
mod floors;
mod frameworks;
mod grpc;
mod guards;
mod headers;
mod jpush;
mod load;
mod matching;
mod multipart;
mod on_demand;
mod pages;
mod passes;
mod pinning;
mod proxy;
mod readiness;
mod redis;
mod reload;
mod shadow;
mod telemetry;
mod upgrades;
