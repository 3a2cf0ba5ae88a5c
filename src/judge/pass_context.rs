//! The context of the pass that follows a request: what the pass is bound to, and the pass that the request came with.

use std::{net::IpAddr, time::SystemTime};

use super::{bindings::Prefix, settings::Settings};
use crate::{
    pass::{Bound, Carried, Chain, Target},
    phone::Phone,
    secret::Secret,
};

/// The data from which the next pass of a request is made. It exists only for a rule with passes.
#[derive(Clone)]
pub(super) struct PassContext {
    target: Target,
    address: Option<IpAddr>,
    /// When the judgement of the request began.
    since: SystemTime,
    accepted: Option<Accepted>,
}

/// A pass that was accepted in this request.
#[derive(Clone)]
struct Accepted {
    chain: Chain,
    /// Whether a check was sent since then, which uses up the pass.
    is_spent: bool,
}

/// The addresses that count as one network.
const NETWORK: Prefix = Prefix { v4: 24, v6: 48 };

// === impl PassContext ===

impl PassContext {
    pub(super) fn new(target: Target, address: Option<IpAddr>, since: SystemTime) -> Self {
        Self { target, address, since, accepted: None }
    }

    /// Stores the chain of a pass that was accepted.
    pub(super) fn follow(&mut self, chain: Chain) {
        self.accepted = Some(Accepted { chain, is_spent: false });
    }

    /// Marks the accepted pass, if there is one, as used up, because a check was sent.
    pub(super) fn spend(&mut self) {
        if let Some(accepted) = &mut self.accepted {
            accepted.is_spent = true;
        }
    }

    /// The chain of the accepted pass. Without one, a new chain that starts with this request's number check.
    pub(super) fn chain(&self) -> Chain {
        self.accepted.as_ref().map_or_else(|| Chain::since(self.since), |accepted| accepted.chain.clone())
    }

    /// Whether the client has an accepted pass that can be used again.
    pub(super) fn has_unspent(&self) -> bool {
        self.accepted.as_ref().is_some_and(|accepted| !accepted.is_spent)
    }

    /// Calls `of` with what a pass for this phone is bound to. `rule`: the rule's name.
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
