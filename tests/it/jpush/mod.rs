//! The client against a correct and an incorrect JPush.

mod bad_days;
mod boxed;
mod exhaustion;
mod http2;
mod kept;
mod key_shapes;
mod keys;
mod leaving;
mod outages;
mod private;
mod proofs;
mod proxy;
mod replies;
mod retry;
mod settings;
mod support;
mod surplus;
mod tls;
mod warm;
