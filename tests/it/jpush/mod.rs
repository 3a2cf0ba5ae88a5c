//! The client against a JPush that behaves, and one that does not.

mod bad_days;
mod http2;
mod replies;
mod retry;
mod settings;
mod support;
mod tls;
