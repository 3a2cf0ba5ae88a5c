//! Counts requests in memory or in Redis.
//!
//! The order of limits and their refusals are defined once (`spend.rs`). For Redis this code runs twice: first to collect the
//! operations, which are then sent at the same time, and then with the answers.

use std::{time::Instant, vec};

use super::account::Account;
use crate::{
    denial::Refusal,
    observe::{Observers, Operation},
    store::{Day, Had, Patience, Rate, Redis, Subject, Taken, Wanted},
};

/// Counts requests.
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

/// Collects the operations for Redis. The answers of this type refuse nothing.
pub(super) struct Questions<'s> {
    redis: &'s Redis,
    wanted: Vec<Wanted>,
    today: Day,
}

/// The answers of Redis, or of the memory if Redis did not answer.
pub(super) struct Answers<'s> {
    memory: InMemory<'s>,
    had: vec::IntoIter<Had>,
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

// === impl Questions ===

impl<'s> Questions<'s> {
    pub(super) fn new(redis: &'s Redis, today: Day) -> Self {
        Self { redis, wanted: Vec::new(), today }
    }

    pub(super) async fn ask(
        self,
        account: &'s Account,
        patience: &mut Patience,
        observers: &'s Observers,
    ) -> Answers<'s> {
        let Self { redis, wanted, today } = self;
        let began = Instant::now();
        let had = if wanted.is_empty() { Vec::new() } else { redis.count(wanted, patience).await };
        let took = began.elapsed();
        for had in &had {
            match had {
                Had::Taken(answer) => observers.stored(Operation::Take, took, answer),
                Had::Sum(answer) => observers.stored(Operation::Add, took, answer),
            }
        }
        Answers { memory: InMemory::new(account, observers), had: had.into_iter(), today }
    }
}

impl Ledger for Questions<'_> {
    fn take(&mut self, subject: &Subject<'_>, rate: Rate) -> Result<Taken, Refusal> {
        self.wanted.push(Wanted::Take { name: self.redis.name(subject, None), rate });
        Ok(Taken::Now)
    }

    fn add(&mut self, subject: &Subject<'_>, amount: u64) -> Result<u64, Refusal> {
        self.wanted.push(Wanted::Add { name: self.redis.name(subject, Some(self.today)), amount });
        Ok(0)
    }
}

// === impl Answers ===

impl Ledger for Answers<'_> {
    fn take(&mut self, subject: &Subject<'_>, rate: Rate) -> Result<Taken, Refusal> {
        let InMemory { account, observers } = self.memory;
        match self.had.next() {
            Some(Had::Taken(Ok(taken))) => Ok(taken),
            Some(Had::Taken(Err(error))) => {
                account.store_policy().without_redis(error, observers)?;
                self.memory.take(subject, rate)
            }
            // The same step has the same operations.
            Some(Had::Sum(_)) | None => account.store_policy().without_answer(Taken::Now, observers),
        }
    }

    fn add(&mut self, subject: &Subject<'_>, amount: u64) -> Result<u64, Refusal> {
        let InMemory { account, observers } = self.memory;
        match self.had.next() {
            Some(Had::Sum(Ok(sum))) => {
                // The memory continues from this sum if Redis fails.
                account.store().raise_now(subject, sum, self.today);
                Ok(sum)
            }
            Some(Had::Sum(Err(error))) => {
                account.store_policy().without_redis(error, observers)?;
                self.memory.add_of(subject, amount, self.today)
            }
            Some(Had::Taken(_)) | None => account.store_policy().without_answer(0, observers),
        }
    }
}
