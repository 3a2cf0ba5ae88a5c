//! What is asked of Redis at the same time.

use super::deployment_key::Name;
use crate::store::{StoreError, Taken, rate::Rate};

/// A count that a request needs.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// One of what the rate allows.
    Take { name: Name, rate: Rate },
    /// So much more of a sum.
    Add { name: Name, amount: u64 },
}

/// The answer to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Had {
    Taken(Result<Taken, StoreError>),
    Sum(Result<u64, StoreError>),
}
