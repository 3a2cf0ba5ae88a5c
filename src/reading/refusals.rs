//! The refusals of requests that cannot be read.

use crate::proof::grpc::FrameError;
use crate::{
    body::{Crowded, DecodeError, ReadError},
    denial::{DenialReason, Refusal},
    proof::{MediaError, Unreadable},
};

// === impl Refusal ===

impl From<MediaError> for Refusal {
    fn from(error: MediaError) -> Self {
        match error {
            MediaError::UnsupportedType(part) => Self::new(DenialReason::UnsupportedMediaType).with_detail(part),
            MediaError::UnsupportedEncoding(part) => Self::new(DenialReason::UnsupportedEncoding).with_detail(part),
        }
    }
}

impl From<Unreadable> for Refusal {
    fn from(refusal: Unreadable) -> Self {
        match refusal {
            Unreadable::BodyMalformed(detail) => Self::new(DenialReason::BodyMalformed).with_detail(detail),
            Unreadable::ProofMalformed(detail) => Self::new(DenialReason::ProofMalformed).with_detail(detail),
            Unreadable::Suspicious(suspicion, detail) => {
                Self::new(DenialReason::ProofMalformed).with_detail(detail).with_suspicion(suspicion)
            }
        }
    }
}

impl From<FrameError> for Refusal {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLarge => {
                Self::new(DenialReason::BodyTooLarge).with_detail("a gRPC message of more bytes than `body_limit`")
            }
            FrameError::UnsupportedEncoding => Self::new(DenialReason::UnsupportedEncoding)
                .with_detail("a coding in grpc-encoding that is not accepted"),
            FrameError::Malformed(detail) => Self::new(DenialReason::BodyMalformed).with_detail(detail),
        }
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::TooLarge => Self::new(DenialReason::BodyTooLarge).with_detail("a body too large once decoded"),
            DecodeError::Malformed => Self::new(DenialReason::BodyMalformed)
                .with_detail("a body that is not of the coding in Content-Encoding"),
        }
    }
}

impl From<Crowded> for Refusal {
    fn from(Crowded: Crowded) -> Self {
        Self::new(DenialReason::Overloaded)
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::TooLarge => {
                Self::new(DenialReason::BodyTooLarge).with_detail("a body of more bytes than `body_limit`")
            }
            ReadError::LimitedOutside => Self::new(DenialReason::BodyTooLarge)
                .with_detail("a body of more bytes than a limit outside of this layer permits"),
            ReadError::TooSlow => Self::new(DenialReason::BodyTimeout),
            ReadError::GivenUp => Self::new(DenialReason::DeadlineExceeded),
            ReadError::Crowded => Self::new(DenialReason::Overloaded),
            ReadError::Empty => Self::new(DenialReason::BodyMalformed).with_detail("a body of too many empty frames"),
            ReadError::Panicked => Self::new(DenialReason::Panicked),
            ReadError::Broken => Self::new(DenialReason::BodyMalformed).with_detail("a body that the client broke off"),
        }
    }
}
