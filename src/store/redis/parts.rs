//! The parts of Redis that fail independently: a server is one part, and a cluster has many ranges of slots.

use crc16::{State, XMODEM};

use super::deployment_key::{Name, PREFIX};

/// All parts, by their slots. The nodes of the slots are not looked up: a part is so small that it is usually on one node.
pub(super) struct Parts(Box<[Part]>);

#[derive(Clone, Copy, Default)]
struct Part {
    /// The number of failures since the last success.
    failures: u32,
    is_skipped: bool,
}

/// After this number of failures in a row, requests do not wait for a part.
const MOST_FAILURES: u32 = 5;

/// The number of parts of a cluster: each has 256 of the 16,384 slots.
const OF_A_CLUSTER: u16 = 64;

// === impl Parts ===

impl Parts {
    pub(super) fn of_a_server() -> Self {
        Self([Part::default()].into())
    }

    pub(super) fn of_a_cluster() -> Self {
        Self(vec![Part::default(); usize::from(OF_A_CLUSTER)].into())
    }

    pub(super) fn are_of_a_cluster(&self) -> bool {
        self.0.len() > 1
    }

    pub(super) fn is_skipped(&self, name: &Name) -> bool {
        self.0.get(self.place(name)).is_some_and(|part| part.is_skipped)
    }

    pub(super) fn succeed(&mut self, name: &Name) {
        if let Some(part) = self.part(name) {
            part.failures = 0;
        }
    }

    /// Counts a failure. Returns whether the part is skipped from now on.
    pub(super) fn fail(&mut self, name: &Name) -> bool {
        let Some(part) = self.part(name).filter(|part| !part.is_skipped) else { return false };
        part.failures = part.failures.saturating_add(1);
        part.is_skipped = part.failures >= MOST_FAILURES;
        part.is_skipped
    }

    /// The part is used again.
    pub(super) fn resume(&mut self, name: &Name) {
        if let Some(part) = self.part(name) {
            *part = Part::default();
        }
    }

    fn part(&mut self, name: &Name) -> Option<&mut Part> {
        let place = self.place(name);
        self.0.get_mut(place)
    }

    fn place(&self, name: &Name) -> usize {
        if !self.are_of_a_cluster() {
            return 0;
        }
        let slot = State::<XMODEM>::calculate(name.as_str().as_bytes()) % 16_384;
        usize::from(slot / (16_384 / OF_A_CLUSTER))
    }
}

/// An unused key in the slot of this name.
pub(super) fn neighbour(name: &Name) -> String {
    format!("{PREFIX}{{{}}}ping", name.as_str())
}
