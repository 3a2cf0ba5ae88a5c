//! A call that the verifier has taken.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    thread,
};

use tower::BoxError;

use crate::Verdict;

/// What a verifier answers.
pub(super) type Answer = Result<Verdict, BoxError>;

/// A call that the verifier has taken. Its panics are results.
pub(super) struct Calling(Option<Pin<Box<dyn Future<Output = Answer> + Send>>>);

// === impl Calling ===

impl Calling {
    /// The verifier's answer to come; `None` is never polled.
    pub(super) fn new(call: Option<impl Future<Output = Answer> + Send + 'static>) -> Self {
        Self(call.map(|call| Box::pin(call) as Pin<Box<_>>))
    }

    /// Polls the call, and drops it once it has answered or panicked.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<thread::Result<Answer>> {
        let Some(call) = &mut self.0 else { panic!("a call is not polled after it has answered") };
        let polled = match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(answer)) => Ok(answer),
            Err(panic) => Err(panic),
        };
        let ended = self.end();
        Poll::Ready(polled.and_then(|answer| ended.map(|()| answer)))
    }

    /// A future that panics while it is dropped, too, must not take the layer with it.
    fn end(&mut self) -> thread::Result<()> {
        let call = self.0.take();
        catch_unwind(AssertUnwindSafe(|| drop(call)))
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        drop(self.end());
    }
}
