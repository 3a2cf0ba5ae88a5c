//! From a request's proofs to a judgement: the permit, the one deadline, one check at a time, and the policy.
//!
//! This folder knows neither a request's body nor its answer. Evidence comes in, a [`Judgement`] goes out, and `layer` acts
//! on it.
//!
//! A check costs money, and the verifier works on it whether its client waits or not. So a check that has started is
//! finished: if the request is dropped, the rest of the check moves into a task together with its permit (`call`,
//! `abandoned`).

mod abandoned;
mod account;
mod account_limits;
mod before;
mod bindings;
mod breaker;
mod bulkhead;
mod call;
mod calling;
mod claim;
mod client;
mod client_ip;
mod evidence;
mod guards;
mod held;
mod judgement;
mod ledger;
mod limit;
mod pass;
mod pass_context;
mod planned;
mod questions;
mod reservation;
mod running;
mod sender;
mod settings;
mod shared_claim;
mod snapshot;
mod spend;
mod spend_key;
mod store_policy;

use std::sync::Arc;

use http::request::Parts;
use tokio::time::Instant;
use tower::BoxError;
use tower_service::Service;

use self::questions::{Means, Questions};
pub(crate) use self::{
    account::Account,
    bindings::Bindings,
    bulkhead::Bulkhead,
    evidence::Evidence,
    judgement::Judgement,
    planned::{Plan, Planned, Presented},
    running::Abandoned,
    sender::Asker,
    settings::{LEAST_LEFT, RulePasses, RuleVerifier, Settings},
    spend_key::SpendKey,
};
pub use self::{
    bindings::Prefix,
    breaker::settings::Breaker,
    client_ip::ClientIp,
    guards::{Guards, GuardsBuilder},
    limit::Limit,
    snapshot::{BreakerState, GuardsSnapshot},
    store_policy::StorePolicy,
};
use crate::{check::Check, decision::Decision, denial::Refusal, observe::Observers, pass::Target, verdict::Verdict};

/// Judges the requests of a layer.
pub(crate) struct Judge<V> {
    verifier: V,
    observers: Arc<Observers>,
    guards: Guards,
    /// The checks of earlier guards that are still running, if a reload has brought other guards.
    past: Vec<Arc<Abandoned>>,
}

// === impl Judge ===

impl<V> Judge<V> {
    pub(crate) fn new(verifier: V, observers: Arc<Observers>, guards: Guards) -> Self {
        Self { verifier, observers, guards, past: Vec::new() }
    }

    /// The same judge with other guards. Abandoned checks are still waited for, whichever guards count them.
    pub(crate) fn reloaded(&self, verifier: V, observers: Arc<Observers>, guards: Guards) -> Self {
        let mut past: Vec<Arc<Abandoned>> = Vec::new();
        // Guards that nothing else holds have no running checks.
        for counted in self.past.iter().filter(|past| Arc::strong_count(past) > 1).chain([self.guards.abandoned()]) {
            if [guards.abandoned()].into_iter().chain(&past).all(|known| !Arc::ptr_eq(known, counted)) {
                past.push(Arc::clone(counted));
            }
        }
        Self { verifier, observers, guards, past }
    }

    pub(crate) fn verifier(&self) -> &V {
        &self.verifier
    }

    pub(crate) fn guards(&self) -> &Guards {
        &self.guards
    }

    /// Waits until no abandoned check is running.
    pub(crate) async fn drained(&self) {
        for past in &self.past {
            past.drained().await;
        }
        self.guards.drained().await;
    }

    /// The checks that a shutdown waits for.
    pub(crate) fn abandoned(&self) -> &Arc<Abandoned> {
        self.guards.abandoned()
    }
}

impl<V> Judge<V> {
    /// The values that the checks of a request take from its head. Calls the user's closures. `target`: of a rule with passes.
    ///
    /// # Errors
    ///
    /// If a closure panics.
    #[inline]
    pub(crate) fn asker(
        &self,
        rule: &str,
        settings: &Settings,
        parts: &Parts,
        target: Option<Target>,
    ) -> Result<Asker, Refusal> {
        Asker::find(settings, parts, target, rule, &self.observers)
    }

    /// Called after the sandbox has let a request pass. The sandbox accepts every client and is for clients on this host.
    #[cold]
    pub(crate) fn warn_of_sandbox(&self, rule: &str, settings: &Settings, parts: &Parts) {
        if client_ip::is_elsewhere(settings.client_ip.as_ref(), parts) {
            self.observers.sandbox_elsewhere(rule);
        }
    }
}

impl<V> Judge<V>
where
    V: Service<Check, Response = Verdict> + Clone + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
{
    /// Sends the checks of a plan in their order and judges the answers. `rule` is the rule's name, and `client_deadline` is when the
    /// client stops waiting. The verdicts are added to the evidence, and move into the decision if there is one.
    ///
    /// # Errors
    ///
    /// Returns why the request is refused: by the policy, or because not all checks were sent.
    pub(crate) async fn judge(
        &self,
        rule: &Arc<str>,
        settings: &Settings,
        plan: Plan,
        asker: Result<Asker, Refusal>,
        client_deadline: Option<Instant>,
        evidence: &mut Evidence,
    ) -> Result<Decision, Refusal> {
        let Self { verifier, observers, guards, .. } = self;
        let asker = asker?;
        let abandoned = guards.abandoned();
        match &settings.verifier {
            None => {
                let means = Means { verifier, observers, abandoned };
                Questions::new(means, rule, settings, client_deadline, asker, evidence).ask_all(plan).await?;
            }
            // Boxed, so that the future of other rules does not grow.
            Some(verifier) => {
                let means = Means { verifier, observers, abandoned };
                let mut questions = Questions::new(means, rule, settings, client_deadline, asker, evidence);
                Box::pin(async move { questions.ask_all(plan).await }).await?;
            }
        }
        evidence.judged_by(&settings.policy)
    }
}
