//! The counts that are requested from Redis at the same time.

use super::deployment_key::Name;
use crate::store::{StoreError, Taken, rate::Rate};

/// An operation that counts a client's request.
#[derive(Debug)]
pub(crate) enum CountRequest {
    /// Takes one from a rate.
    Take { name: Name, rate: Rate },
    /// Adds to a sum.
    Add { name: Name, amount: u64 },
}

/// The reply to a [`CountRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CountReply {
    Taken(Result<Taken, StoreError>),
    Sum(Result<u64, StoreError>),
}
