//! What an answer, or its absence, says about the service behind a verifier.

/// What one check says about the health of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// The service answered. Also a definite no comes from a healthy service.
    Well,
    /// No connection, a reset, or an answer that says that the service has trouble of its own.
    Failed,
    /// No answer came in time. It says something only about a check that had enough time.
    TimedOut,
    /// An answer came that cannot be read: what a client sent may be the reason.
    Garbled,
    /// Nothing: the check was refused here, or the error is not known.
    Unknown,
}
