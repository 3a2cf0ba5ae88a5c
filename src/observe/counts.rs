//! The counts for alarms, kept over all builds of a layer.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash},
    sync::{Arc, Mutex, PoisonError},
};

use foldhash::fast::RandomState;

use super::{
    alarms::Alarms,
    meters::Phase,
    ratio::Ratio,
    watch::{App, Watch, Watched},
};
use crate::check::Endpoint;

/// The counts for alarms. [`Guards`](crate::Guards) keep them.
#[derive(Default)]
pub(crate) struct Counts {
    pub(super) alarms: Alarms,
    ratios: Mutex<HashMap<RuleOf, Arc<Ratio>>>,
    /// By account.
    apps: Mutex<HashMap<Arc<str>, Arc<App>>>,
    /// The breakers that are not closed, by endpoint and account.
    breakers: Mutex<HashMap<(Endpoint, Arc<str>), Phase>>,
    /// Hashes a client to a number that is meaningless outside of this process.
    clients: RandomState,
}

/// An account, and a rule that spends from it.
type RuleOf = (Arc<str>, Arc<str>);

// === impl Counts ===

impl Counts {
    /// The watch of a rule.
    pub(super) fn watch(&self, rule: &Watched) -> Watch {
        let Watched { name, account, knows_clients, may_be_in_shadow: _ } = rule;
        let ratio = || {
            let mut ratios = self.ratios.lock().unwrap_or_else(PoisonError::into_inner);
            let of_rule = ratios.entry((Arc::clone(account), Arc::clone(name)));
            Arc::clone(of_rule.or_insert_with(|| Arc::new(Ratio::new())))
        };
        let ratio = knows_clients.then(ratio);
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        let app = Arc::clone(apps.entry(Arc::clone(account)).or_default());
        Watch::new(Arc::clone(account), ratio, app)
    }

    /// Stores the phase of an account's breaker. Returns the worst phase of all breakers of the endpoint.
    pub(super) fn breaker(&self, account: &str, endpoint: Endpoint, to: Phase) -> Phase {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        let of_account = (endpoint, account.into());
        match to {
            Phase::Closed => drop(breakers.remove(&of_account)),
            Phase::HalfOpen | Phase::Open => drop(breakers.insert(of_account, to)),
        }
        let of_endpoint = breakers.iter().filter(|((of, _), _)| *of == endpoint);
        of_endpoint.map(|(_, phase)| *phase).max().unwrap_or(Phase::Closed)
    }

    #[inline]
    pub(super) fn number(&self, client: &impl Hash) -> u64 {
        self.clients.hash_one(client)
    }
}
