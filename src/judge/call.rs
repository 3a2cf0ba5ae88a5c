//! One call of the verifier, which is finished once it has begun.
//!
//! A call costs money and occupies JPush, whether its client waits or not. If dropping a request ended its call, a client that
//! opens requests and resets them would have any number of calls at JPush and hold no place of the bulkhead: hyper drops the
//! service's future when an HTTP/2 stream is reset, or when an HTTP/1.1 client closes its connection.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll},
    thread,
};

use tokio::{runtime::Handle, time::Instant};
use tower::BoxError;
use tower_service::Service;

use super::{
    abandoned::{Abandoned, InFlight, Rest},
    bulkhead::Permit,
    calling::{Answer, Calling},
    evidence::Evidence,
};
use crate::{Check, CheckKind, ExId, Verdict, log::CurrentSpan, observe::Observers};

/// A check of a request: polled by the request, and finished by a task if the request is dropped.
pub(super) struct Call<'c, S> {
    stage: Stage<S>,
    kind: CheckKind,
    ex_id: ExId,
    /// The layer's deadline, never the client's.
    deadline: Instant,
    place: Place<'c>,
    runtime: Handle,
    span: Option<CurrentSpan>,
}

/// What a call needs from its request if the request is dropped.
pub(super) struct Place<'c> {
    /// The rule's name.
    pub(super) rule: &'c Arc<str>,
    pub(super) evidence: &'c Evidence,
    pub(super) permit: &'c mut Option<Permit>,
    pub(super) observers: &'c Arc<Observers>,
    pub(super) abandoned: &'c Arc<Abandoned>,
}

enum Stage<S> {
    /// The verifier is made ready. Nothing is spent yet.
    Waiting {
        verifier: S,
        check: Option<Check>,
    },
    Begun(Calling),
    Over,
}

// === impl Call ===

impl<'c, S> Call<'c, S> {
    /// Neither begins the call nor waits. Panics outside of a Tokio runtime.
    pub(super) fn new(verifier: S, check: Check, ex_id: ExId, deadline: Instant, place: Place<'c>) -> Self {
        let kind = check.kind();
        let check = Some(check.with_ex_id(ex_id.clone()));
        let (runtime, span) = (Handle::current(), Some(CurrentSpan::get()));
        Self { stage: Stage::Waiting { verifier, check }, kind, ex_id, deadline, place, runtime, span }
    }

    /// The answer, or the panic of the verifier, which ends the call.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<thread::Result<Answer>>
    where
        S: Service<Check, Response = Verdict, Error = BoxError>,
        S::Future: Send + 'static,
    {
        if let Stage::Waiting { verifier, check } = &mut self.stage {
            let begun = catch_unwind(AssertUnwindSafe(|| {
                let ready = std::task::ready!(verifier.poll_ready(cx));
                let call = check.take().map(|check| verifier.call(check));
                Poll::Ready(ready.map(|()| Calling::new(call)))
            }));
            match begun {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(calling))) => self.stage = Stage::Begun(calling),
                Ok(Poll::Ready(Err(error))) => {
                    self.stage = Stage::Over;
                    return Poll::Ready(Ok(Err(error)));
                }
                Err(panic) => {
                    self.stage = Stage::Over;
                    return Poll::Ready(Err(panic));
                }
            }
        }
        let Stage::Begun(calling) = &mut self.stage else { panic!("a call is not polled after it has answered") };
        let answered = std::task::ready!(calling.poll(cx));
        self.stage = Stage::Over;
        Poll::Ready(answered)
    }

    /// Ends the call: the layer's own deadline has passed.
    pub(super) fn end(mut self) {
        self.stage = Stage::Over;
    }

    /// Leaves the call to a task, if it has begun. The request goes on and answers its client.
    pub(super) fn abandon(mut self) {
        if let Stage::Begun(calling) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.leave(Some(calling));
        }
    }

    /// Neither logs nor polls here: this may run inside of a `drop`, on any thread, while it panics, or while the runtime ends,
    /// which then drops the task at once.
    fn leave(&mut self, calling: Option<Calling>) {
        let (kind, ex_id, deadline) = (self.kind, self.ex_id.clone(), self.deadline);
        // Without a call, the place is free as soon as the request is gone.
        let permit = calling.as_ref().and_then(|_| self.place.permit.take());
        let check = calling.map(|calling| InFlight { calling, kind, ex_id, deadline });
        let Place { rule, evidence, observers, abandoned, .. } = &self.place;
        let (rest, span) = (Rest::of(rule, evidence, check, permit, observers, abandoned), self.span.take());
        let spawned = AssertUnwindSafe(|| match span {
            Some(span) => drop(self.runtime.spawn(span.around(rest.finish()))),
            None => drop(self.runtime.spawn(rest.finish())),
        });
        // If a runtime cannot take it, the call ends here.
        drop(catch_unwind(spawned));
    }
}

impl<S> Drop for Call<'_, S> {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Begun(calling) => self.leave(Some(calling)),
            // What the request's earlier checks have cost is not lost.
            Stage::Waiting { .. } if self.place.evidence.has_verdicts() => self.leave(None),
            Stage::Waiting { .. } | Stage::Over => {}
        }
    }
}
