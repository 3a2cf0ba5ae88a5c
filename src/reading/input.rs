//! A complete body and its reader.

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
};

use http::{HeaderMap, Method, request::Parts};

use crate::{
    denial::{DenialReason, Refusal},
    proof::{self, Extracted, Extractor, Media, Plan, Values, grpc},
};

/// The reader of a body.
pub(super) enum Source<'s> {
    Ours(Media),
    Users(&'s Extractor),
}

/// The input from which one or more plans read fields.
pub(super) enum Input<'d> {
    /// A body of a supported type.
    Body(&'d Media, &'d [u8]),
    /// The message of a gRPC call.
    Message(Cow<'d, [u8]>),
    /// The values from the user's closure.
    Found(Extracted),
}

/// Whether requests with this method usually have a body.
pub(super) fn sends_a_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

// === impl Source ===

impl Source<'_> {
    /// The media type, if a built-in reader reads it.
    pub(super) fn media(&self) -> Option<&Media> {
        match self {
            Self::Ours(media) => Some(media),
            Self::Users(_) => None,
        }
    }

    /// Whether a backend reads the body as a form.
    pub(super) fn is_form(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Ours(media) => *media == Media::Form,
            Self::Users(_) => proof::claims_a_form(headers),
        }
    }

    /// Removes the frame from a message and calls the user's closure, once for all plans. `limit` is in bytes.
    ///
    /// # Errors
    ///
    /// The body is not one frame, or the closure returns an error or panics.
    pub(super) fn input<'d>(&'d self, parts: &Parts, data: &'d [u8], limit: usize) -> Result<Input<'d>, Refusal> {
        Ok(match self {
            Self::Ours(Media::Grpc) => Input::Message(grpc::only_message(data, &parts.headers, limit)?),
            Self::Ours(media) => Input::Body(media, data),
            Self::Users(extractor) => {
                let found = catch_unwind(AssertUnwindSafe(|| extractor.extract(parts, data)));
                Input::Found(found.map_err(|_| Refusal::new(DenialReason::Panicked))??)
            }
        })
    }
}

// === impl Input ===

impl Input<'_> {
    /// Reads a plan's fields.
    ///
    /// # Errors
    ///
    /// As [`Plan::read_body`], for a message as [`proof::hidden_form`], and for JSON as [`proof::split_by_charset`].
    pub(super) fn read<'v>(&'v self, plan: &Plan, headers: &HeaderMap, values: &mut Values<'v>) -> Result<(), Refusal> {
        match self {
            Self::Body(media, data) => {
                plan.read_body(media, headers, data, values)?;
                if media.is_json() {
                    proof::split_by_charset(plan, data)?;
                }
            }
            Self::Message(message) => {
                plan.read_body(&Media::Grpc, headers, message, values)?;
                proof::hidden_form(plan, message)?;
            }
            Self::Found(found) => found.fill(plan, values)?,
        }
        Ok(())
    }
}
