//! gRPC's frames: finds the message with the proof in a body.
//!
//! A frame is a flag, a length in four bytes, and a message of this length ("gRPC over HTTP2", *Length-Prefixed-Message*).

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    body::{Coding, DecodeError},
    headers::only,
};

/// Why no message was found. The text is a constant, never from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// A message over the limit, compressed or not.
    TooLarge,
    /// An unsupported compression.
    UnsupportedEncoding,
    Malformed(&'static str),
}

const HEAD: usize = 5;
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// The length of the first frame of a stream, once it is known.
pub(crate) fn first_frame(stream: &[u8]) -> Option<usize> {
    let (_, length) = head(stream)?;
    Some(HEAD.saturating_add(length))
}

/// The one message of a body.
///
/// # Errors
///
/// The body is not exactly one frame; its flag is invalid; it has more than `limit` bytes; its compression does not match
/// `grpc-encoding`, or is neither gzip nor zstd.
pub(crate) fn only_message<'b>(body: &'b [u8], headers: &HeaderMap, limit: usize) -> Result<Cow<'b, [u8]>, FrameError> {
    let length = first_frame(body);
    let message = first_message(body, headers, limit)?;
    if length != Some(body.len()) {
        return Err(FrameError::Malformed("more than one message"));
    }
    Ok(message)
}

/// The first message of the received part of a stream.
///
/// # Errors
///
/// As [`only_message`], except that more bytes may follow the frame.
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

/// `grpc-encoding`, if it occurs once and without aliases.
fn encoding(headers: &HeaderMap) -> Result<Option<&str>, FrameError> {
    let value = only(headers, &ENCODING).map_err(|_| FrameError::UnsupportedEncoding)?;
    value.map(HeaderValue::to_str).transpose().map_err(|_| FrameError::UnsupportedEncoding)
}

/// Decodes one stream. No bytes may follow it: some readers stop there, and others continue. A gzip header must not have
/// optional fields: the frame is passed on unchanged, and no check reads these fields. The application checks zstd's
/// checksum.
fn decompress(coding: Coding, compressed: &[u8], limit: usize) -> Result<Vec<u8>, FrameError> {
    if coding.has_unread_fields(compressed) {
        return Err(FrameError::Malformed("a gzip header with optional fields"));
    }
    coding.decode_within(compressed, limit).map_err(|error| match error {
        DecodeError::TooLarge => FrameError::TooLarge,
        DecodeError::Malformed => FrameError::Malformed("a message that is not one whole stream of its encoding"),
    })
}
