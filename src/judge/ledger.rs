//! Counts requests in memory or in Redis.
//!
//! The order of limits and their refusals are defined once (`spend.rs`). For Redis this code runs twice: first to collect the
//! operations, which are then sent at the same time, and then with the answers.

use std::{time::Instant, vec};

use super::account::Account;
use crate::{
    denial::Refusal,
    observe::{Observers, Operation},
    store::{CountReply, CountRequest, Day, Rate, Redis, RedisWait, Subject, Taken},
};

/// Counts the requests of clients.
pub(super) trait Ledger {
    /// Takes one from a rate.
    fn take(&mut self, subject: &Subject<'_>, rate: Rate) -> Result<Taken, Refusal>;

    /// Adds to the sum of this day, and returns the new sum.
    fn add(&mut self, subject: &Subject<'_>, amount: u64) -> Result<u64, Refusal>;
}

/// This instance's memory.
pub(super) struct InMemory<'s> {
    account: &'s Account,
    observers: &'s Observers,
}

/// Collects the operations that are sent to Redis. As a [`Ledger`] it refuses nothing.
pub(super) struct RedisRequests<'s> {
    redis: &'s Redis,
    requests: Vec<CountRequest>,
    today: Day,
}

/// The replies of Redis. If Redis did not answer, the memory counts instead.
pub(super) struct RedisReplies<'s> {
    memory: InMemory<'s>,
    replies: vec::IntoIter<CountReply>,
    today: Day,
}

// === impl InMemory ===

impl<'s> InMemory<'s> {
    pub(super) fn new(account: &'s Account, observers: &'s Observers) -> Self {
        Self { account, observers }
    }

    fn add_of(&self, subject: &Subject<'_>, amount: u64, day: Day) -> Result<u64, Refusal> {
        let add = || self.account.store().add_now(subject, amount, day);
        let sum = self.observers.store(Operation::Add, add);
        sum.or_else(|_| self.account.store_policy().without_answer(0, self.observers))
    }
}

impl Ledger for InMemory<'_> {
    #[inline]
    fn take(&mut self, subject: &Subject<'_>, rate: Rate) -> Result<Taken, Refusal> {
        let taken = self.observers.store(Operation::Take, || self.account.store().take_now(subject, rate, 1));
        // A request that cannot be counted is not limited.
        taken.or_else(|_| self.account.store_policy().without_answer(Taken::Now, self.observers))
    }

    #[inline]
    fn add(&mut self, subject: &Subject<'_>, amount: u64) -> Result<u64, Refusal> {
        self.add_of(subject, amount, self.account.today())
    }
}

// === impl RedisRequests ===

impl<'s> RedisRequests<'s> {
    pub(super) fn new(redis: &'s Redis, today: Day) -> Self {
        Self { redis, requests: Vec::new(), today }
    }

    pub(super) async fn send(
        self,
        account: &'s Account,
        redis_wait: &mut RedisWait,
        observers: &'s Observers,
    ) -> RedisReplies<'s> {
        let Self { redis, requests, today } = self;
        let began = Instant::now();
        let replies = if requests.is_empty() { Vec::new() } else { redis.count(requests, redis_wait).await };
        let took = began.elapsed();
        for reply in &replies {
            match reply {
                CountReply::Taken(answer) => observers.stored(Operation::Take, took, answer),
                CountReply::Sum(answer) => observers.stored(Operation::Add, took, answer),
            }
        }
        RedisReplies { memory: InMemory::new(account, observers), replies: replies.into_iter(), today }
    }
}

impl Ledger for RedisRequests<'_> {
    fn take(&mut self, subject: &Subject<'_>, rate: Rate) -> Result<Taken, Refusal> {
        self.requests.push(CountRequest::Take { name: self.redis.name(subject, None), rate });
        Ok(Taken::Now)
    }

    fn add(&mut self, subject: &Subject<'_>, amount: u64) -> Result<u64, Refusal> {
        self.requests.push(CountRequest::Add { name: self.redis.name(subject, Some(self.today)), amount });
        Ok(0)
    }
}

// === impl RedisReplies ===

impl Ledger for RedisReplies<'_> {
    fn take(&mut self, subject: &Subject<'_>, rate: Rate) -> Result<Taken, Refusal> {
        let InMemory { account, observers } = self.memory;
        match self.replies.next() {
            Some(CountReply::Taken(Ok(taken))) => Ok(taken),
            Some(CountReply::Taken(Err(error))) => {
                account.store_policy().without_redis(error, observers)?;
                self.memory.take(subject, rate)
            }
            // This cannot happen: a step has the same operations each time it runs.
            Some(CountReply::Sum(_)) | None => account.store_policy().without_answer(Taken::Now, observers),
        }
    }

    fn add(&mut self, subject: &Subject<'_>, amount: u64) -> Result<u64, Refusal> {
        let InMemory { account, observers } = self.memory;
        match self.replies.next() {
            Some(CountReply::Sum(Ok(sum))) => {
                // The memory continues from this sum if Redis fails.
                account.store().raise_now(subject, sum, self.today);
                Ok(sum)
            }
            Some(CountReply::Sum(Err(error))) => {
                account.store_policy().without_redis(error, observers)?;
                self.memory.add_of(subject, amount, self.today)
            }
            Some(CountReply::Taken(_)) | None => account.store_policy().without_answer(0, observers),
        }
    }
}
