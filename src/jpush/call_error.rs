//! Why a check got no answer.
//!
//! What can be done about it hangs on one question: can JPush have seen the check? If not, it may be tried again; if
//! so, the token may be spent, and a second try would turn an outage into a false "no".

use std::{error::Error, fmt, io};

use hyper_util::client::legacy;

use super::{BoxError, sandboxed};
use crate::exhaustion::{self, Exhausted};

/// A check that got no answer that can be read.
///
/// `Display` is in our words. The source is the dialling's own error (DNS, TCP, TLS), the kind of a broken
/// connection's `io::Error`, or, of a transport of the user's own, its error as it came; never anything of a reply.
pub struct CallError {
    kind: Kind,
    source: Option<BoxError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// DNS, TCP or TLS failed.
    Connect,
    /// DNS, TCP and TLS together took too long.
    ConnectTimeout,
    /// The transport was never ready.
    NotReady,
    /// The call took too long.
    Timeout,
    /// The call broke off.
    Transport,
    /// A reply came, and cannot be believed.
    Reply(BadReply),
}

/// What is wrong with a reply. None of it is worth telling apart for a program; a person wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadReply {
    /// More than the limit, or more empty frames than anybody needs.
    TooLarge,
    /// The connection ended inside of it.
    Incomplete,
    /// No JSON object with one integer `code`.
    Unreadable,
    /// It carries another check's `exID`.
    SomebodyElses,
    /// A pass under a status that is no success.
    PassWithoutSuccess,
    /// A 5xx whose code nobody knows.
    ServerError,
    /// A pass that does not repeat the check's `exID`, where that is required.
    WithoutExId,
}

/// Dialling took longer than its timeout.
#[derive(Debug)]
pub(super) struct DialTimeout;

// === impl CallError ===

impl CallError {
    /// Whether time ran out: while connecting, or while waiting for the reply.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, Kind::ConnectTimeout | Kind::Timeout)
    }

    /// Whether no connection came about: DNS, TCP or TLS.
    pub fn is_connect(&self) -> bool {
        matches!(self.kind, Kind::Connect | Kind::ConnectTimeout)
    }

    /// Whether JPush cannot have seen the check, so that its token is unspent. `false` when in doubt.
    pub fn nothing_sent(&self) -> bool {
        matches!(self.kind, Kind::Connect | Kind::ConnectTimeout | Kind::NotReady)
    }

    /// Whether this process or machine lacked something: file descriptors, ports, buffers, memory, threads.
    ///
    /// Clients can bring that about, so the layer answers it as overload and never takes it for an outage.
    pub fn is_exhausted(&self) -> bool {
        exhaustion::is_exhausted(self)
    }

    pub(super) fn timeout() -> Self {
        Self { kind: Kind::Timeout, source: None }
    }

    pub(super) fn not_ready(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(ours) => *ours,
            Err(foreign) => Self { kind: Kind::NotReady, source: Some(foreign) },
        }
    }

    pub(super) fn reply(problem: BadReply) -> Self {
        Self { kind: Kind::Reply(problem), source: None }
    }

    /// A reply that broke off. What broke may carry the peer's words, so it goes no further.
    pub(super) fn broken_reply(error: &(dyn Error + 'static)) -> Self {
        Self { kind: Kind::Reply(BadReply::Incomplete), source: exhausted(error) }
    }

    /// Reads the error of any transport.
    ///
    /// Only the error itself is asked whether it is of connecting, never its sources: a transport that follows
    /// redirects or tries again by itself may have sent the check and then failed to connect elsewhere.
    pub(super) fn transport(error: BoxError) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(ours) => return *ours,
            Err(error) => error,
        };
        match error.downcast::<legacy::Error>() {
            Ok(error) => Self::client(*error),
            Err(foreign) if sandboxed::is_refused(&*foreign) => Self { kind: Kind::Connect, source: Some(foreign) },
            Err(foreign) if chain(&*foreign).any(is_elapsed) => Self { kind: Kind::Timeout, source: Some(foreign) },
            Err(foreign) => Self { kind: Kind::Transport, source: Some(foreign) },
        }
    }

    /// Reads the error of hyper-util's client, whose `is_connect` is: the connector failed, or the pool gave no
    /// connection. In both cases no request was handed to a connection.
    pub(super) fn client(error: legacy::Error) -> Self {
        if error.is_connect() {
            let late = chain(&error).any(<dyn Error>::is::<DialTimeout>);
            let kind = if late { Kind::ConnectTimeout } else { Kind::Connect };
            return Self { kind, source: Some(Box::new(error)) };
        }
        // Past this point the peer may have written into the error (HTTP/2's debug data), so only its kind goes on.
        let broken = chain(&error).find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind);
        let late = broken == Some(io::ErrorKind::TimedOut);
        let kind = if late { Kind::Timeout } else { Kind::Transport };
        Self { kind, source: exhausted(&error).or_else(|| broken.map(|kind| io::Error::from(kind).into())) }
    }
}

/// The exhaustion among an error's sources, without their words.
fn exhausted(error: &(dyn Error + 'static)) -> Option<BoxError> {
    exhaustion::is_exhausted(error).then(|| Exhausted::bare().into())
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn is_elapsed(error: &(dyn Error + 'static)) -> bool {
    error.is::<tokio::time::error::Elapsed>()
        || error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
        || error.is::<tower::timeout::error::Elapsed>()
}

impl CallError {
    /// Whether JPush could not be reached: no connection came about, and not for want of something here.
    ///
    /// Nothing after a connection is an outage: what a client put into its token may be why the connection broke, or why no
    /// answer came. A transport that was not ready may have a limit that clients can reach.
    pub(crate) fn is_outage(&self) -> bool {
        match self.kind {
            Kind::Connect | Kind::ConnectTimeout => !self.is_exhausted(),
            Kind::NotReady | Kind::Timeout | Kind::Transport | Kind::Reply(_) => false,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Connect => "no connection to JPush",
            Kind::ConnectTimeout => "no connection to JPush in time",
            Kind::NotReady => "the transport to JPush was not ready",
            Kind::Timeout => "no answer of JPush in time",
            Kind::Transport => "the call to JPush broke off",
            Kind::Reply(BadReply::TooLarge) => "a reply beyond 64 KiB",
            Kind::Reply(BadReply::Incomplete) => "a reply that broke off",
            Kind::Reply(BadReply::Unreadable) => "a reply that is no JSON object with an integer code",
            Kind::Reply(BadReply::SomebodyElses) => "a reply to another check",
            Kind::Reply(BadReply::PassWithoutSuccess) => "a pass under a status that is no success",
            Kind::Reply(BadReply::ServerError) => "a server error without a known code",
            Kind::Reply(BadReply::WithoutExId) => "a pass without the check's exID",
        })
    }
}

impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallError").field("kind", &self.kind).field("source", &self.source).finish()
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

// === impl DialTimeout ===

impl fmt::Display for DialTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DNS, TCP and TLS took too long")
    }
}

impl Error for DialTimeout {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn towers_and_tokios_elapsed_are_timeouts_and_count_as_sent() {
        let tower: BoxError = Box::new(tower::timeout::error::Elapsed::new());
        let io: BoxError = Box::new(io::Error::from(io::ErrorKind::TimedOut));
        for error in [tower, io].map(CallError::transport) {
            assert!(error.is_timeout() && !error.nothing_sent() && !error.is_connect(), "{error:?}");
        }
    }

    #[test]
    fn a_connect_error_inside_a_foreign_one_is_no_proof_that_nothing_was_sent() {
        let refused: BoxError = Box::new(io::Error::from(io::ErrorKind::ConnectionRefused));
        let error = CallError::transport(refused);
        assert!(!error.nothing_sent() && !error.is_connect() && !error.is_timeout());
    }

    #[test]
    fn our_own_error_comes_through_other_layers_as_it_was() {
        let ours = CallError { kind: Kind::ConnectTimeout, source: None };
        let error = CallError::transport(Box::new(ours));
        assert!(error.nothing_sent() && error.is_connect() && error.is_timeout());
    }
}
