//! Wraps the log macro and spans, so that call sites need no `cfg`.

#[cfg(feature = "tracing")]
use std::panic::{AssertUnwindSafe, catch_unwind};

#[cfg(feature = "tracing")]
use ::tracing::{
    Span,
    field::Empty,
    instrument::{Instrument, WithSubscriber},
    level_filters::LevelFilter,
};

/// One event at a level chosen at the call site; nothing without the feature `tracing`.
#[cfg(feature = "tracing")]
macro_rules! event {
    ($level:ident, $($rest:tt)*) => { ::tracing::event!(target: "tower_jverify", ::tracing::Level::$level, $($rest)*) };
}

/// Whether events at DEBUG are written.
#[cfg(feature = "tracing")]
#[inline]
pub(crate) fn is_debug() -> bool {
    ::tracing::enabled!(target: "tower_jverify", ::tracing::Level::DEBUG)
}

/// Does nothing, and evaluates nothing.
#[cfg(not(feature = "tracing"))]
macro_rules! event {
    ($($any:tt)*) => {{}};
}

pub(crate) use event;

/// The current span, for work that continues in another task.
#[cfg(feature = "tracing")]
pub(crate) struct CurrentSpan(Span);

/// Nothing.
#[cfg(not(feature = "tracing"))]
pub(crate) struct CurrentSpan;

// === impl CurrentSpan ===

#[cfg(feature = "tracing")]
impl CurrentSpan {
    #[inline]
    pub(crate) fn get() -> Self {
        // Runs for every check: without logging a span does not exist, and comparing the level is cheaper.
        Self(if LevelFilter::current() == LevelFilter::OFF { Span::none() } else { Span::current() })
    }

    /// Wraps a future so that it runs within this span and uses the current subscriber.
    pub(crate) fn around<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        future.instrument(self.0).with_current_subscriber()
    }
}

#[cfg(not(feature = "tracing"))]
impl CurrentSpan {
    #[inline]
    pub(crate) fn get() -> Self {
        Self
    }

    #[allow(clippy::unused_self)]
    pub(crate) fn around<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        future
    }
}

/// A span of a stage of a request, at DEBUG. It does nothing without an interested subscriber. A panic in a subscriber is
/// caught here.
#[cfg(feature = "tracing")]
pub(crate) struct Stage(Option<Span>);

/// Nothing.
#[cfg(not(feature = "tracing"))]
pub(crate) struct Stage;

#[cfg(feature = "tracing")]
const TARGET: &str = "tower_jverify";
#[cfg(feature = "tracing")]
const CHECK: &str = "jverify.check";

// === impl Stage ===

#[cfg(feature = "tracing")]
impl Stage {
    /// The whole guarded request.
    #[inline]
    pub(crate) fn guard() -> Self {
        Self::of(|| ::tracing::debug_span!(target: TARGET, "jverify.guard", rule = Empty))
    }

    /// The request's head and body are read.
    #[inline]
    pub(crate) fn read() -> Self {
        Self::of(|| ::tracing::debug_span!(target: TARGET, "jverify.read"))
    }

    /// The checks run.
    #[inline]
    pub(crate) fn check(endpoint: &'static str) -> Self {
        Self::of(|| ::tracing::debug_span!(target: TARGET, CHECK, endpoint, class = Empty, code = Empty))
    }

    #[inline]
    fn of(span: impl FnOnce() -> Span) -> Self {
        if LevelFilter::current() < LevelFilter::DEBUG {
            return Self(None);
        }
        Self(quietly(span).filter(|span| !span.is_disabled()))
    }

    /// The name of the rule that applies.
    #[inline]
    pub(crate) fn rule(&self, rule: &str) {
        self.record(|span| span.record("rule", rule));
    }

    /// Records the verifier's answer. `code` is called only if there is a span.
    #[inline]
    pub(crate) fn answered<'v>(&self, class: &'static str, code: impl FnOnce() -> Option<&'v str>) {
        self.record(|span| span.record("class", class).record("code", code()));
    }

    /// As [`Stage::answered`], for a check that the current task finishes.
    pub(crate) fn answered_late(class: &'static str, code: Option<&str>) {
        let current = quietly(Span::current);
        let is_check = |span: &Span| span.metadata().is_some_and(|metadata| metadata.name() == CHECK);
        Self(current.filter(is_check)).answered(class, || code);
    }

    #[inline]
    fn record<'s>(&'s self, record: impl FnOnce(&'s Span) -> &'s Span) {
        if let Some(span) = &self.0 {
            let _ = quietly(|| record(span));
        }
    }

    /// Runs a part of the stage inside its span.
    #[inline]
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        let Some(span) = &self.0 else { return work() };
        let entered = quietly(|| span.enter());
        let done = work();
        let _ = quietly(|| drop(entered));
        done
    }
}

#[cfg(feature = "tracing")]
impl Drop for Stage {
    #[inline]
    fn drop(&mut self) {
        if let Some(span) = self.0.take() {
            let _ = quietly(|| drop(span));
        }
    }
}

/// A subscriber is the application's code.
#[cfg(feature = "tracing")]
fn quietly<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

#[cfg(not(feature = "tracing"))]
#[allow(clippy::unused_self, reason = "as with the feature")]
impl Stage {
    #[inline]
    pub(crate) fn guard() -> Self {
        Self
    }

    #[inline]
    pub(crate) fn read() -> Self {
        Self
    }

    #[inline]
    pub(crate) fn check(_: &'static str) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn rule(&self, _: &str) {}

    #[inline]
    pub(crate) fn answered<'v>(&self, _: &'static str, _: impl FnOnce() -> Option<&'v str>) {}

    #[inline]
    pub(crate) fn answered_late(_: &'static str, _: Option<&str>) {}

    #[inline]
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }
}
