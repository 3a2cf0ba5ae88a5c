//! What the sandbox remembers: the calls that arrived and the proofs that are spent.
//!
//! Tests ask it how often and what the vendor was asked. It holds no proof and no phone, and a bounded number of
//! everything, so that a sandbox server may run for weeks.

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

/// How many calls, and how many spent proofs, are remembered.
const REMEMBERED: usize = 10_000;

/// Above 2⁵³, as the vendor's are: a client that reads ids into a double loses digits.
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

/// How the phone was written in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PhoneForm {
    /// There was none, or the request could not be read.
    #[default]
    Absent,
    /// A JSON string, as the vendor's tables have it.
    Text,
    /// A bare number, as the vendor's examples have it.
    Number,
}

/// The memory of all clones of a sandbox.
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
    /// The path that was asked, without its query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What was asked; `None` at a path that the vendor does not have.
    pub fn kind(&self) -> Option<CheckKind> {
        self.endpoint.map(Endpoint::kind)
    }

    /// Whether the app's or the H5 endpoint was asked; `None` where there is only one for both.
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

    /// How the phone was written.
    pub fn phone(&self) -> PhoneForm {
        self.phone
    }

    /// The code that was decided, even if a fault kept the answer from arriving; `None` where the answer has none.
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
    /// An id for a reply; they only grow.
    pub(super) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Spends a single-use proof: `false` when it was spent before. Only its hash is kept.
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

    /// Remembers a call, and forgets the oldest when there are too many.
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

    /// The calls, in order, forgotten here.
    pub(super) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.lock().calls).into()
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
