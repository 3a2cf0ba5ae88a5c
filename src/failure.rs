//! Interprets the error of a verifier.
//!
//! A verifier may be any service that answers checks, with Tower's layers around it, so its error is a `BoxError`. This
//! file recognises, among its sources, [`CallError`], Tower's and Tokio's timeouts, Tower's `LoadShed`, and exhaustion of
//! this process. Everything else is [`Class::Unknown`]: the check may have been sent, and no policy opens for it.

use std::{borrow::Cow, error::Error};

use tower::load_shed::error::Overloaded;

use crate::{
    call_error::{CallError, Kind},
    check_kind::CheckKind,
    exhaustion::is_exhausted,
    health::Health,
    verdict::{Class, Verdict},
};

/// Why a check has no verdict.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) class: Class,
    /// The service could not be reached, and nothing was sent to it. A later failure is never an outage: a proxy in front
    /// of the service may answer, or not answer, because of the client's input.
    pub(crate) is_outage: bool,
    /// The check was certainly not sent. `false` when in doubt.
    pub(crate) nothing_sent: bool,
    /// A limit sheds load, or this process lacks what a call needs. Clients can cause this, so it is never an outage.
    pub(crate) is_overload: bool,
    pub(crate) cause: Cow<'static, str>,
    pub(crate) retry_after: Option<u32>,
    pub(crate) health: Health,
}

// === impl Failure ===

impl Failure {
    /// Reads the error of a verifier.
    ///
    /// Only the error itself can be an outage, never one of its sources: an error that wraps ours may come from a second
    /// try, and a broken `Buffer` returns its first error for all later calls.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        if chain(error).any(<dyn Error>::is::<Overloaded>) {
            let nothing_sent = error.is::<Overloaded>();
            return Self { nothing_sent, is_overload: true, ..Self::new(Class::Unavailable, "overloaded") };
        }
        if is_exhausted(error) {
            let nothing_sent = error.downcast_ref::<CallError>().is_some_and(CallError::nothing_sent);
            return Self {
                nothing_sent,
                is_overload: true,
                ..Self::new(Class::Unavailable, "this process lacks resources")
            };
        }
        let known = chain(error).find_map(|source| source.downcast_ref::<CallError>());
        if let Some(known) = known {
            let is_itself = error.is::<CallError>();
            return Self {
                is_outage: is_itself && known.is_outage(),
                nothing_sent: is_itself && known.nothing_sent(),
                is_overload: known.kind() == Kind::Overloaded,
                retry_after: known.retry_after(),
                health: health_of(known.kind()),
                ..Self::new(class_of(known.kind()), known.words())
            };
        }
        if chain(error).any(is_elapsed) {
            return Self::timeout();
        }
        Self::new(Class::Unknown, "an unknown error")
    }

    /// No answer within a deadline.
    pub(crate) fn timeout() -> Self {
        Self { health: Health::TimedOut, ..Self::new(Class::Unavailable, "timeout") }
    }

    /// Too little time was left to start.
    pub(crate) fn too_late() -> Self {
        Self { nothing_sent: true, ..Self::new(Class::Unavailable, "timeout") }
    }

    /// The verifier panicked.
    pub(crate) fn panic() -> Self {
        Self::new(Class::Unavailable, "a panic")
    }

    /// A verdict that answers another kind of check.
    pub(crate) fn other_kind() -> Self {
        Self::new(Class::Unavailable, "a verdict on another kind of check")
    }

    fn new(class: Class, cause: impl Into<Cow<'static, str>>) -> Self {
        Self {
            class,
            is_outage: false,
            nothing_sent: false,
            is_overload: false,
            cause: cause.into(),
            retry_after: None,
            health: Health::Unknown,
        }
    }

    /// Converts to the verdict of the check.
    pub(crate) fn verdict(self, kind: CheckKind) -> Verdict {
        let verdict = Verdict::new(kind, self.class)
            .unanswered(self.cause, self.nothing_sent, self.is_outage)
            .with_health(self.health);
        match self.retry_after {
            Some(seconds) => verdict.with_retry_after(seconds),
            None => verdict,
        }
    }
}

fn health_of(kind: Kind) -> Health {
    match kind {
        Kind::NoConnection | Kind::NoConnectionInTime | Kind::Broken | Kind::Failed => Health::Failed,
        Kind::Timeout => Health::TimedOut,
        Kind::Unreadable => Health::Garbled,
        // A sender that was not ready may have a limit that clients can reach.
        Kind::NotReady | Kind::Overloaded => Health::Unknown,
    }
}

fn class_of(kind: Kind) -> Class {
    match kind {
        Kind::NoConnection
        | Kind::NoConnectionInTime
        | Kind::NotReady
        | Kind::Overloaded
        | Kind::Timeout
        | Kind::Broken
        | Kind::Failed => Class::Unavailable,
        Kind::Unreadable => Class::Unreadable,
    }
}

/// Whether this error itself is Tower's or Tokio's timeout.
pub(crate) fn is_elapsed(error: &(dyn Error + 'static)) -> bool {
    error.is::<tokio::time::error::Elapsed>() || error.is::<tower::timeout::error::Elapsed>()
}

/// An error and its sources.
pub(crate) fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;
    use crate::exhaustion::tests::Wraps;

    #[test]
    fn what_a_verifier_says_of_itself_is_read() {
        type Read = (Class, bool, bool, bool, &'static str);
        let read = |error: CallError| {
            let failure = Failure::of(&error);
            let shown = (failure.class, failure.is_outage, failure.nothing_sent, failure.is_overload);
            (shown, failure.cause.into_owned())
        };
        // Class, outage, nothing sent, overload, cause.
        let table: [(CallError, Read); 8] = [
            (
                CallError::no_connection("dns error"),
                (Class::Unavailable, true, true, false, "no connection: dns error"),
            ),
            (CallError::no_connection_in_time(), (Class::Unavailable, true, true, false, "no connection: timeout")),
            (CallError::not_ready(), (Class::Unavailable, false, true, false, "not ready")),
            (CallError::overloaded(), (Class::Unavailable, false, true, true, "overloaded")),
            (CallError::timeout(), (Class::Unavailable, false, false, false, "timeout")),
            (CallError::broken("reset"), (Class::Unavailable, false, false, false, "reset")),
            (CallError::failed("http status 502"), (Class::Unavailable, false, false, false, "http status 502")),
            (CallError::unreadable("not JSON"), (Class::Unreadable, false, false, false, "not JSON")),
        ];
        for (error, (class, is_outage, nothing_sent, is_overload, cause)) in table {
            assert_eq!(read(error), ((class, is_outage, nothing_sent, is_overload), cause.to_owned()));
        }
    }

    #[test]
    fn an_outage_among_the_sources_of_another_error_does_not_count_and_its_cause_is_kept() {
        for error in [
            Failure::of(&Wraps(CallError::no_connection("dns error"))),
            Failure::of(&Wraps(Wraps(CallError::no_connection("dns error")))),
        ] {
            assert!(!error.is_outage && !error.nothing_sent, "{error:?}");
            assert_eq!((error.class, &*error.cause), (Class::Unavailable, "no connection: dns error"));
        }
        let unreadable = Failure::of(&Wraps(CallError::unreadable("not JSON").with_retry_after(7)));
        assert_eq!((unreadable.class, unreadable.retry_after), (Class::Unreadable, Some(7)));
    }

    #[test]
    fn what_is_not_known_is_unknown_and_no_outage() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        for failure in [Failure::of(&fmt::Error), Failure::of(&refused), Failure::of(&Wraps(refused))] {
            assert_eq!(failure, Failure::new(Class::Unknown, "an unknown error"));
        }
    }

    #[test]
    fn towers_and_tokios_own_errors_are_known_wherever_they_are_wrapped() {
        let elapsed = tower::timeout::error::Elapsed::new;
        for failure in [Failure::of(&elapsed()), Failure::of(&Wraps(elapsed()))] {
            assert_eq!(failure, Failure::timeout());
        }
        for failure in [Failure::of(&Overloaded::new()), Failure::of(&Wraps(Overloaded::new()))] {
            assert!(failure.is_overload && !failure.is_outage, "{failure:?}");
        }
        // This process lacks a resource: an outage that clients may have caused.
        let lacking = CallError::no_connection("tcp error").with_source(std::io::Error::from_raw_os_error(24));
        assert!(Failure::of(&lacking).is_overload && !Failure::of(&lacking).is_outage);
    }
}
