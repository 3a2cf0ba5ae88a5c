//! What a pass needs of the request that it follows.

use std::{net::IpAddr, time::SystemTime};

use super::{bindings::Prefix, settings::Settings};
use crate::{
    pass::{Bound, Carried, Chain, Target},
    phone::Phone,
    secret::Secret,
};

/// Only of a rule with passes.
#[derive(Clone)]
pub(super) struct Trail {
    target: Target,
    address: Option<IpAddr>,
    /// When the judgement began.
    since: SystemTime,
    accepted: Option<Accepted>,
}

/// A pass that was accepted in this request.
#[derive(Clone)]
struct Accepted {
    chain: Chain,
    /// Whether a check was asked since.
    is_spent: bool,
}

/// Whose addresses are one network.
const NETWORK: Prefix = Prefix { v4: 24, v6: 48 };

// === impl Trail ===

impl Trail {
    pub(super) fn new(target: Target, address: Option<IpAddr>, since: SystemTime) -> Self {
        Self { target, address, since, accepted: None }
    }

    /// A pass was accepted.
    pub(super) fn follow(&mut self, chain: Chain) {
        self.accepted = Some(Accepted { chain, is_spent: false });
    }

    /// A check was asked: the pass that was accepted, if one was, does not come back.
    pub(super) fn spend(&mut self) {
        if let Some(accepted) = &mut self.accepted {
            accepted.is_spent = true;
        }
    }

    /// The chain of the pass of this request, or of its own number check.
    pub(super) fn chain(&self) -> Chain {
        self.accepted.as_ref().map_or_else(|| Chain::since(self.since), |accepted| accepted.chain.clone())
    }

    /// Whether the client has a pass that stays good.
    pub(super) fn has_unspent(&self) -> bool {
        self.accepted.as_ref().is_some_and(|accepted| !accepted.is_spent)
    }

    /// What a pass for this phone is bound to. `rule`: the rule's name.
    pub(super) fn with_bound<T>(
        &self,
        rule: &str,
        settings: &Settings,
        phone: Phone,
        of: impl FnOnce(&Bound<'_>) -> T,
    ) -> T {
        let network = self.address.map(|address| NETWORK.network(address));
        let network = network.as_ref().map(<[u8; 17]>::as_slice);
        of(&Bound { rule, account: &settings.account.name, target: &self.target, phone, network })
    }

    pub(super) fn issue(&self, rule: &str, settings: &Settings, carried: &Carried, phone: Phone) -> Option<Secret> {
        let passes = settings.passes.as_ref()?;
        let issue = |bound: &Bound<'_>| passes.ring.issue(carried, bound, settings.account.now());
        self.with_bound(rule, settings, phone, issue).map(Secret::from)
    }
}
