//! In place of Redis, in a build without it: there is never one.

use std::{convert::Infallible, time::Duration};

use super::{Had, Name, Redis, Wanted};
use crate::{
    ex_id::ExId,
    store::{Claimed, Nonce, StoreError},
};

/// A server that cannot be.
pub(super) struct Server(Infallible);

// === impl Redis ===

#[allow(clippy::unused_async)]
impl Redis {
    pub(crate) async fn claim_as(&self, _: &Name, _: Nonce, _: &ExId, _: Duration) -> Result<Claimed, StoreError> {
        match self.server.0 {}
    }

    pub(crate) async fn release_name(&self, _: &Name, _: Nonce) -> Result<(), StoreError> {
        match self.server.0 {}
    }

    pub(crate) async fn count(&self, _: Vec<Wanted>) -> Vec<Had> {
        match self.server.0 {}
    }
}
