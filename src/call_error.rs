//! Why a check has no answer, in words that belong to no vendor.
//!
//! What can be done about it depends on one question: can anybody have seen the check? If not, it may be tried again, and a
//! policy may open for the outage. If so, the token may be spent: a second try would turn an outage into a false "no", and what
//! a client sent may be why there is no answer.

use std::{borrow::Cow, error::Error, fmt};

use crate::exhaustion;

/// The error of a verifier: a check has no answer that can be read.
///
/// [`JPush`](crate::JPush) returns it, and so may any other verifier, to say what the layer must know: whether anything was
/// sent, whether that is an outage, and the cause in words. The layer reads every other error as
/// [`Class::Unknown`](crate::Class::Unknown), which no policy opens for. Tower's `Timeout` and `LoadShed` around a verifier are
/// known to the layer.
///
/// `Display` and [`CallError::cause`] are written to the log: they contain nothing of a reply. The source is the transport's own
/// error, where one was kept. Neither the words nor the sources are stable.
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

/// What happened, as far as it makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No connection came about, so nothing was sent.
    NoConnection,
    /// The same: it took too long.
    NoConnectionInTime,
    /// What sends was never ready, so nothing was sent. A limit may be the reason, and clients may have reached it.
    NotReady,
    /// A limit of the verifier's own is reached, so nothing was sent.
    Overloaded,
    /// No answer came in time.
    Timeout,
    /// The call broke off.
    Broken,
    /// An answer came, and says that the service has trouble of its own.
    Failed,
    /// An answer came, and cannot be believed.
    Unreadable,
}

type BoxError = Box<dyn Error + Send + Sync>;

// === impl CallError ===

impl CallError {
    /// No connection came about (DNS, TCP, TLS), so that nothing was sent: an outage.
    ///
    /// **Danger:** a policy may open for it. Use this only where no part of the check can have left this process, in this try
    /// and in every try before it.
    ///
    /// `cause` is our own short text, such as `dns error`. It is written to the log, so it contains nothing of a request.
    pub fn no_connection(cause: impl fmt::Display) -> Self {
        Self::new(Kind::NoConnection, format!("no connection: {cause}"))
    }

    /// The same, because connecting took too long.
    ///
    /// **Danger:** see [`CallError::no_connection`].
    pub fn no_connection_in_time() -> Self {
        Self::new(Kind::NoConnectionInTime, "no connection: timeout")
    }

    /// What would have sent the check was not ready. Nothing was sent, and yet it is no outage: clients can fill a limit.
    pub fn not_ready() -> Self {
        Self::new(Kind::NotReady, "not ready")
    }

    /// A limit of the verifier's own is reached, and nothing was sent: the client is answered as when `in_flight` is full.
    pub fn overloaded() -> Self {
        Self::new(Kind::Overloaded, "overloaded")
    }

    /// No answer came in time. The check may have been seen.
    pub fn timeout() -> Self {
        Self::new(Kind::Timeout, "timeout")
    }

    /// The call broke off. The check may have been seen. `cause` as in [`CallError::no_connection`].
    pub fn broken(cause: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Broken, cause)
    }

    /// The service answered that it has trouble of its own, such as `http status 502`.
    pub fn failed(cause: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Failed, cause)
    }

    /// An answer came that cannot be read or believed, such as `not JSON`: [`Class::Unreadable`](crate::Class::Unreadable).
    pub fn unreadable(cause: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unreadable, cause)
    }

    fn new(kind: Kind, cause: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, cause: cause.into(), retry_after: None, source: None }
    }

    /// When to try again, in seconds: the client gets it as `Retry-After`. Default: not known.
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The error that caused it. Default: none.
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether time ran out: while connecting, or while waiting for the reply.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, Kind::NoConnectionInTime | Kind::Timeout)
    }

    /// Whether no connection came about: DNS, TCP or TLS.
    pub fn is_connect(&self) -> bool {
        matches!(self.kind, Kind::NoConnection | Kind::NoConnectionInTime)
    }

    /// Whether the check was certainly not sent, so that its token is unspent. `false` when in doubt.
    pub fn nothing_sent(&self) -> bool {
        matches!(self.kind, Kind::NoConnection | Kind::NoConnectionInTime | Kind::NotReady | Kind::Overloaded)
    }

    /// Whether this process or machine lacked something: file descriptors, ports, buffers, memory, threads.
    ///
    /// Clients can bring that about, so the layer answers it as overload and never takes it for an outage.
    pub fn is_exhausted(&self) -> bool {
        exhaustion::is_exhausted(self)
    }

    /// The cause in a few words, for the log: `no connection: dns error`, `timeout`, `http status 404`, `not JSON`.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// When to try again, in seconds, where it is known.
    pub fn retry_after(&self) -> Option<u32> {
        self.retry_after
    }

    /// Whether the service could not be reached: no connection came about, and not for want of something here.
    ///
    /// Nothing after a connection is an outage: what a client put into its token may be why the connection broke, or why no
    /// answer came. A transport that was not ready may have a limit that clients can reach.
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
