//! Bodies: read whole within bounds, and handed on byte for byte.
//!
//! A proof sits in the body, and the application must still get that body as it came. So a body is either not touched
//! at all, or read whole under four bounds (bytes, time, empty frames, and all bodies together) and replayed.

mod coding;
mod read;
mod request;
mod response;

pub use self::coding::Coding;
#[cfg(feature = "grpc")]
pub(crate) use self::read::read_beginning;
pub(crate) use self::{
    coding::DecodeError,
    read::{Limits, ReadError, Whole, read},
    request::TrailerFilter,
};
pub use self::{request::RequestBody, response::ResponseBody};
