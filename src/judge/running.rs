//! Counts the checks and the releases of claims that outlive their requests.

use std::sync::Arc;

use tokio::sync::watch;

/// The numbers of running checks and releases.
#[derive(Debug, Default)]
pub(crate) struct Abandoned {
    checks: watch::Sender<usize>,
    releases: watch::Sender<usize>,
}

/// Counts one running check, until it is dropped.
pub(crate) struct Running(Arc<Abandoned>);

/// Counts one running release of a claim, until it is dropped.
pub(super) struct Releasing(Arc<Abandoned>);

// === impl Abandoned ===

impl Abandoned {
    pub(super) fn running(&self) -> usize {
        *self.checks.borrow()
    }

    /// Waits until no check and no release is running.
    pub(super) async fn drained(&self) {
        // A check may release its claim at its end.
        for counted in [&self.checks, &self.releases] {
            // It fails only if the sender is dropped, and the sender is borrowed here.
            let _ = counted.subscribe().wait_for(|running| *running == 0).await;
        }
    }

    /// Counts a check, until the returned value is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> Running {
        self.checks.send_modify(|running| *running += 1);
        Running(Arc::clone(self))
    }

    /// Counts a release, until the returned value is dropped.
    pub(super) fn release(self: &Arc<Self>) -> Releasing {
        self.releases.send_modify(|running| *running += 1);
        Releasing(Arc::clone(self))
    }
}

// === impl Running ===

impl Drop for Running {
    fn drop(&mut self) {
        self.0.checks.send_modify(|running| *running = running.saturating_sub(1));
    }
}

// === impl Releasing ===

impl Drop for Releasing {
    fn drop(&mut self) {
        self.0.releases.send_modify(|running| *running = running.saturating_sub(1));
    }
}
