//! What the process holds: tasks, descriptors, memory.

use std::{
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{runtime::Handle, task::JoinHandle, time::Instant};

/// After so long the first claims end, and as many end as are made.
const CLAIMS_LAST: Duration = Duration::from_secs(16 * 60);

const EACH: Duration = Duration::from_secs(1);

/// Counted at one moment. Descriptors: on Linux only.
pub(crate) struct Process {
    pub(crate) tasks: usize,
    pub(crate) descriptors: Option<usize>,
}

/// Samples of the resident memory, once a second.
pub(crate) struct Memory {
    began: Instant,
    /// Before that, memory grows.
    warm_up: Duration,
    samples: Arc<Mutex<Vec<(Instant, u64)>>>,
    sampling: JoinHandle<()>,
}

// === impl Process ===

impl Process {
    pub(crate) fn now() -> Self {
        let descriptors = fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
        Self { tasks: Handle::current().metrics().num_alive_tasks(), descriptors }
    }

    /// Whether this is no more than it was.
    pub(crate) fn is_within(&self, before: &Self) -> bool {
        self.tasks <= before.tasks && self.descriptors <= before.descriptors
    }
}

// === impl Memory ===

impl Memory {
    /// Samples until dropped.
    pub(crate) fn sample(minutes: u32) -> Self {
        let samples = Arc::new(Mutex::new(Vec::with_capacity(usize::try_from(minutes).unwrap_or(1) * 90)));
        let into = Arc::clone(&samples);
        let sampling = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(EACH);
            loop {
                let now = ticks.tick().await;
                let Some(bytes) = resident() else { return };
                into.lock().unwrap_or_else(PoisonError::into_inner).push((now, bytes));
            }
        });
        let half = Duration::from_secs(u64::from(minutes) * 30);
        Self { began: Instant::now(), warm_up: half.max(CLAIMS_LAST.min(half * 8 / 5)), samples, sampling }
    }

    pub(crate) fn warm_up(&self) -> Duration {
        self.warm_up
    }

    /// Whether claims still grew when the slope was measured.
    pub(crate) fn is_short(&self) -> bool {
        self.warm_up < CLAIMS_LAST
    }

    /// Bytes in ten minutes, by least squares, and the last sample. `None` where it is not measured.
    pub(crate) fn slope(&self, until: Instant) -> Option<(f64, u64)> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let warm = |at: &Instant| *at >= self.began + self.warm_up && *at <= until;
        let points: Vec<(f64, f64)> = samples
            .iter()
            .filter(|(at, _)| warm(at))
            .map(|(at, bytes)| (at.duration_since(self.began).as_secs_f64(), float(*bytes)))
            .collect();
        let count = float(points.len() as u64);
        let (x, y) = points.iter().fold((0.0, 0.0), |sums, point| (sums.0 + point.0 / count, sums.1 + point.1 / count));
        let up: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
        let along: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
        let (_, last) = samples.iter().rfind(|(at, _)| *at <= until)?;
        (points.len() > 2).then(|| (up / along * 600.0, *last))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.sampling.abort();
    }
}

/// The resident memory in bytes.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[expect(clippy::cast_precision_loss, reason = "below 2⁵³")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
