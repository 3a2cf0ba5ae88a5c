//! What an answer, or a missing answer, says about the service behind a verifier.

/// What one check says about the health of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// The service answered. A rejection also comes from a healthy service.
    Well,
    /// The connection failed or was reset, or the service reported an internal failure.
    Failed,
    /// There was no answer in time. This is significant only for a check that had enough time.
    TimedOut,
    /// The answer cannot be read; the client's input may be the reason.
    Garbled,
    /// Unknown: the check was refused in this process, or the error is not recognised.
    Unknown,
}
