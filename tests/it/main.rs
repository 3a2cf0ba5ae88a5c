//! The contracts, from outside: real sockets, real TLS.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod jpush;
