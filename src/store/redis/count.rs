//! The counts that are requested from Redis at the same time.

use super::deployment_key::Name;
use crate::store::{StoreError, Taken, rate::Rate};

/// A count that a request needs.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// Takes one from a rate.
    Take { name: Name, rate: Rate },
    /// Adds to a sum.
    Add { name: Name, amount: u64 },
}

/// The answer to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Had {
    Taken(Result<Taken, StoreError>),
    Sum(Result<u64, StoreError>),
}
