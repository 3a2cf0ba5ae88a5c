//! The log macros, wrapped once, so that no call site carries a `cfg`.

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
