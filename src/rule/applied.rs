//! Decides whether a rule is enforced for a request.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, request::Parts};

use super::{
    group::Group,
    rollout::{Share, Unit},
    settings::Overrides,
    shadow::Shadow,
    spec::Rule,
    state::RuleState,
    tester::Shown,
};
use crate::{body::TrailerFilter, decision::Applied, phone::Phone};

/// What else decides whether a rule is enforced for a request: its header for testers, and the other rules that it may mean.
#[derive(Default)]
pub(crate) struct Meant {
    pub(crate) shown: Option<Shown>,
    pub(crate) others: Vec<Arc<RuleState>>,
}

// === impl RuleState ===

impl RuleState {
    /// Whether the rule is enforced for this request. `phone`: as the client claims it, if it has been read.
    #[cold]
    fn applied(&self, phone: Option<Phone>, parts: &Parts, shown: Option<&Shown>) -> Applied {
        let Some(Shadow { tester, share, .. }) = self.settings.shadow.as_deref() else { return Applied::Enforced };
        let is_test = tester.as_ref().zip(shown).is_some_and(|(tester, shown)| tester.is_shown(shown));
        let is_taken = |share: &Arc<Share>| {
            share.takes(&self.name, |hash| match phone.filter(|_| share.unit == Unit::Phone) {
                Some(phone) => Some(hash(phone.as_str().as_bytes())),
                None => self.settings.judge.client(parts).map(|client| hash(&client)),
            })
        };
        if is_test || share.as_ref().is_some_and(is_taken) { Applied::Enforced } else { Applied::Shadow }
    }
}

// === impl Group ===

impl Group {
    /// Whether any of the rules is not enforced for all requests.
    #[inline]
    pub(crate) fn may_be_in_shadow(&self) -> bool {
        self.has_mode
    }

    /// As [`Group::trailer_filter`], for a request in shadow: the proof's headers stay.
    #[cold]
    pub(crate) fn shadow_trailer_filter(&self) -> TrailerFilter {
        self.shadow_trailers.clone()
    }

    /// How long a request may take in shadow, until it is known which rule applies.
    #[cold]
    pub(crate) fn shadow_deadline(&self) -> Option<Duration> {
        self.states().filter_map(|state| Some(state.settings.shadow.as_ref()?.deadline)).min()
    }

    /// Whether the rules are enforced for a request of which it is not known which one applies.
    #[cold]
    pub(crate) fn applied(&self, phone: Option<Phone>, parts: &Parts, meant: &Meant) -> Applied {
        all_applied(self.states().chain(&meant.others), phone, parts, meant.shown.as_ref())
    }

    /// Whether this rule is enforced for a request that it guards.
    #[cold]
    pub(crate) fn applied_by(
        &self,
        rule: &Arc<RuleState>,
        phone: Option<Phone>,
        parts: &Parts,
        meant: &Meant,
    ) -> Applied {
        if self.reading().changes_bodies() {
            // Another reader of the unchanged body may choose another rule.
            return self.applied(phone, parts, meant);
        }
        all_applied(meant.others.iter().chain([rule]), phone, parts, meant.shown.as_ref())
    }
}

/// A request that several rules may mean is in shadow only if all of them are. A request without a known rule is enforced.
#[cold]
pub(crate) fn all_applied<'r>(
    rules: impl Iterator<Item = &'r Arc<RuleState>>,
    phone: Option<Phone>,
    parts: &Parts,
    shown: Option<&Shown>,
) -> Applied {
    let mut rules = rules.peekable();
    let is_any = rules.peek().is_some();
    let are_all = rules.all(|rule| rule.applied(phone, parts, shown) == Applied::Shadow);
    if is_any && are_all { Applied::Shadow } else { Applied::Enforced }
}

/// The headers of all testers, each once.
pub(crate) fn testers(rules: &[Rule], layer: &Overrides) -> Vec<HeaderName> {
    let all = rules.iter().map(|rule| &rule.overrides).chain([layer]).filter_map(|set| set.enforce_when.as_ref());
    let mut headers: Vec<HeaderName> = Vec::new();
    for tester in all.flatten() {
        if !headers.contains(tester.header()) {
            headers.push(tester.header().clone());
        }
    }
    headers
}
