//! Converts the errors of transports, and replies that cannot be trusted, into a [`CallError`].

use std::{error::Error, fmt, io};

use http::StatusCode;
use hyper_util::client::legacy;

use super::{BoxError, sandboxed, wire::is_json};
use crate::{
    call_error::CallError,
    exhaustion::{self, Exhausted},
    failure::{chain, is_elapsed},
};

/// What is wrong with a reply. Programs do not distinguish these cases; the text is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadReply {
    /// Not a JSON object with one integer `code`.
    Unreadable,
    /// It has another check's `exID`.
    OtherCheck,
    /// A pass under a status other than 2xx.
    PassWithoutSuccess,
    /// A 5xx with an unknown code.
    ServerError,
    /// A pass that does not repeat the check's `exID`, although that is required.
    WithoutExId,
}

/// Dialling took longer than its timeout.
#[derive(Debug)]
pub(super) struct DialTimeout;

/// The host's name has no address, or the resolver does not answer.
#[derive(Debug)]
pub(super) struct DnsError(pub(super) BoxError);

/// The proxy opened no tunnel. Its answer is not passed on.
#[derive(Debug)]
pub(super) struct ProxyError {
    /// A short text for the log.
    pub(super) step: &'static str,
    pub(super) source: Option<BoxError>,
}

/// The transport was never ready.
pub(super) fn not_ready(error: BoxError) -> CallError {
    match error.downcast::<CallError>() {
        Ok(ours) => *ours,
        Err(foreign) => CallError::not_ready().with_source(foreign),
    }
}

/// A reply that cannot be trusted.
pub(super) fn bad_reply(problem: BadReply, status: StatusCode, body: &[u8]) -> CallError {
    let by_status = || format!("http status {}", status.as_u16());
    match problem {
        BadReply::ServerError => CallError::failed(by_status()),
        BadReply::PassWithoutSuccess if status.is_server_error() => CallError::failed(by_status()),
        BadReply::PassWithoutSuccess => CallError::unreadable(by_status()),
        BadReply::Unreadable if !status.is_success() => CallError::unreadable(by_status()),
        BadReply::Unreadable if !is_json(body) => CallError::unreadable("not JSON"),
        BadReply::Unreadable => CallError::unreadable("JSON without one integer code"),
        BadReply::OtherCheck => CallError::unreadable("a reply to another check"),
        BadReply::WithoutExId => CallError::unreadable("a pass without the check's exID"),
    }
}

/// A reply over the limit of bytes or of empty frames.
pub(super) fn large_reply() -> CallError {
    CallError::unreadable("a reply beyond 64 KiB")
}

/// A reply that broke off. Its error may contain the peer's text, so it is not passed on.
pub(super) fn broken_reply(error: &(dyn Error + 'static)) -> CallError {
    let broken = CallError::unreadable("a reply that broke off");
    match exhausted(error) {
        Some(exhausted) => broken.with_source(exhausted),
        None => broken,
    }
}

/// Reads the error of any transport.
///
/// Only the error itself shows whether connecting failed, never its sources: a transport that follows redirects or retries may
/// have sent the check and then failed to connect elsewhere.
pub(super) fn transport(error: BoxError) -> CallError {
    let error = match error.downcast::<CallError>() {
        Ok(ours) => return *ours,
        Err(error) => error,
    };
    match error.downcast::<legacy::Error>() {
        Ok(error) => client(*error),
        Err(foreign) if sandboxed::is_refused(&*foreign) => CallError::no_connection("refused").with_source(foreign),
        Err(foreign) if chain(&*foreign).any(is_timeout) => CallError::timeout().with_source(foreign),
        Err(foreign) => broken().with_source(foreign),
    }
}

/// Reads the error of hyper-util's client. Its `is_connect` means that the connector failed, or that the pool returned no
/// connection. In both cases no request was passed to a connection.
pub(super) fn client(error: legacy::Error) -> CallError {
    if error.is_connect() {
        return unconnected(error.into());
    }
    sent(&error)
}

/// Reads the error of a connection on which a request may have been sent.
pub(super) fn sent(error: &(dyn Error + 'static)) -> CallError {
    // The error may contain the peer's text (HTTP/2's debug data), so only its kind is passed on.
    let kind = chain(error).find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind);
    // The answer is not a reply of JPush. A firewall may have sent it because of the content of a proof, so it never counts as
    // an outage.
    let is_parse_error = |error: &(dyn Error + 'static)| error.downcast_ref().is_some_and(hyper::Error::is_parse);
    let ended = if chain(error).any(is_parse_error) {
        CallError::unreadable("not HTTP")
    } else {
        match kind {
            // Only rustls returns this kind: for a record that it cannot decrypt, and for a fatal alert.
            Some(io::ErrorKind::InvalidData) => CallError::unreadable("not TLS"),
            Some(io::ErrorKind::TimedOut) => CallError::timeout(),
            _ => broken(),
        }
    };
    match exhausted(error).or_else(|| kind.map(|kind| io::Error::from(kind).into())) {
        Some(source) => ended.with_source(source),
        None => ended,
    }
}

/// Reads the error of a failed dial.
pub(super) fn unconnected(error: BoxError) -> CallError {
    let unconnected = if chain(&*error).any(<dyn Error>::is::<DialTimeout>) {
        CallError::no_connection_in_time()
    } else {
        CallError::no_connection(step(&*error))
    };
    unconnected.with_source(error)
}

/// The connection ended without a reason.
pub(super) fn broken() -> CallError {
    CallError::broken("the connection broke off")
}

/// The step at which a dial failed.
fn step(error: &(dyn Error + 'static)) -> &'static str {
    let is_tls = |error: &(dyn Error + 'static)| {
        // The peer left during the handshake, or its answer is not a handshake.
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        error.is::<rustls::Error>() || matches!(kind, Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData))
    };
    if let Some(proxy) = chain(error).find_map(|error| error.downcast_ref::<ProxyError>()) {
        proxy.step
    } else if chain(error).any(<dyn Error>::is::<DnsError>) {
        "dns error"
    } else if any_within(error, &is_tls) {
        "tls"
    } else {
        "tcp error"
    }
}

/// The exhaustion among an error's sources, without their texts.
fn exhausted(error: &(dyn Error + 'static)) -> Option<BoxError> {
    exhaustion::is_exhausted(error).then(|| Exhausted::bare().into())
}

/// As [`chain`], including the error that an `io::Error` wraps, which its `source` omits.
fn any_within(error: &(dyn Error + 'static), is: &dyn Fn(&(dyn Error + 'static)) -> bool) -> bool {
    chain(error).any(|error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        is(error) || wrapped.is_some_and(|wrapped| any_within(wrapped, is))
    })
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    is_elapsed(error) || error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

// === impl DialTimeout ===

impl fmt::Display for DialTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DNS, TCP, proxy and TLS took too long")
    }
}

impl Error for DialTimeout {}

// === impl DnsError ===

impl fmt::Display for DnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name was not resolved")
    }
}

impl Error for DnsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

// === impl ProxyError ===

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.step)
    }
}

impl Error for ProxyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn towers_and_tokios_elapsed_are_timeouts_and_count_as_sent() {
        let tower: BoxError = Box::new(tower::timeout::error::Elapsed::new());
        let io: BoxError = Box::new(io::Error::from(io::ErrorKind::TimedOut));
        for error in [tower, io].map(transport) {
            assert!(error.is_timeout() && !error.nothing_sent() && !error.is_connect(), "{error:?}");
        }
    }

    #[test]
    fn a_connect_error_inside_a_foreign_one_does_not_prove_that_nothing_was_sent() {
        let refused: BoxError = Box::new(io::Error::from(io::ErrorKind::ConnectionRefused));
        let error = transport(refused);
        assert!(!error.nothing_sent() && !error.is_connect() && !error.is_timeout());
    }

    #[test]
    fn our_own_error_comes_through_other_layers_as_it_was() {
        let error = transport(Box::new(CallError::no_connection_in_time()));
        assert!(error.nothing_sent() && error.is_connect() && error.is_timeout());
    }

    #[test]
    fn the_cause_names_the_step_that_failed() {
        let tls = io::Error::other(io::Error::other(rustls::Error::DecryptError));
        for (error, cause) in [
            (Box::new(DnsError("no such host".into())) as Box<dyn Error>, "dns error"),
            (
                Box::new(ProxyError { step: "proxy dns error", source: Some(Box::new(DnsError("x".into()))) }),
                "proxy dns error",
            ),
            (Box::new(tls), "tls"),
            (Box::new(io::Error::from(io::ErrorKind::UnexpectedEof)), "tls"),
            (Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)), "tcp error"),
        ] {
            assert_eq!(step(&*error), cause, "{error:?}");
        }
    }

    #[test]
    fn a_reply_that_cannot_be_read_is_named_by_its_status_or_by_what_it_is_not() {
        for (problem, body, status, cause) in [
            (BadReply::Unreadable, "<html>", StatusCode::OK, "not JSON"),
            (BadReply::Unreadable, "", StatusCode::OK, "not JSON"),
            (BadReply::Unreadable, "<html>", StatusCode::NOT_FOUND, "http status 404"),
            (BadReply::Unreadable, "{}", StatusCode::FOUND, "http status 302"),
            (BadReply::Unreadable, r#"{"code":"9000"}"#, StatusCode::OK, "JSON without one integer code"),
            (BadReply::Unreadable, "[1]", StatusCode::OK, "JSON without one integer code"),
            (BadReply::ServerError, "<html>", StatusCode::BAD_GATEWAY, "http status 502"),
            (BadReply::PassWithoutSuccess, "{}", StatusCode::FOUND, "http status 302"),
            (BadReply::PassWithoutSuccess, "{}", StatusCode::BAD_GATEWAY, "http status 502"),
        ] {
            assert_eq!(bad_reply(problem, status, body.as_bytes()).cause(), cause);
        }
    }
}
