//! Abandoned checks: checks whose requests have ended before them.

use std::{future::poll_fn, sync::Arc};

use tokio::time::{Instant, timeout_at};
use tower::BoxError;

use super::{
    bulkhead::Permit,
    calling::Calling,
    evidence::Evidence,
    reservation::Reservation,
    running::{Abandoned, Running},
};
use crate::{
    check_kind::CheckKind,
    ex_id::ExId,
    failure::Failure,
    log::Stage,
    observe::{Observers, Outcome, StartedCheck},
    verdict::Verdict,
};

/// A check in flight, and its resources. If it is dropped with its runtime, it ends without an event.
pub(super) struct Rest<F> {
    // Fields are dropped in this order, so the place is free only after the call has ended.
    check: Option<InFlight<F>>,
    permit: Option<Permit>,
    reservation: Option<Reservation>,
    /// The rule's name.
    rule: Arc<str>,
    account: Arc<str>,
    evidence: Evidence,
    observers: Arc<Observers>,
    _running: Running,
}

/// The check in flight.
pub(super) struct InFlight<F> {
    pub(super) calling: Calling<F>,
    pub(super) kind: CheckKind,
    pub(super) ex_id: ExId,
    pub(super) started: StartedCheck,
    /// The layer's deadline, not the client's.
    pub(super) deadline: Instant,
}

// === impl Rest ===

impl<F, E> Rest<F>
where
    F: Future<Output = Result<Verdict, E>>,
    E: Into<BoxError>,
{
    /// Takes over the state of a request. Without a check in flight, it only writes the event.
    pub(super) fn of(
        (rule, account): (&Arc<str>, &Arc<str>),
        evidence: &Evidence,
        check: Option<InFlight<F>>,
        (permit, reservation): (Option<Permit>, Option<Reservation>),
        observers: &Arc<Observers>,
        abandoned: &Arc<Abandoned>,
    ) -> Self {
        Self {
            check,
            permit,
            reservation,
            rule: Arc::clone(rule),
            account: Arc::clone(account),
            evidence: evidence.clone(),
            observers: Arc::clone(observers),
            _running: abandoned.enter(),
        }
    }

    /// Waits for the answer, frees the place and writes the event.
    pub(super) async fn finish(mut self) {
        if let Some(InFlight { calling, kind, ex_id, started, deadline }) = &mut self.check {
            let answered = timeout_at(*deadline, poll_fn(|cx| calling.poll(cx))).await;
            let mut verdict = match answered {
                Ok(Ok(Ok(verdict))) if verdict.kind() == *kind => verdict,
                Ok(Ok(Ok(_))) => Failure::other_kind().verdict(*kind),
                Ok(Ok(Err(error))) => Failure::of(&*error.into()).verdict(*kind),
                Ok(Err(_)) => Failure::panic().verdict(*kind),
                Err(_) => Failure::timeout().verdict(*kind),
            };
            Stage::answered_late(verdict.class().as_str(), verdict.code());
            self.observers.answered(&self.rule, started, &mut verdict);
            if let Some(reservation) = self.reservation.take() {
                drop(reservation.settle(&verdict, &self.observers));
            }
            self.evidence.add_verdict(verdict.answering(ex_id.clone()));
        }
        drop(self.check.take());
        drop(self.permit.take());
        let names = (Some(&*self.rule), Some(&*self.account));
        self.observers.report(&self.evidence.record(&self.observers, names, None, Outcome::Abandoned));
    }
}
