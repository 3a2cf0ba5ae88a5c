//! All observers of a layer.

use std::{
    collections::HashMap,
    hash::Hash,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{self, Duration},
};

use foldhash::fast::FixedState;
use tokio::time::Instant;

use super::{
    alarms::AlarmKind,
    counts::Counts,
    decided::Decided,
    events,
    listeners::Listeners,
    meters::{BudgetMark, By, Meters, Operation, PassEvent, Phase},
    pseudonym::Pseudonyms,
    ratio::Change,
    watch::{Watch, Watched},
};
use crate::{
    check::{Check, Endpoint},
    metric::Part,
    store::StoreError,
    verdict::Verdict,
};

/// The observers of a layer. Each build of a layer creates them.
///
/// A panic here, in a closure or a subscriber, does not change the request.
pub(crate) struct Observers {
    listeners: Listeners,
    meters: Arc<Meters>,
    counts: Arc<Counts>,
    pseudonyms: Option<Pseudonyms>,
    /// By the rules' names.
    watches: HashMap<Arc<str>, Watch, FixedState>,
}

/// A check that has started.
#[derive(Clone, Copy)]
pub(crate) struct StartedCheck {
    endpoint: Endpoint,
    at: Instant,
    client: Option<u64>,
}

// === impl StartedCheck ===

impl StartedCheck {
    /// The endpoint of the check.
    pub(crate) fn endpoint(&self) -> Endpoint {
        self.endpoint
    }
}

// === impl Observers ===

impl Observers {
    /// Resolves the handles of all metrics.
    pub(crate) fn new(
        listeners: Listeners,
        pseudonyms: Option<Pseudonyms>,
        rules: &[Watched],
        counts: &Arc<Counts>,
    ) -> Self {
        let meters = Arc::new(Meters::new(rules));
        Self { listeners, meters, counts: Arc::clone(counts), pseudonyms, watches: watches(rules, counts) }
    }

    /// As [`Observers::new`], with existing counts.
    pub(crate) fn counting_in(&self, counts: &Arc<Counts>, rules: &[Watched]) -> Self {
        let (listeners, meters) = (self.listeners.clone(), Arc::clone(&self.meters));
        let pseudonyms = self.pseudonyms.clone();
        Self { listeners, meters, counts: Arc::clone(counts), pseudonyms, watches: watches(rules, counts) }
    }

    /// The key for pseudonyms, for a record.
    pub(crate) fn pseudonyms(&self) -> Option<&Pseudonyms> {
        self.pseudonyms.as_ref()
    }

    /// Counts a guarded request that the layer has finished, and writes its event. [`Observers::call_listeners`] calls the closures.
    pub(crate) fn decided(&self, decided: &Decided<'_>) {
        let alarm = self.counts.alarms.due(decided);
        if let Some((kind, _)) = alarm {
            self.meters.alarm(kind);
        }
        self.meters.decided(decided);
        self.inform(|| events::decided(decided, alarm.map(|(_, what_to_do)| what_to_do)));
    }

    /// As [`Observers::decided`], and calls the closures at once.
    #[inline]
    pub(crate) fn report(&self, decided: &Decided<'_>) {
        self.decided(decided);
        self.call_listeners(decided);
    }

    /// Whether closures are set.
    #[inline]
    pub(crate) fn has_listeners(&self) -> bool {
        self.listeners.iter().next().is_some()
    }

    /// Calls the closures with the record of a guarded request.
    #[inline]
    pub(crate) fn call_listeners(&self, decided: &Decided<'_>) {
        for listener in self.listeners.iter() {
            self.inform(|| listener(decided));
        }
    }

    /// Records that a check starts, for this client if it is known.
    #[inline]
    pub(crate) fn start(&self, check: &Check, client: Option<&impl Hash>) -> StartedCheck {
        let client = client.map(|client| self.counts.number(client));
        StartedCheck { endpoint: check.endpoint(), at: Instant::now(), client }
    }

    /// Counts a call of the verifier as in flight, until the returned value is dropped.
    #[inline]
    pub(crate) fn in_flight(&self) -> Part {
        let mut part = Part::of(self.meters.in_flight());
        part.set(1.0);
        part
    }

    /// Records the verdict of a check, from the verifier or in its place, and sets its duration. `rule`: the rule's name.
    pub(crate) fn answered(&self, rule: &str, started: &StartedCheck, verdict: &mut Verdict) {
        let now = Instant::now();
        let &StartedCheck { endpoint, at, client } = started;
        let took = now.saturating_duration_since(at);
        verdict.took(took);
        self.meters.answered(endpoint, verdict, took);
        let Some(watch) = self.watches.get(rule) else { return };
        let found = watch.answered(endpoint, verdict, client, now);
        match found.change {
            Some(Change::Collapsed { recent, usual }) => {
                self.alarm(AlarmKind::PassRatioCollapsed);
                self.inform(|| events::pass_ratio_collapsed(rule, recent, usual));
            }
            Some(Change::Recovered { recent, usual }) => {
                self.inform(|| events::pass_ratio_recovered(rule, recent, usual));
            }
            None => {}
        }
        if found.is_other_app {
            self.alarm(AlarmKind::MisconfiguredApp);
            self.inform(|| events::misconfigured_app(rule, watch.account()));
        }
    }

    /// Counts a requested check that is not sent.
    pub(crate) fn saved(&self, by: By) {
        self.meters.saved(by);
    }

    /// Records that a pass is issued, accepted or refused.
    #[cold]
    pub(crate) fn pass(&self, event: PassEvent) {
        self.meters.pass(event);
    }

    /// Records that the state of an endpoint's breaker has changed.
    pub(crate) fn breaker(&self, account: &str, endpoint: Endpoint, to: Phase, open_for: Duration, is_outage: bool) {
        self.meters.breaker(endpoint, to, self.counts.breaker(account, endpoint, to));
        self.inform(|| events::breaker(account, endpoint.as_str(), to, open_for, is_outage));
    }

    /// Writes an event: a mark of an account's daily budget is reached.
    #[cold]
    pub(crate) fn budget(&self, account: &str, mark: BudgetMark, budget: u64) {
        self.alarm(AlarmKind::Budget);
        self.inform(|| events::budget(account, mark, budget));
    }

    /// Writes a WARN, at most once a minute: `client_ip` has found no address.
    #[cold]
    pub(crate) fn unknown_client(&self, rule: &str) {
        if self.counts.alarms.is_unknown_client_due() {
            self.inform(|| events::unknown_client(rule));
        }
    }

    /// Writes an ERROR, at most once a minute: a check was sent without a claim, or a request was not counted, because the store is
    /// full.
    pub(crate) fn store_full(&self) {
        if self.counts.alarms.is_store_full_due() {
            self.alarm(AlarmKind::StoreFull);
            self.inform(events::store_full);
        }
    }

    /// Writes a WARN, at most once a minute: this instance's memory has decided, because Redis has no answer.
    #[cold]
    pub(crate) fn store_local(&self, error: StoreError) {
        if self.counts.alarms.is_store_local_due() {
            self.alarm(AlarmKind::StoreLocal);
            self.inform(|| events::store_local(error.as_str()));
        }
    }

    /// As [`Observers::store`], for an asynchronous operation.
    pub(crate) async fn store_in<T>(
        &self,
        operation: Operation,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = time::Instant::now();
        let answer = answer.await;
        self.stored(operation, began.elapsed(), &answer);
        answer
    }

    /// Records that an operation of the store has taken this time.
    pub(crate) fn stored<T>(&self, operation: Operation, took: Duration, answer: &Result<T, StoreError>) {
        self.meters.store(operation, took, answer.as_ref().err().copied());
    }

    /// Runs an operation of the store. Measures its time if the time can be recorded.
    #[inline]
    pub(crate) fn store<T>(
        &self,
        operation: Operation,
        run: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if cfg!(not(feature = "metrics")) {
            return run();
        }
        let began = time::Instant::now();
        let answer = run();
        self.stored(operation, began.elapsed(), &answer);
        answer
    }

    /// Counts an alarm, whose event is written elsewhere.
    pub(crate) fn alarm(&self, kind: AlarmKind) {
        self.meters.alarm(kind);
    }

    /// Writes a WARN, at most once a minute: the sandbox has let a client pass that is not on this host.
    pub(crate) fn sandbox_elsewhere(&self, rule: &str) {
        if self.counts.alarms.is_sandbox_due() {
            self.alarm(AlarmKind::Sandbox);
            self.inform(|| events::sandbox_elsewhere(rule));
        }
    }

    #[inline]
    fn inform(&self, inform: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(inform)).is_err() {
            self.drop_event();
        }
    }

    #[cold]
    fn drop_event(&self) {
        self.meters.dropped();
    }
}

fn watches(rules: &[Watched], counts: &Counts) -> HashMap<Arc<str>, Watch, FixedState> {
    rules.iter().map(|rule| (Arc::clone(&rule.name), counts.watch(rule))).collect()
}
