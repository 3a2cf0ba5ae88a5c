//! Wraps the facade `metrics`, so that call sites need no `cfg`.
//!
//! A handle is resolved once, when it is created. Without a recorder, or without the feature, it does nothing.

#[cfg(feature = "metrics")]
pub(crate) use ::metrics::{Counter, Gauge, Histogram};
#[cfg(feature = "metrics")]
use ::metrics::{Key, Label, Level, Metadata, Unit, with_recorder};

/// The name and labels of a series. A label's value is a constant or a rule's name.
#[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "nothing is registered"))]
pub(crate) struct Series<'s> {
    pub(crate) name: &'static str,
    pub(crate) labels: &'s [(&'static str, &'s str)],
}

/// An amount that is added to a gauge until this is dropped.
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

/// Describes a counter.
#[cfg(feature = "metrics")]
pub(crate) fn describe_counter(name: &'static str, what: &'static str) {
    with_recorder(|recorder| recorder.describe_counter(name.into(), Some(Unit::Count), what.into()));
}

/// Describes a gauge.
#[cfg(feature = "metrics")]
pub(crate) fn describe_gauge(name: &'static str, what: &'static str) {
    with_recorder(|recorder| recorder.describe_gauge(name.into(), None, what.into()));
}

/// Describes a histogram of seconds.
#[cfg(feature = "metrics")]
pub(crate) fn describe_seconds(name: &'static str, what: &'static str) {
    with_recorder(|recorder| recorder.describe_histogram(name.into(), Some(Unit::Seconds), what.into()));
}

// === impl Part ===

impl Part {
    /// Starts with an amount of zero.
    #[inline]
    pub(crate) fn of(gauge: &Gauge) -> Self {
        Self { gauge: gauge.clone(), amount: 0.0 }
    }

    /// Replaces the amount.
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

/// Types that do nothing, with the interface of the facade.
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
