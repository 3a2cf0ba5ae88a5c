//! Replaces Redis in a build without the feature. A value never exists.

use std::time::Duration;

use super::{
    Redis,
    count::{CountReply, CountRequest},
    deployment_key::Name,
    wait::RedisWait,
};
use crate::{
    ex_id::ExId,
    store::{Claimed, Nonce, StoreError},
};

// === impl Redis ===

#[allow(clippy::unused_async)]
impl Redis {
    pub(crate) async fn claim_as(
        &self,
        _: &Name,
        _: Nonce,
        _: &ExId,
        _: Duration,
        _: &mut RedisWait,
    ) -> Result<Claimed, StoreError> {
        match *self.server {}
    }

    pub(crate) async fn release_name(&self, _: &Name, _: Nonce) -> Result<(), StoreError> {
        match *self.server {}
    }

    pub(crate) async fn count(&self, _: Vec<CountRequest>, _: &mut RedisWait) -> Vec<CountReply> {
        match *self.server {}
    }
}
