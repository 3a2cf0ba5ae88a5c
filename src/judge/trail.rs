//! What a pass needs of the request that it follows.

use std::{net::IpAddr, sync::Arc};

use super::{bindings::Prefix, settings::Settings};
use crate::{
    check::AskedBy,
    pass::{Bound, Carried, Chain},
    phone::Phone,
    secret::Secret,
};

/// Only of a rule with passes.
#[derive(Clone)]
pub(super) struct Trail {
    asked_by: Arc<AskedBy>,
    address: Option<IpAddr>,
    /// Of the pass that was accepted. `None` of a fresh check.
    pub(super) chain: Option<Chain>,
}

/// Whose addresses are one network.
const NETWORK: Prefix = Prefix { v4: 24, v6: 48 };

// === impl Trail ===

impl Trail {
    pub(super) fn new(asked_by: &Arc<AskedBy>, address: Option<IpAddr>) -> Self {
        Self { asked_by: Arc::clone(asked_by), address, chain: None }
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
        of(&Bound { rule, account: &settings.account.name, asked_by: &self.asked_by, phone, network })
    }

    pub(super) fn issue(&self, rule: &str, settings: &Settings, carried: &Carried, phone: Phone) -> Option<Secret> {
        let passes = settings.passes.as_ref()?;
        let issue = |bound: &Bound<'_>| passes.ring.issue(carried, bound, settings.account.now());
        self.with_bound(rule, settings, phone, issue).map(Secret::from)
    }
}
