//! A call that has been passed to the verifier.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    thread,
};

use crate::metric::Part;

/// A call that has been passed to the verifier. It is boxed, because it moves from the request into a task. It counts as in
/// flight until it is dropped.
pub(super) struct Calling<F>(Option<(Pin<Box<F>>, Part)>);

// === impl Calling ===

impl<F> Calling<F> {
    /// No call yet.
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn started(call: F, in_flight: Part) -> Self {
        Self(Some((Box::pin(call), in_flight)))
    }

    pub(super) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// Drops the future. If that panics, the panic must not end the layer's task.
    fn end(&mut self) -> thread::Result<()> {
        match self.0.take() {
            Some(call) => catch_unwind(AssertUnwindSafe(|| drop(call))),
            None => Ok(()),
        }
    }
}

impl<F: Future> Calling<F> {
    /// Polls the call, and drops it after its answer. Panics are passed to the caller.
    #[inline]
    pub(super) fn poll_through(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some((call, _)) = &mut self.0 else { panic!("a call is not polled after it has answered") };
        let polled = call.as_mut().poll(cx);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }

    /// Polls the call, and drops it after its answer or panic. A panic is returned as an error, for a task.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<thread::Result<F::Output>> {
        let Some((call, _)) = &mut self.0 else { panic!("a call is not polled after it has answered") };
        let polled = match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(answer)) => Ok(answer),
            Err(panic) => Err(panic),
        };
        let ended = self.end();
        Poll::Ready(polled.and_then(|answer| ended.map(|()| answer)))
    }
}

impl<F> Drop for Calling<F> {
    #[inline]
    fn drop(&mut self) {
        if self.0.is_some() {
            drop(self.end());
        }
    }
}
