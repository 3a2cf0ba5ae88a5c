//! The vendor-independent error for a check without an answer.
//!
//! The right reaction depends on one question: can the service have seen the check? If not, the check may be retried, and a
//! policy may open for the outage. If so, the token may be spent: a retry would turn an outage into a false rejection, and
//! the client's input may be the reason for the missing answer.

use std::{borrow::Cow, error::Error, fmt};

use crate::exhaustion;

/// A verifier's error: a check has no readable answer.
///
/// [`JPush`](crate::JPush) returns it, and other verifiers may return it. It reports what the layer needs: whether anything
/// was sent, whether this is an outage, and the cause as text. The layer treats every other error as
/// [`Class::Unknown`](crate::Class::Unknown), for which no policy opens. The layer recognises the errors of Tower's
/// `Timeout` and `LoadShed` around a verifier.
///
/// `Display` and [`CallError::cause`] are written to the log and contain no part of a reply. The source is the transport's
/// error, if there is one. Neither the texts nor the sources are stable.
///
/// ```
/// use tower_jverify::CallError;
///
/// let error = CallError::no_connection("dns error");
/// assert!(error.is_connect() && error.nothing_sent());
/// assert_eq!(error.cause(), "no connection: dns error");
///
/// let error = CallError::unreadable("http status 404");
/// assert!(!error.nothing_sent());
/// ```
pub struct CallError {
    kind: Kind,
    cause: Cow<'static, str>,
    retry_after: Option<u32>,
    source: Option<BoxError>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Connecting failed, so nothing was sent.
    NoConnection,
    /// Connecting took too long, so nothing was sent.
    NoConnectionInTime,
    /// The sender was never ready, so nothing was sent. The reason may be a limit that clients have reached.
    NotReady,
    /// The verifier reached one of its limits, so nothing was sent.
    Overloaded,
    /// No answer came in time.
    Timeout,
    /// The call broke off.
    Broken,
    /// The service answered that it has an internal failure.
    Failed,
    /// There was an answer, but it cannot be trusted.
    Unreadable,
}

type BoxError = Box<dyn Error + Send + Sync>;

// === impl CallError ===

impl CallError {
    /// Returns the error for a failed connection (DNS, TCP, TLS). Nothing was sent: an outage.
    ///
    /// **Danger:** a policy may open for it. Use this only if no part of the check can have left this process, in this try
    /// and in every earlier one.
    ///
    /// `cause` is a short text, such as `dns error`. It is written to the log, so it must not contain any part of a
    /// request.
    pub fn no_connection(cause: impl fmt::Display) -> Self {
        Self::new(Kind::NoConnection, format!("no connection: {cause}"))
    }

    /// Returns the error for a connection that took too long. Nothing was sent: an outage.
    ///
    /// **Danger:** see [`CallError::no_connection`].
    pub fn no_connection_in_time() -> Self {
        Self::new(Kind::NoConnectionInTime, "no connection: timeout")
    }

    /// Returns the error for a sender that was not ready. Nothing was sent, but this is not an outage, because clients can
    /// fill a limit.
    pub fn not_ready() -> Self {
        Self::new(Kind::NotReady, "not ready")
    }

    /// Returns the error for a verifier that reached one of its limits. Nothing was sent; the client gets the same answer
    /// as when `in_flight` is full.
    pub fn overloaded() -> Self {
        Self::new(Kind::Overloaded, "overloaded")
    }

    /// Returns the error for an answer that did not arrive in time. The service may have seen the check.
    pub fn timeout() -> Self {
        Self::new(Kind::Timeout, "timeout")
    }

    /// Returns the error for a connection that broke during the call. The service may have seen the check. `cause` as in
    /// [`CallError::no_connection`].
    pub fn broken(cause: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Broken, cause)
    }

    /// Returns the error for an internal failure of the service, such as `http status 502`.
    pub fn failed(cause: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Failed, cause)
    }

    /// Returns the error for an answer that cannot be read or trusted, such as `not JSON`:
    /// [`Class::Unreadable`](crate::Class::Unreadable).
    pub fn unreadable(cause: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unreadable, cause)
    }

    fn new(kind: Kind, cause: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, cause: cause.into(), retry_after: None, source: None }
    }

    /// Sets when to try again, in seconds: the client's `Retry-After`. Default: unknown.
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Sets the error that caused this one. Default: none.
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether time ran out: while connecting, or while waiting for the reply.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, Kind::NoConnectionInTime | Kind::Timeout)
    }

    /// Whether the connection failed: DNS, TCP or TLS.
    pub fn is_connect(&self) -> bool {
        matches!(self.kind, Kind::NoConnection | Kind::NoConnectionInTime)
    }

    /// Whether the check was certainly not sent, so that its token is unspent. `false` when in doubt.
    pub fn nothing_sent(&self) -> bool {
        matches!(self.kind, Kind::NoConnection | Kind::NoConnectionInTime | Kind::NotReady | Kind::Overloaded)
    }

    /// Whether this process or machine lacked something: file descriptors, ports, buffers, memory, threads.
    ///
    /// Clients can cause this, so the layer answers it as overload and never treats it as an outage.
    pub fn is_exhausted(&self) -> bool {
        exhaustion::is_exhausted(self)
    }

    /// The cause, for the log: `no connection: dns error`, `timeout`, `http status 404`, `not JSON`.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// When to try again, in seconds, if it is known.
    pub fn retry_after(&self) -> Option<u32> {
        self.retry_after
    }

    /// Whether the service could not be reached: the connection failed, and not because this process or machine lacked
    /// something.
    ///
    /// A failure after connecting is never an outage, because the client's token may be the reason. A transport that was
    /// not ready may have a limit that clients can reach.
    pub(crate) fn is_outage(&self) -> bool {
        self.is_connect() && !self.is_exhausted()
    }

    pub(crate) fn words(&self) -> Cow<'static, str> {
        self.cause.clone()
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallError")
            .field("kind", &self.kind)
            .field("cause", &self.cause)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
