//! The checks that a decision answers, so that the same check is not sent twice.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::{Arc, LazyLock},
};

/// Created once per process, so that the hash of a phone or token reveals nothing outside of it.
static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The checks of a rule for a request. Two values are equal if they come from the same rule of the same layer and all parts
/// of the checks are equal.
///
/// Holds a keyed hash of the checks (`SipHash`, 64 bits, the key is random) but not their tokens and phones.
#[derive(Clone)]
pub(crate) struct Asked {
    /// The rule's name. Each layer allocates the names of its rules, so the address identifies the layer and the rule.
    rule: Arc<str>,
    checks: u64,
}

// === impl Asked ===

impl Asked {
    pub(crate) fn new(rule: &Arc<str>, checks: &impl Hash) -> Self {
        Self { rule: Arc::clone(rule), checks: KEY.hash_one(checks) }
    }
}

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.rule, &other.rule) && self.checks == other.checks
    }
}
