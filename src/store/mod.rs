//! Stores of claims, rates and daily sums, which outlive a request. Each is about a [`Subject`].
//!
//! [`Memory`] keeps them in this process, and [`Redis`] shares them among instances. Every store passes the same tests
//! (`contract.rs`).

#[cfg(test)]
mod contract;
mod day;
mod key;
mod memory;
mod rate;
mod redis;
mod shard;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    future::Future,
    hash::{BuildHasher, RandomState},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub(crate) use self::{
    day::{Calendar, Day},
    key::Key,
    memory::Memory,
    redis::{CountReply, CountRequest, Name, RedisWait},
};
pub use self::{
    rate::Rate,
    redis::{Redis, RedisBuilder},
};
use crate::ex_id::ExId;

/// The subject of a claim, a rate or a budget: a purpose, and its parts. Each store hashes it under a different key, so
/// that no part leaves the store.
///
/// Parts are hashed with their lengths: `["a", "bc"]` and `["ab", "c"]` are two subjects.
pub(crate) struct Subject<'s> {
    purpose: Purpose,
    parts: &'s [&'s [u8]],
}

/// Subjects of two purposes are never the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Claim,
    ClientRate,
    PhoneRate,
    AccountRate,
    Budget,
    RuleRate,
}

/// Keeps claims, rates and sums.
#[cfg_attr(not(test), allow(dead_code, reason = "the contract that the tests of all stores share"))]
pub(crate) trait Store: Send + Sync + 'static {
    /// Claims the subject for `lifetime`, unless it is claimed.
    fn claim(
        &self,
        subject: &Subject<'_>,
        by: &ExId,
        lifetime: Duration,
    ) -> impl Future<Output = Result<Claimed, StoreError>> + Send;

    /// Ends the claim that has this nonce. Another claim of the subject stays.
    fn release(&self, subject: &Subject<'_>, nonce: Nonce) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Takes `cost` of what the rate allows (GCRA, in microseconds). If the caller has to wait, nothing is taken.
    ///
    /// A cost above the burst always waits.
    fn take(
        &self,
        subject: &Subject<'_>,
        rate: Rate,
        cost: u32,
    ) -> impl Future<Output = Result<Taken, StoreError>> + Send;

    /// Adds to the subject's sum of that day, and returns the new sum. It stays at `u64::MAX` instead of overflowing.
    fn add(
        &self,
        subject: &Subject<'_>,
        amount: u64,
        window: Day,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// The answer to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// The subject was free. The nonce releases it.
    New(Nonce),
    /// The subject is claimed already, by the check with this exID where the store knows it.
    Taken { by: Option<ExId> },
}

/// The answer of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Now,
    /// Nothing is taken. The same cost fits after this time, if nothing else is taken meanwhile.
    Wait(Duration),
}

/// Why a store has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreError {
    Down,
    Timeout,
    ReadOnly,
    /// The store is at its capacity. Its entries stay.
    Full,
    /// The store's answer cannot be read.
    Unreadable,
}

/// Distinguishes one claim of a subject from the next. Unique in this process and, except for a chance of 2⁻⁶⁴, in two processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nonce(u64);

// === impl Subject ===

impl<'s> Subject<'s> {
    pub(crate) fn new(purpose: Purpose, parts: &'s [&'s [u8]]) -> Self {
        Self { purpose, parts }
    }

    /// Writes the purpose and each part with its length. No other subject writes the same bytes.
    pub(crate) fn write(&self, mut to: impl FnMut(&[u8])) {
        to(&[self.purpose.tag()]);
        for part in self.parts {
            to(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            to(part);
        }
    }
}

impl Purpose {
    /// Whether the capacity of a store limits entries of this purpose. It does not limit entries about an account alone: the operator names
    /// the accounts, so there are few, and a flood of requests that fills the store must not lift the limits of the account.
    fn is_bounded(self) -> bool {
        match self {
            Self::Claim | Self::ClientRate | Self::PhoneRate | Self::RuleRate => true,
            Self::AccountRate | Self::Budget => false,
        }
    }

    /// A part of the hashed bytes. Instances that share a store must have the same values.
    fn tag(self) -> u8 {
        match self {
            Self::Claim => 1,
            Self::ClientRate => 2,
            Self::PhoneRate => 3,
            Self::AccountRate => 4,
            Self::Budget => 5,
            Self::RuleRate => 6,
        }
    }
}

// === impl StoreError ===

impl StoreError {
    pub(crate) const ALL: [Self; 5] = [Self::Down, Self::Timeout, Self::ReadOnly, Self::Full, Self::Unreadable];

    /// The word in metrics and events.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Timeout => "timeout",
            Self::ReadOnly => "read_only",
            Self::Full => "full",
            Self::Unreadable => "unreadable",
        }
    }
}

// === impl Nonce ===

impl Nonce {
    /// The length of its text.
    pub(crate) const DIGITS: usize = 16;

    pub(crate) fn fresh() -> Self {
        static PROCESS: OnceLock<u64> = OnceLock::new();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let process = PROCESS.get_or_init(|| RandomState::new().hash_one(std::process::id()));
        Self(process.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)))
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$x}", self.0, width = Self::DIGITS)
    }
}
