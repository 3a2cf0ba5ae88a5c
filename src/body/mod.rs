//! Bodies: read whole within bounds, and handed on byte for byte unless a setting says otherwise.
//!
//! A proof sits in the body, and the application must still get that body. So a body is either not touched at all, or read
//! whole under four bounds (bytes, time, empty frames, and all bodies together) and replayed.

#[cfg(feature = "axum")]
mod axum;
mod budget;
mod coding;
mod decoders;
mod failed;
mod hand_on;
mod read;
mod request;
mod response;

pub(crate) use self::{
    budget::{Budget, Crowded, Share},
    coding::DecodeError,
    failed::ReadError,
    hand_on::Decoding,
    read::{Kept, Limits, Unread, Whole, read, read_beginning},
    request::TrailerFilter,
};
pub use self::{coding::Coding, hand_on::HandOn};
pub use self::{request::RequestBody, response::ResponseBody};
