//! The sandbox's record of arrived calls and spent proofs.
//!
//! Tests read from it which calls the vendor received. It contains no proof and no phone, and its size is bounded, so that
//! a sandbox server may run for weeks.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::endpoints::Endpoint;
use crate::{check::Channel, check_kind::CheckKind};

/// The maximum number of calls, and of spent proofs, in the record.
const REMEMBERED: usize = 10_000;

/// Above 2⁵³, like the vendor's ids: a client that reads ids into a double loses digits.
const FIRST_ID: u64 = 900_000_000_000_000_000;

/// One request that arrived. `Debug` shows no proof, no phone and no address.
#[derive(Clone)]
pub struct Call {
    pub(super) endpoint: Option<Endpoint>,
    pub(super) path: Box<str>,
    pub(super) ex_id: Option<Box<str>>,
    pub(super) ip: Option<Box<str>>,
    pub(super) phone: PhoneForm,
    pub(super) code: Option<i64>,
}

/// The JSON type of a request's phone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PhoneForm {
    /// The phone was missing, or the request could not be read.
    #[default]
    Absent,
    /// A JSON string, as in the vendor's tables.
    Text,
    /// A bare number, as in the vendor's examples.
    Number,
}

/// The record that all clones of a sandbox share.
pub(super) struct Ledger {
    next_id: AtomicU64,
    hasher: RandomState,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    calls: VecDeque<Call>,
    spent: HashSet<u64>,
    spent_in_order: VecDeque<u64>,
}

// === impl Call ===

impl Call {
    /// The path of the call, without its query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The kind of check; `None` for a path that the vendor does not have.
    pub fn kind(&self) -> Option<CheckKind> {
        self.endpoint.map(Endpoint::kind)
    }

    /// The channel of the endpoint, app or H5; `None` if both share one.
    pub fn channel(&self) -> Option<Channel> {
        self.endpoint.and_then(Endpoint::channel)
    }

    /// The `exID` that was sent.
    pub fn ex_id(&self) -> Option<&str> {
        self.ex_id.as_deref()
    }

    /// The `ip` that was sent.
    pub fn ip(&self) -> Option<&str> {
        self.ip.as_deref()
    }

    /// The JSON type of the phone.
    pub fn phone(&self) -> PhoneForm {
        self.phone
    }

    /// The code of the answer, even if a fault prevented its arrival; `None` if the answer has no code.
    pub fn code(&self) -> Option<i64> {
        self.code
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("endpoint", &self.endpoint)
            .field("phone", &self.phone)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

// === impl Ledger ===

impl Default for Ledger {
    fn default() -> Self {
        Self { next_id: AtomicU64::new(FIRST_ID), hasher: RandomState::new(), memory: Mutex::default() }
    }
}

impl Ledger {
    /// Returns an increasing id for a reply.
    pub(super) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Spends a single-use proof. Returns `false` if it was already spent. Only its hash is stored.
    pub(super) fn spend(&self, kind: CheckKind, proof: &str) -> bool {
        let proof = self.hasher.hash_one((kind, proof));
        let mut memory = self.lock();
        let fresh = memory.spent.insert(proof);
        if fresh {
            memory.spent_in_order.push_back(proof);
            if memory.spent_in_order.len() > REMEMBERED
                && let Some(oldest) = memory.spent_in_order.pop_front()
            {
                memory.spent.remove(&oldest);
            }
        }
        fresh
    }

    /// Records a call, and removes the oldest if there are too many.
    pub(super) fn record(&self, call: Call) {
        let mut memory = self.lock();
        if memory.calls.len() >= REMEMBERED {
            memory.calls.pop_front();
        }
        memory.calls.push_back(call);
    }

    /// The calls, in order.
    pub(super) fn calls(&self) -> Vec<Call> {
        self.lock().calls.iter().cloned().collect()
    }

    /// Removes and returns the calls, in order.
    pub(super) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.lock().calls).into()
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
