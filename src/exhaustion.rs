//! Recognises errors of a process or machine that ran out of a resource.
//!
//! A client can use up a server's file descriptors, ports or memory: idle connections are enough. The next connection to
//! JPush then fails as in an outage of JPush. If a policy opened for that, a client could switch the verification off. So
//! the JPush client and the layer both treat exhaustion as overload, with the functions of this file.

use std::{
    error::Error,
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, UdpSocket},
    sync::Arc,
};

/// The number of sockets that [`lacks_sockets`] opens at the same time. A resolver opens several files and sockets for one
/// name, so a process that can open one socket may still be unable to resolve.
const SOCKETS: usize = 8;

/// `EMFILE` and `ENFILE` (23, 24 on every Unix) and `ENOBUFS`: the errors without a stable [`io::ErrorKind`].
#[cfg(unix)]
const CODES: &[i32] = &[23, 24, if cfg!(any(target_os = "linux", target_os = "android")) { 105 } else { 55 }];
/// `ERROR_TOO_MANY_OPEN_FILES`, `ERROR_NO_SYSTEM_RESOURCES`, `WSAEMFILE`, `WSAENOBUFS`, `WSAEPROCLIM`.
#[cfg(windows)]
const CODES: &[i32] = &[4, 1450, 10024, 10055, 10067];
#[cfg(not(any(unix, windows)))]
const CODES: &[i32] = &[];

/// The error of an operation that failed while this process was exhausted, regardless of its original error.
#[cfg_attr(not(feature = "client"), allow(dead_code))]
#[derive(Debug)]
pub(crate) struct Exhausted(Option<Box<dyn Error + Send + Sync>>);

/// Whether an error or one of its sources is exhaustion.
pub(crate) fn is_exhausted(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<Exhausted>() {
            return true;
        }
        let io = error.downcast_ref::<io::Error>().or_else(|| error.downcast_ref::<Arc<io::Error>>().map(|io| &**io));
        // `io::Error::source` skips the error that it wraps (`io::Error::other`, as hyper-rustls does).
        if io.is_some_and(|io| is_local(io) || io.get_ref().is_some_and(|inner| is_exhausted(inner))) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Whether this process cannot open new sockets. A resolver without file descriptors returns "name or service not known"
/// without an error code: call this directly after a connection has failed.
#[cfg_attr(not(feature = "client"), allow(dead_code))]
pub(crate) fn lacks_sockets() -> bool {
    let socket = || {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).or_else(|v4| match v4.kind() {
            // A machine without IPv4.
            io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable => UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)),
            _ => Err(v4),
        })
    };
    // All at the same time: collected sockets stay open.
    (0..SOCKETS).map(|_| socket()).collect::<Result<Vec<_>, _>>().is_err()
}

fn is_local(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, OutOfMemory, StorageFull, WouldBlock};
    // `EAGAIN`: no thread could be started, or `connect` found no free port. `ENOSPC`: epoll's limit of watches.
    matches!(error.kind(), OutOfMemory | AddrNotAvailable | WouldBlock | StorageFull)
        || error.raw_os_error().is_some_and(|code| CODES.contains(&code))
}

// === impl Exhausted ===

#[cfg(feature = "client")]
impl Exhausted {
    /// Wraps an error that occurred while the process was exhausted.
    pub(crate) fn with(source: Box<dyn Error + Send + Sync>) -> Self {
        Self(Some(source))
    }

    /// Without the error, which may contain text from a peer.
    pub(crate) fn bare() -> Self {
        Self(None)
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this process ran out of file descriptors, ports or memory")
    }
}

impl Error for Exhausted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An error around another.
    #[derive(Debug)]
    pub(crate) struct Wraps<E>(pub(crate) E);

    impl<E: fmt::Debug> fmt::Display for Wraps<E> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("wraps")
        }
    }

    impl<E: Error + 'static> Error for Wraps<E> {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn each_local_limit_is_found_wherever_it_is_wrapped() {
        // EAGAIN, ENOMEM, ENFILE, EMFILE, ENOSPC, EADDRNOTAVAIL, ENOBUFS.
        for code in [11, 12, 23, 24, 28, 99, 105] {
            let io = || io::Error::from_raw_os_error(code);
            assert!(is_exhausted(&io()), "{code}");
            assert!(is_exhausted(&Wraps(Wraps(io()))), "{code}");
            assert!(is_exhausted(&io::Error::other(io())), "{code}: inside of another io::Error");
            assert!(is_exhausted(&io::Error::other(Wraps(io::Error::other(io())))), "{code}");
            assert!(is_exhausted(&Wraps(Arc::new(io()))), "{code}: shared");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_other_side_does_is_not_a_local_limit() {
        // EPERM, EACCES, ECONNABORTED, ECONNRESET, ETIMEDOUT, ECONNREFUSED, EHOSTUNREACH, ENETUNREACH.
        for code in [1, 13, 103, 104, 110, 111, 113, 101] {
            assert!(!is_exhausted(&io::Error::other(Wraps(io::Error::from_raw_os_error(code)))), "{code}");
        }
        assert!(!is_exhausted(&fmt::Error));
    }

    #[test]
    fn a_process_with_room_can_make_sockets() {
        assert!(!lacks_sockets());
    }
}
