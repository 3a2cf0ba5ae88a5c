//! Why a body was not read.

use std::{any::Any, error::Error, io};

use http_body_util::LengthLimitError;
use tower::BoxError;

use super::budget::Crowded;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    TooLarge,
    TooSlow,
    /// The client's deadline has passed.
    GivenUp,
    /// Too many empty frames.
    Empty,
    /// The client's side failed: an abort, a cut chunk, a reset.
    Broken,
    /// The body panicked.
    Panicked,
    /// A layer outside of this one limits bodies, and this body is longer.
    LimitedOutside,
    /// All bodies together have reached the limit.
    Crowded,
}

/// Returns what the error of a body means: a limit outside of the layer, or a client that broke off. `Body::Error` has no
/// bound, so that every body can be guarded. The sources are searched in the error types that bodies have in practice: a
/// boxed error (`http_body_util::Limited`, which tower-http's `RequestBodyLimitLayer` puts around a body),
/// `std::io::Error`, and axum's and tonic's errors, if these features are enabled.
#[cold]
pub(super) fn reason(error: &dyn Any) -> ReadError {
    if as_error(error).is_some_and(is_of_a_limit) { ReadError::LimitedOutside } else { ReadError::Broken }
}

fn as_error(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref::<BoxError>() {
        return Some(&**error);
    }
    #[cfg(feature = "axum")]
    if let Some(error) = error.downcast_ref::<axum::Error>() {
        return Some(error);
    }
    #[cfg(feature = "tonic")]
    if let Some(error) = error.downcast_ref::<tonic::Status>() {
        return Some(error);
    }
    let io = error.downcast_ref::<io::Error>().map(|error| error as &(dyn Error + 'static));
    io.or_else(|| error.downcast_ref::<LengthLimitError>().map(|error| error as &(dyn Error + 'static)))
}

/// Whether an error or one of its sources is a `LengthLimitError`.
fn is_of_a_limit(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        // `io::Error::source` skips the error that it wraps.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if error.is::<LengthLimitError>() || wrapped.is_some_and(|wrapped| is_of_a_limit(wrapped)) {
            return true;
        }
        next = error.source();
    }
    false
}

// === impl ReadError ===

impl ReadError {
    /// Whether the body itself failed. The body then has no further frames.
    pub(crate) fn is_of_the_body(self) -> bool {
        matches!(self, Self::Broken | Self::LimitedOutside | Self::Panicked)
    }
}

impl From<Crowded> for ReadError {
    fn from(Crowded: Crowded) -> Self {
        Self::Crowded
    }
}
