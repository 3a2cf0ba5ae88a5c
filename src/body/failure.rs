//! The failure of a body. It is kept with the bytes before it, so that the application gets both.

use std::{
    any::Any,
    io,
    panic::resume_unwind,
    sync::{Mutex, PoisonError},
};

use http_body_util::LengthLimitError;
use tower::BoxError;

/// The failure that ended a body early. Without it, the bytes before it would look like a complete body.
pub(super) struct Failure(How);

enum How {
    /// The mutex is never locked. It makes the body `Sync`, even if its error is not.
    Error(Mutex<Box<dyn Any + Send>>),
    Panic(Mutex<Box<dyn Any + Send>>),
    /// The error has been passed on: the body is over.
    PassedOn,
    /// The panic has been passed on. A body that panicked is never over: its bytes would look like a complete body.
    Panicked,
}

// === impl Failure ===

impl Failure {
    /// `None` if the type of the error is not known to be `Send`, because `Body::Error` has no bound. Known types: boxed errors, those of
    /// `std::io`, hyper (feature `client`), axum and tonic, and that of a length limit.
    pub(super) fn of_error<E: 'static>(error: E) -> Option<Self> {
        let mut error = Some(error);
        let known = moved::<E, BoxError>(&mut error)
            .or_else(|| moved::<E, io::Error>(&mut error))
            .or_else(|| moved::<E, LengthLimitError>(&mut error));
        #[cfg(feature = "client")]
        let known = known.or_else(|| moved::<E, hyper::Error>(&mut error));
        #[cfg(feature = "axum")]
        let known = known.or_else(|| moved::<E, axum::Error>(&mut error));
        #[cfg(feature = "tonic")]
        let known = known.or_else(|| moved::<E, tonic::Status>(&mut error));
        known.map(|error| Self(How::Error(Mutex::new(error))))
    }

    pub(super) fn of_panic(panic: Box<dyn Any + Send>) -> Self {
        Self(How::Panic(Mutex::new(panic)))
    }

    /// Returns the error once. Panics if the body panicked: first with its payload, and each time.
    pub(super) fn pass_on<E: 'static>(&mut self) -> Option<E> {
        let then = if matches!(self.0, How::Panic(_) | How::Panicked) { How::Panicked } else { How::PassedOn };
        match std::mem::replace(&mut self.0, then) {
            How::Error(error) => {
                let error: Box<dyn Any> = error.into_inner().unwrap_or_else(PoisonError::into_inner);
                error.downcast().ok().map(|error| *error)
            }
            How::Panic(panic) => resume_unwind(panic.into_inner().unwrap_or_else(PoisonError::into_inner)),
            How::Panicked => resume_unwind(Box::new("a body that has panicked is polled again")),
            How::PassedOn => None,
        }
    }

    pub(super) fn is_passed_on(&self) -> bool {
        matches!(self.0, How::PassedOn)
    }
}

/// Moves the error out, if it is of this type.
fn moved<E: 'static, T: Send + 'static>(error: &mut Option<E>) -> Option<Box<dyn Any + Send>> {
    let error = (error as &mut dyn Any).downcast_mut::<Option<T>>()?.take()?;
    Some(Box::new(error))
}
