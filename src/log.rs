//! The log macro and spans, wrapped once, so that no call site carries a `cfg`.

#[cfg(feature = "tracing")]
use ::tracing::{
    Span,
    instrument::{Instrument, WithSubscriber},
    level_filters::LevelFilter,
};

/// One event at a level chosen at the call site; nothing without the feature `tracing`.
#[cfg(feature = "tracing")]
macro_rules! event {
    ($level:ident, $($rest:tt)*) => { ::tracing::event!(target: "tower_jverify", ::tracing::Level::$level, $($rest)*) };
}

/// Nothing, and nothing evaluated.
#[cfg(not(feature = "tracing"))]
macro_rules! event {
    ($($any:tt)*) => {{}};
}

pub(crate) use event;

/// The span of the work at hand, for what goes on elsewhere.
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
        // Asked for every check: where nothing is logged there is no span, and a look at the level is cheaper.
        Self(if LevelFilter::current() == LevelFilter::OFF { Span::none() } else { Span::current() })
    }

    /// A future that runs within this span, and logs to whoever is logged to now.
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
