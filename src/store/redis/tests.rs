//! Against a real server, which each test starts for itself.

mod contract_of_a_store;
mod faults;
mod server;
