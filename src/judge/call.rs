//! One call of the verifier, which is finished once it has started.
//!
//! A call costs money and occupies the verifier, whether its client waits or not. If dropping a request ended its call, a
//! client that opens requests and resets them could have any number of calls in flight without a place in the bulkhead:
//! hyper drops the service's future when an HTTP/2 stream is reset, or when an HTTP/1.1 client closes its connection.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{runtime::Handle, time::Instant};
use tower::BoxError;
use tower_service::Service;

use super::{
    abandoned::{InFlight, Rest},
    bulkhead::Permit,
    calling::Calling,
    evidence::Evidence,
    reservation::Reservation,
    running::Abandoned,
};
use crate::{
    check::Check,
    check_kind::CheckKind,
    decision::Applied,
    ex_id::ExId,
    log::CurrentSpan,
    observe::{Observers, StartedCheck},
    verdict::Verdict,
};

/// A check of a request: polled by the request, and finished by a task if the request is dropped.
pub(super) struct Call<'c, S>
where
    S: Service<Check, Response = Verdict, Error: Into<BoxError>> + 'static,
    S::Future: Send,
{
    stage: Stage,
    calling: Calling<S::Future>,
    kind: CheckKind,
    ex_id: &'c ExId,
    started: StartedCheck,
    /// The layer's deadline, never the client's.
    deadline: Instant,
    place: Place<'c>,
    runtime: Handle,
    span: Option<CurrentSpan>,
}

/// The state that a call takes over if its request is dropped.
pub(super) struct Place<'c> {
    /// The rule's name.
    pub(super) rule: &'c Arc<str>,
    pub(super) account: &'c Arc<str>,
    pub(super) evidence: &'c Evidence,
    pub(super) permit: &'c mut Option<Permit>,
    pub(super) reservation: &'c mut Option<Reservation>,
    pub(super) observers: &'c Arc<Observers>,
    pub(super) abandoned: &'c Arc<Abandoned>,
}

#[derive(Clone, Copy)]
enum Stage {
    /// Waits until the verifier is ready. Nothing is spent yet.
    Waiting,
    Started,
    /// Also the state while the verifier or its call is polled: after a panic, nothing is left to finish.
    Over,
}

// === impl Call ===

impl<'c, S> Call<'c, S>
where
    S: Service<Check, Response = Verdict, Error: Into<BoxError>> + 'static,
    S::Future: Send,
{
    /// Creates the call without starting it. Panics outside of a Tokio runtime.
    pub(super) fn new(
        kind: CheckKind,
        ex_id: &'c ExId,
        deadline: Instant,
        started: StartedCheck,
        place: Place<'c>,
    ) -> Self {
        let (runtime, span) = (Handle::current(), Some(CurrentSpan::get()));
        Self { stage: Stage::Waiting, calling: Calling::none(), kind, ex_id, started, deadline, place, runtime, span }
    }

    /// Returns the answer. `waiting` is the verifier and the check until the call starts. A panic of the verifier is passed to
    /// the caller and ends the call.
    #[inline]
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        waiting: &mut Option<(S, Check)>,
    ) -> Poll<Result<Verdict, S::Error>> {
        if let Some((verifier, _)) = waiting {
            self.stage = Stage::Over;
            match verifier.poll_ready(cx) {
                Poll::Pending => {
                    self.stage = Stage::Waiting;
                    return Poll::Pending;
                }
                Poll::Ready(ready) => ready?,
            }
            if let Some((mut verifier, check)) = waiting.take() {
                if let Some(reservation) = self.place.reservation {
                    reservation.mark_sent();
                }
                self.calling = Calling::started(verifier.call(check), self.place.observers.in_flight());
            }
        }
        self.stage = Stage::Over;
        let polled = self.calling.poll_through(cx);
        if polled.is_pending() {
            self.stage = Stage::Started;
        }
        polled
    }

    /// Ends the call: the layer's own deadline has passed.
    pub(super) fn end(mut self) {
        self.stage = Stage::Over;
    }

    /// Moves a call that has started into a task. The request goes on and answers its client.
    pub(super) fn abandon(mut self) {
        if matches!(std::mem::replace(&mut self.stage, Stage::Over), Stage::Started) {
            let calling = self.calling.take();
            self.leave(Some(calling));
        }
    }

    /// Does not log or poll: this may run in a `drop`, on any thread, during a panic, or while the runtime ends, which then drops
    /// the task at once.
    fn leave(&mut self, calling: Option<Calling<S::Future>>) {
        let (kind, ex_id, deadline, started) = (self.kind, self.ex_id.clone(), self.deadline, self.started);
        // Without a call, the place is free as soon as the request is dropped.
        let (permit, reservation) = match &calling {
            Some(_) => (self.place.permit.take(), self.place.reservation.take()),
            None => (None, None),
        };
        let check = calling.map(|calling| InFlight { calling, kind, ex_id, started, deadline });
        let Place { rule, account, evidence, observers, abandoned, .. } = &self.place;
        let (rest, span) =
            (Rest::of((rule, account), evidence, check, (permit, reservation), observers, abandoned), self.span.take());
        let spawned = AssertUnwindSafe(|| match span {
            Some(span) => drop(self.runtime.spawn(span.around(rest.finish()))),
            None => drop(self.runtime.spawn(rest.finish())),
        });
        // If no runtime can take the task, the call ends here.
        drop(catch_unwind(spawned));
    }
}

impl<S> Drop for Call<'_, S>
where
    S: Service<Check, Response = Verdict, Error: Into<BoxError>> + 'static,
    S::Future: Send,
{
    fn drop(&mut self) {
        match self.stage {
            Stage::Started => {
                let calling = self.calling.take();
                self.leave(Some(calling));
            }
            // Keeps the verdicts of the earlier checks, and whether a request in shadow was passed on.
            Stage::Waiting
                if self.place.evidence.has_verdicts() || self.place.evidence.applied() == Applied::Shadow =>
            {
                self.leave(None);
            }
            Stage::Waiting | Stage::Over => {}
        }
    }
}
