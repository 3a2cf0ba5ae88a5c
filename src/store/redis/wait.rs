//! The time that a request waits for Redis.

use std::time::Duration;

use tokio::time::Instant;

/// The time that a request has waited for Redis. All of its operations together have one deadline, and after it the request does not ask
/// Redis again.
#[derive(Debug, Default)]
pub(crate) struct RedisWait(Duration);

// === impl RedisWait ===

impl RedisWait {
    /// Whether this deadline is used up.
    pub(crate) fn is_over(&self, deadline: Duration) -> bool {
        self.left(deadline).is_zero()
    }

    /// The rest of this deadline.
    pub(super) fn left(&self, deadline: Duration) -> Duration {
        deadline.saturating_sub(self.0)
    }

    /// Waits for operations that run at the same time, and counts the time.
    pub(super) async fn wait<T>(&mut self, operations: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let answer = operations.await;
        self.0 = self.0.saturating_add(began.elapsed());
        answer
    }
}
