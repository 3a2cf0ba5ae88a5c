//! The client against a JPush that behaves, and one that does not.

mod bad_days;
mod boxed;
mod exhaustion;
mod http2;
mod leaving;
mod outages;
mod proofs;
mod replies;
mod retry;
mod settings;
mod support;
mod surplus;
mod tls;
