//! The recorder of metrics, installed as `docs/operating.md` advises, and read once: when the load has ended.

use std::{error::Error, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::interval;

/// The histograms and their buckets, in seconds.
const BUCKETS: [(&str, &[f64]); 2] = [
    ("jverify_check_duration_seconds", &[0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0]),
    ("jverify_store_duration_seconds", &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2]),
];

/// How often the samples of histograms move into their buckets. Until then the recorder holds each of them.
const UPKEEP: Duration = Duration::from_secs(5);

pub(crate) struct Recorder(PrometheusHandle);

/// What the recorder has counted.
pub(crate) struct Recorded {
    /// By `jverify_checks_total`.
    pub(crate) checks: u64,
    /// Samples of `jverify_check_duration_seconds`.
    pub(crate) times: u64,
    pub(crate) series: usize,
}

// === impl Recorder ===

impl Recorder {
    /// For the whole process, before a layer is built. It listens on no port.
    pub(crate) fn install() -> Result<Self, Box<dyn Error>> {
        let mut builder = PrometheusBuilder::new();
        for (name, buckets) in BUCKETS {
            builder = builder.set_buckets_for_metric(Matcher::Full(name.into()), buckets)?;
        }
        let handle = builder.install_recorder()?;
        let upkeep = handle.clone();
        tokio::spawn(async move {
            let mut ticks = interval(UPKEEP);
            loop {
                ticks.tick().await;
                upkeep.run_upkeep();
            }
        });
        Ok(Self(handle))
    }

    pub(crate) fn read(&self) -> Recorded {
        let text = self.0.render();
        let sum = |name: &str| {
            let of_name = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
            of_name.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
        };
        Recorded {
            checks: sum("jverify_checks_total"),
            times: sum("jverify_check_duration_seconds_count"),
            series: text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count(),
        }
    }
}
