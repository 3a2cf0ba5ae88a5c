//! The facade `metrics`, wrapped once, so that no call site carries a `cfg`.
//!
//! A handle is resolved when it is made and never looked up again. Without a recorder, or without the feature, it does nothing.

#[cfg(feature = "metrics")]
pub(crate) use ::metrics::{Counter, Gauge, Histogram};
#[cfg(feature = "metrics")]
use ::metrics::{Key, Label, Level, Metadata, Unit, with_recorder};

/// What a series is called. The value of a label is a word of ours, or a rule's name.
#[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "nothing is registered"))]
pub(crate) struct Series<'s> {
    pub(crate) name: &'static str,
    pub(crate) labels: &'s [(&'static str, &'s str)],
}

/// What this adds to a gauge until it is dropped.
pub(crate) struct Part {
    gauge: Gauge,
    amount: f64,
}

#[cfg(feature = "metrics")]
const METADATA: Metadata<'static> = Metadata::new("tower_jverify", Level::INFO, None);

// === impl Series ===

#[cfg(feature = "metrics")]
impl Series<'_> {
    pub(crate) fn counter(&self) -> Counter {
        with_recorder(|recorder| recorder.register_counter(&self.key(), &METADATA))
    }

    pub(crate) fn gauge(&self) -> Gauge {
        with_recorder(|recorder| recorder.register_gauge(&self.key(), &METADATA))
    }

    pub(crate) fn histogram(&self) -> Histogram {
        with_recorder(|recorder| recorder.register_histogram(&self.key(), &METADATA))
    }

    fn key(&self) -> Key {
        let label = |&(name, value): &(&'static str, &str)| Label::new(name, value.to_owned());
        Key::from_parts(self.name, self.labels.iter().map(label).collect::<Vec<_>>())
    }
}

/// Says what a counter counts.
#[cfg(feature = "metrics")]
pub(crate) fn describe_counter(name: &'static str, what: &'static str) {
    with_recorder(|recorder| recorder.describe_counter(name.into(), Some(Unit::Count), what.into()));
}

/// Says what a gauge shows.
#[cfg(feature = "metrics")]
pub(crate) fn describe_gauge(name: &'static str, what: &'static str) {
    with_recorder(|recorder| recorder.describe_gauge(name.into(), None, what.into()));
}

/// Says what a histogram of seconds holds.
#[cfg(feature = "metrics")]
pub(crate) fn describe_seconds(name: &'static str, what: &'static str) {
    with_recorder(|recorder| recorder.describe_histogram(name.into(), Some(Unit::Seconds), what.into()));
}

// === impl Part ===

impl Part {
    /// Adds nothing yet.
    #[inline]
    pub(crate) fn of(gauge: &Gauge) -> Self {
        Self { gauge: gauge.clone(), amount: 0.0 }
    }

    /// Adds so much, in place of what it has added so far.
    #[inline]
    pub(crate) fn set(&mut self, amount: f64) {
        self.gauge.increment(amount - self.amount);
        self.amount = amount;
    }
}

impl Drop for Part {
    #[inline]
    fn drop(&mut self) {
        self.gauge.decrement(self.amount);
    }
}

#[cfg(not(feature = "metrics"))]
pub(crate) use self::off::{Counter, Gauge, Histogram, describe_counter, describe_gauge, describe_seconds};

/// Nothing, in the shape of the facade.
#[cfg(not(feature = "metrics"))]
mod off {
    use super::Series;

    #[derive(Clone)]
    pub(crate) struct Counter;
    #[derive(Clone)]
    pub(crate) struct Gauge;
    #[derive(Clone)]
    pub(crate) struct Histogram;

    #[allow(clippy::unused_self, reason = "as the facade")]
    impl Series<'_> {
        pub(crate) fn counter(&self) -> Counter {
            Counter
        }

        pub(crate) fn gauge(&self) -> Gauge {
            Gauge
        }

        pub(crate) fn histogram(&self) -> Histogram {
            Histogram
        }
    }

    #[allow(clippy::unused_self, clippy::trivially_copy_pass_by_ref, reason = "as the facade")]
    impl Counter {
        #[inline]
        pub(crate) fn increment(&self, _: u64) {}
    }

    #[allow(clippy::unused_self, clippy::trivially_copy_pass_by_ref, reason = "as the facade")]
    impl Gauge {
        #[inline]
        pub(crate) fn increment(&self, _: f64) {}
        #[inline]
        pub(crate) fn decrement(&self, _: f64) {}
        #[inline]
        pub(crate) fn set(&self, _: f64) {}
    }

    #[allow(clippy::unused_self, clippy::trivially_copy_pass_by_ref, reason = "as the facade")]
    impl Histogram {
        #[inline]
        pub(crate) fn record(&self, _: f64) {}
    }

    pub(crate) fn describe_counter(_: &'static str, _: &'static str) {}
    pub(crate) fn describe_gauge(_: &'static str, _: &'static str) {}
    pub(crate) fn describe_seconds(_: &'static str, _: &'static str) {}
}
