//! The faults of an exchange.

use std::time::Duration;

use super::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The reply comes so much later.
    Delay(Duration),
    /// The reply comes byte by byte, with this pause after each.
    Drip(Duration),
    /// The connection is closed after so many bytes of the reply, which never is all of it.
    Cut(usize),
    /// The sandbox gets so many bytes of the request, which never is all of it. Then both connections are closed.
    CutRequest(usize),
    /// RST in place of the reply.
    Reset,
    /// RST in place of the request's way to the sandbox.
    ResetUnseen,
    /// The request is read, and nothing follows.
    BlackHole,
    /// FIN in place of the reply; the proxy goes on reading.
    HalfClose,
    /// The kernel accepts a connection, and for so long nothing reads from it.
    SlowAccept(Duration),
    /// A TLS alert in place of the reply.
    TlsGarbage,
    /// `100 Continue` before the reply.
    Continue,
    /// So many `103 Early Hints` before the reply.
    Informational(usize),
}

/// How many faults [`Fault::random`] chooses from.
const KINDS: u64 = 11;

// === impl Fault ===

impl Fault {
    /// Whether the sandbox decides the check.
    pub(crate) fn reaches_the_sandbox(self) -> bool {
        match self {
            Self::CutRequest(_) | Self::ResetUnseen | Self::BlackHole => false,
            Self::Delay(_)
            | Self::Drip(_)
            | Self::Cut(_)
            | Self::Reset
            | Self::HalfClose
            | Self::SlowAccept(_)
            | Self::TlsGarbage
            | Self::Continue
            | Self::Informational(_) => true,
        }
    }

    /// A fault of an exchange, each with so many chances in 1,000; mostly none. Slow accepts are chosen by connection.
    pub(super) fn random(random: &mut Random, per_mille: u64) -> Option<Self> {
        let drawn = random.below(1_000).checked_div(per_mille)?;
        let within = |random: &mut Random, most: u64| usize::try_from(random.below(most)).unwrap_or_default();
        Some(match drawn {
            0 => Self::Delay(Duration::from_millis(random.below(500))),
            1 => Self::Drip(Duration::from_millis(1)),
            2 => Self::Cut(within(random, 600)),
            3 => Self::CutRequest(within(random, 600)),
            4 => Self::Reset,
            5 => Self::ResetUnseen,
            6 => Self::BlackHole,
            7 => Self::HalfClose,
            8 => Self::TlsGarbage,
            9 => Self::Continue,
            10 => Self::Informational(within(random, 1_000)),
            KINDS.. => return None,
        })
    }
}
