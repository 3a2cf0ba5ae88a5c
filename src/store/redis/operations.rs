//! The operations of a store, in Redis.

use std::{future::Future, time::Duration};

use futures_util::future::join_all;
use redis::{ErrorKind, RedisError, Value, from_redis_value};

use super::{
    Redis,
    count::{CountReply, CountRequest},
    deployment_key::Name,
    dial::Wire,
    wait::RedisWait,
};
use crate::{
    ex_id::ExId,
    store::{Claimed, Nonce, Store, StoreError, Subject, Taken, day::Day, rate::Rate},
};

/// How long a sum is kept after its first addition: until its day has ended, and a whole day longer for late additions.
const SUM_LIFETIME: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// The longest step of a rate in a script, whose numbers are exact up to 2⁵³.
const LONGEST_STEP: u64 = 1 << 51;

// === impl Redis ===

impl Redis {
    /// As [`Store::claim`], with a nonce that is known before the answer, so that a claim without an answer can be released.
    pub(crate) async fn claim_as(
        &self,
        name: &Name,
        nonce: Nonce,
        by: &ExId,
        lifetime: Duration,
        redis_wait: &mut RedisWait,
    ) -> Result<Claimed, StoreError> {
        let script = &self.server.scripts.claim;
        let arguments = [format!("{nonce}{by}"), millis(lifetime).to_string()];
        let claimed = async |wire: &Wire| {
            let held: String = from_redis_value(script.invoke(wire, name, &arguments).await?)?;
            Ok(claim_owner(&held, nonce))
        };
        let left = redis_wait.left(self.deadline);
        redis_wait.wait(self.server.run(left, claimed)).await
    }

    /// As [`Store::release`]. Requests do not wait for it.
    pub(crate) async fn release_name(&self, name: &Name, nonce: Nonce) -> Result<(), StoreError> {
        let script = &self.server.scripts.release;
        let arguments = [nonce.to_string()];
        let released = async |wire: &Wire| number(&script.invoke(wire, name, &arguments).await?).map(drop);
        self.server.run(self.deadline, released).await
    }

    /// Runs all operations at the same time. The replies have the same order.
    pub(crate) async fn count(&self, requests: Vec<CountRequest>, redis_wait: &mut RedisWait) -> Vec<CountReply> {
        let left = redis_wait.left(self.deadline);
        let counted = requests.into_iter().map(|request| async move {
            match request {
                CountRequest::Take { name, rate } => CountReply::Taken(self.take_name(&name, rate, 1, left).await),
                CountRequest::Add { name, amount } => CountReply::Sum(self.add_name(&name, amount, left).await),
            }
        });
        redis_wait.wait(join_all(counted)).await
    }

    async fn take_name(&self, name: &Name, rate: Rate, cost: u32, left: Duration) -> Result<Taken, StoreError> {
        let step = rate.interval().saturating_mul(u64::from(cost)).min(LONGEST_STEP);
        let script = &self.server.scripts.take;
        let arguments = [step, rate.window()].map(|number| number.to_string());
        let taken = async |wire: &Wire| number(&script.invoke(wire, name, &arguments).await?);
        let wait = self.server.run(left, taken).await?;
        Ok(if wait == 0 { Taken::Now } else { Taken::Wait(Duration::from_micros(wait)) })
    }

    async fn add_name(&self, name: &Name, amount: u64, left: Duration) -> Result<u64, StoreError> {
        let script = &self.server.scripts.add;
        let arguments = [amount, millis(SUM_LIFETIME)].map(|number| number.to_string());
        let added = async |wire: &Wire| number(&script.invoke(wire, name, &arguments).await?);
        self.server.run(left, added).await
    }
}

impl Store for Redis {
    async fn claim(&self, subject: &Subject<'_>, by: &ExId, lifetime: Duration) -> Result<Claimed, StoreError> {
        let name = self.name(subject, None);
        self.claim_as(&name, Nonce::fresh(), by, lifetime, &mut RedisWait::default()).await
    }

    async fn release(&self, subject: &Subject<'_>, nonce: Nonce) -> Result<(), StoreError> {
        self.release_name(&self.name(subject, None), nonce).await
    }

    async fn take(&self, subject: &Subject<'_>, rate: Rate, cost: u32) -> Result<Taken, StoreError> {
        self.take_name(&self.name(subject, None), rate, cost, self.deadline).await
    }

    fn add(
        &self,
        subject: &Subject<'_>,
        amount: u64,
        window: Day,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send {
        let name = self.name(subject, Some(window));
        async move { self.add_name(&name, amount, self.deadline).await }
    }
}

/// Whose claim the stored value is: the caller's if it has the caller's nonce. The client of a cluster repeats a command after a lost
/// connection, so the stored claim may come from the first attempt of this command.
fn claim_owner(held: &str, nonce: Nonce) -> Claimed {
    match held.split_at_checked(Nonce::DIGITS) {
        Some((first, _)) if first == nonce.to_string() => Claimed::New(nonce),
        Some((_, by)) => Claimed::Taken { by: ExId::parse(by) },
        None => Claimed::Taken { by: None },
    }
}

/// A non-negative number.
fn number(value: &Value) -> Result<u64, RedisError> {
    match value {
        Value::Int(number) => u64::try_from(*number).map_err(|_| unexpected()),
        _ => Err(unexpected()),
    }
}

/// An answer that the command cannot have.
fn unexpected() -> RedisError {
    RedisError::from((ErrorKind::UnexpectedReturnType, "not an answer to this command"))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}
