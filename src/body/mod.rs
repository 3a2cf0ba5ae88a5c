//! Bodies: read completely within bounds, and passed on byte for byte unless a setting changes them.
//!
//! A proof is often in the body, and the application must still receive the body. So the layer either does not read a body
//! at all, or reads it completely under four bounds (bytes, time, empty frames, and all bodies together) and replays it.

#[cfg(feature = "axum")]
mod axum;
mod budget;
mod coding;
mod decoders;
mod failed;
mod failure;
mod first;
mod hand_on;
mod read;
mod request;
mod response;

pub(crate) use self::{
    budget::{Budget, Crowded, Share},
    coding::DecodeError,
    failed::ReadError,
    first::read_first,
    hand_on::Decoding,
    read::{Ends, Kept, Limits, Unread, Whole, read, read_beginning},
    request::TrailerFilter,
};
pub use self::{coding::Coding, hand_on::HandOn};
pub use self::{request::RequestBody, response::ResponseBody};
