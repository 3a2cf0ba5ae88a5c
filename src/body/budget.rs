//! The budget for bytes of bodies in memory.
//!
//! A client that sends a large body and then stalls holds its bytes until the body's deadline. A login is small, so a quarter
//! of the budget is reserved for small bodies: clients that stall with large ones cannot use up that part.

use std::{fmt, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    error::ConfigError,
    metric::{Gauge, Part, Series, describe_gauge},
};

/// The largest body that may use the part for small bodies, in bytes, inclusive.
pub(crate) const SMALL: usize = 4 * 1024;

/// One permit per byte. Clones share the permits.
#[derive(Clone)]
pub(crate) struct Budget {
    bytes: usize,
    general: Arc<Semaphore>,
    /// The part for bodies of at most [`SMALL`] bytes, which may use the general part as well.
    small: Arc<Semaphore>,
    gauge: Gauge,
}

/// One body's share of the budget. Dropping it releases it.
#[derive(Default)]
pub(crate) struct Share(Option<Held>);

struct Held {
    permit: OwnedSemaphorePermit,
    /// The bytes that the gauge counts.
    part: Part,
}

const BUFFERED: &str = "jverify_bodies_buffered_bytes";

/// All bodies together have reached the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crowded;

// === impl Budget ===

impl Budget {
    /// # Errors
    ///
    /// Names the setting `buffered`, if it is zero or too large.
    pub(crate) fn new(bytes: usize) -> Result<Self, ConfigError> {
        if bytes == 0 {
            return Err(ConfigError::new("buffered", "0", "a limit of zero refuses everything"));
        }
        if bytes > Semaphore::MAX_PERMITS || u32::try_from(bytes).is_err() {
            return Err(ConfigError::new("buffered", bytes.to_string(), "too large"));
        }
        let small = bytes / 4;
        describe_gauge(BUFFERED, "Bytes of request bodies that are held");
        Ok(Self {
            bytes,
            general: Arc::new(Semaphore::new(bytes - small)),
            small: Arc::new(Semaphore::new(small)),
            gauge: Series { name: BUFFERED, labels: &[] }.gauge(),
        })
    }

    /// The number of bytes in use.
    pub(crate) fn held(&self) -> usize {
        self.bytes.saturating_sub(self.general.available_permits()).saturating_sub(self.small.available_permits())
    }

    /// # Errors
    ///
    /// Names the setting `buffered` with the value `bytes`: a body of `body_limit` bytes, held `times` times, cannot fit
    /// into its general part.
    pub(crate) fn check(bytes: usize, body_limit: usize, times: usize) -> Result<(), ConfigError> {
        let (general, most) = (bytes - bytes / 4, body_limit.saturating_mul(times));
        if general >= most {
            return Ok(());
        }
        let problem = format!(
            "three quarters of it, {general} bytes, are for bodies of more than {SMALL} bytes, and one of them can take {most} \
             bytes: {times} times the `body_limit` of {body_limit}"
        );
        Err(ConfigError::new("buffered", bytes.to_string(), problem))
    }

    /// Takes a share of this number of bytes.
    pub(crate) fn share(&self, bytes: usize) -> Result<Share, Crowded> {
        let mut share = Share::default();
        share.resize(self, bytes, bytes)?;
        Ok(share)
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Compares by identity.
impl PartialEq for Budget {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.general, &other.general)
    }
}

// === impl Share ===

impl Share {
    /// Makes this share hold `bytes` of a body that will have at least `expected` bytes in total.
    ///
    /// A body that is, or will be, larger than [`SMALL`] uses nothing of the part for small bodies: the bytes
    /// that it held there move to the general part.
    pub(super) fn resize(&mut self, budget: &Budget, bytes: usize, expected: usize) -> Result<(), Crowded> {
        let is_small = bytes.max(expected) <= SMALL;
        for part in is_small.then_some(&budget.small).into_iter().chain([&budget.general]) {
            let here = self.0.as_mut().filter(|held| Arc::ptr_eq(held.permit.semaphore(), part));
            let held = here.as_ref().map_or(0, |held| held.permit.num_permits());
            match (here, bytes.checked_sub(held)) {
                (Some(held), None) => {
                    drop(held.permit.split(held.permit.num_permits().saturating_sub(bytes)));
                    held.show();
                    return Ok(());
                }
                (here, more) => {
                    let Ok(more) = u32::try_from(more.unwrap_or(bytes)) else { continue };
                    let Ok(more) = Arc::clone(part).try_acquire_many_owned(more) else { continue };
                    match here {
                        Some(held) => {
                            held.permit.merge(more);
                            held.show();
                        }
                        None => self.0.insert(Held { permit: more, part: Part::of(&budget.gauge) }).show(),
                    }
                    return Ok(());
                }
            }
        }
        Err(Crowded)
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Share").field(&self.0.as_ref().map(|held| held.permit.num_permits())).finish()
    }
}

// === impl Held ===

impl Held {
    #[inline]
    fn show(&mut self) {
        // A budget's permits always fit into 32 bits.
        self.part.set(u32::try_from(self.permit.num_permits()).map_or(0.0, f64::from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(budget: &Budget) -> (usize, usize) {
        (budget.small.available_permits(), budget.general.available_permits())
    }

    #[test]
    fn small_bodies_use_their_part_first_and_then_the_general_one() {
        let budget = Budget::new(4 * SMALL).unwrap();
        let shares: Vec<_> = (0..4).map(|_| budget.share(SMALL).unwrap()).collect();
        assert_eq!(left(&budget), (0, 0));
        assert_eq!(budget.share(1).unwrap_err(), Crowded);
        drop(shares);
        assert_eq!(left(&budget), (SMALL, 3 * SMALL));
    }

    #[test]
    fn large_bodies_never_use_the_part_for_small_ones() {
        let budget = Budget::new(4 * SMALL).unwrap();
        let _large = budget.share(3 * SMALL).unwrap();
        assert_eq!(left(&budget), (SMALL, 0));
        assert_eq!(budget.share(SMALL + 1).unwrap_err(), Crowded);
        // A share that has just started, with an expected length.
        let mut started = Share::default();
        assert_eq!(started.resize(&budget, 1, SMALL + 1), Err(Crowded));
        assert_eq!(left(&budget), (SMALL, 0));
        budget.share(SMALL).unwrap();
    }

    #[test]
    fn a_body_that_grows_moves_its_share_or_is_refused() {
        let budget = Budget::new(4 * SMALL).unwrap();
        let mut grows = Share::default();
        for bytes in [1, SMALL - 1, SMALL] {
            grows.resize(&budget, bytes, 0).unwrap();
            assert_eq!(left(&budget), (SMALL - bytes, 3 * SMALL));
        }
        grows.resize(&budget, SMALL + 1, 0).unwrap();
        assert_eq!(left(&budget), (SMALL, 2 * SMALL - 1));
        grows.resize(&budget, 3 * SMALL, 0).unwrap();
        let mut other = budget.share(SMALL).unwrap();
        assert_eq!(other.resize(&budget, SMALL + 1, 0), Err(Crowded));
        grows.resize(&budget, SMALL + 2, 0).unwrap();
        assert_eq!(left(&budget), (0, 2 * SMALL - 2), "a share that shrinks gives back");
        grows.resize(&budget, 0, 0).unwrap();
        drop((grows, other));
        assert_eq!(left(&budget), (SMALL, 3 * SMALL));
    }
}
