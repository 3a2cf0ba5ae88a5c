//! gRPC's frames: what of a body is the message that a proof sits in.
//!
//! A frame is a flag, a length in four bytes and so many bytes of a message ("gRPC over HTTP2", *Length-Prefixed-Message*).

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    body::{Coding, DecodeError},
    headers::only,
};

/// Why no message was found. The text is ours, never the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// A message of more bytes than are read, compressed or not.
    TooLarge,
    /// Compressed in a way that is not read.
    UnsupportedEncoding,
    Malformed(&'static str),
}

const HEAD: usize = 5;
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// How many bytes the first frame of a stream has, once they are known.
pub(crate) fn first_frame(stream: &[u8]) -> Option<usize> {
    let (_, length) = head(stream)?;
    Some(HEAD.saturating_add(length))
}

/// The one message of a body.
///
/// # Errors
///
/// The body is not exactly one frame; its flag is none; it has more than `limit` bytes; it is compressed with what
/// `grpc-encoding` does not say, or with anything but gzip and zstd.
pub(crate) fn only_message<'b>(body: &'b [u8], headers: &HeaderMap, limit: usize) -> Result<Cow<'b, [u8]>, FrameError> {
    let length = first_frame(body);
    let message = first_message(body, headers, limit)?;
    if length != Some(body.len()) {
        return Err(FrameError::Malformed("more than one message"));
    }
    Ok(message)
}

/// The first message of a stream, as far as that is here.
///
/// # Errors
///
/// As [`only_message`], but for what comes after the frame.
pub(crate) fn first_message<'b>(
    stream: &'b [u8],
    headers: &HeaderMap,
    limit: usize,
) -> Result<Cow<'b, [u8]>, FrameError> {
    const SHORT: FrameError = FrameError::Malformed("a frame that ends too early");
    let encoding = encoding(headers)?;
    let (flag, length) = head(stream).ok_or(SHORT)?;
    if flag > 1 {
        return Err(FrameError::Malformed("a frame whose flag is neither 0 nor 1"));
    }
    if length > limit {
        return Err(FrameError::TooLarge);
    }
    let message = stream.get(HEAD..HEAD.saturating_add(length)).ok_or(SHORT)?;
    match (flag, encoding) {
        (0, _) => Ok(Cow::Borrowed(message)),
        (_, Some("gzip")) => decompress(Coding::Gzip, message, limit).map(Cow::Owned),
        (_, Some("zstd")) => decompress(Coding::Zstd, message, limit).map(Cow::Owned),
        (_, None | Some("identity")) => Err(FrameError::Malformed("a compressed message without `grpc-encoding`")),
        (_, Some(_)) => Err(FrameError::UnsupportedEncoding),
    }
}

fn head(stream: &[u8]) -> Option<(u8, usize)> {
    let &[flag, a, b, c, d] = stream.first_chunk::<HEAD>()?;
    Some((flag, usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX)))
}

/// `grpc-encoding`, once and under no other name.
fn encoding(headers: &HeaderMap) -> Result<Option<&str>, FrameError> {
    let value = only(headers, &ENCODING).map_err(|_| FrameError::UnsupportedEncoding)?;
    value.map(HeaderValue::to_str).transpose().map_err(|_| FrameError::UnsupportedEncoding)
}

/// One stream and nothing after it: some readers stop there, and others go on. A gzip header has no optional fields: the frame
/// is handed on as it came, and what is in them is decoded by nobody. A checksum of zstd is left for the application to compare.
fn decompress(coding: Coding, compressed: &[u8], limit: usize) -> Result<Vec<u8>, FrameError> {
    if coding.has_unread_fields(compressed) {
        return Err(FrameError::Malformed("a gzip header with optional fields"));
    }
    coding.decode_within(compressed, limit).map_err(|error| match error {
        DecodeError::TooLarge => FrameError::TooLarge,
        DecodeError::Malformed => FrameError::Malformed("a message that is not one whole stream of its encoding"),
    })
}
