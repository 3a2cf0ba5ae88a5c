//! gRPC's frames: what of a body is the message that a proof sits in.
//!
//! A frame is a flag, a length in four bytes and so many bytes of a message ("gRPC over HTTP2", *Length-Prefixed-Message*).

use std::{borrow::Cow, io::Read};

use http::{HeaderMap, HeaderName, HeaderValue};
use zstd::zstd_safe;

use crate::{body::Coding, headers::only};

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
        (_, Some("gzip")) => gunzip(message, limit).map(Cow::Owned),
        (_, Some("zstd")) => unzstd(message, limit).map(Cow::Owned),
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

/// One member and nothing after it: some readers stop there, and others go on. Its header has no optional fields: the frame is
/// handed on as it came, and what is in them is decoded by nobody.
fn gunzip(compressed: &[u8], limit: usize) -> Result<Vec<u8>, FrameError> {
    if Coding::Gzip.has_unread_fields(compressed) {
        return Err(FrameError::Malformed("a gzip header with optional fields"));
    }
    let mut message = Vec::new();
    let mut decoder = flate2::bufread::GzDecoder::new(compressed);
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.by_ref().take(most).read_to_end(&mut message).map_err(|_| FrameError::Malformed("not gzip"))?;
    if message.len() > limit {
        return Err(FrameError::TooLarge);
    }
    if !decoder.into_inner().is_empty() {
        return Err(FrameError::Malformed("something after the gzip"));
    }
    Ok(message)
}

/// The largest window, as a power of two: 8 MiB, as RFC 9659 has it.
const WINDOW_LOG: u32 = 23;

/// One frame and nothing after it.
fn unzstd(compressed: &[u8], limit: usize) -> Result<Vec<u8>, FrameError> {
    const BAD: FrameError = FrameError::Malformed("not one frame of zstd");
    if zstd_safe::find_frame_compressed_size(compressed) != Ok(compressed.len()) {
        return Err(BAD);
    }
    if let Ok(Some(size)) = zstd_safe::get_frame_content_size(compressed)
        && !usize::try_from(size).is_ok_and(|size| size <= limit)
    {
        return Err(FrameError::TooLarge);
    }
    // As a stream, as applications do: that is where a window beyond bounds is refused, which a decoder of the whole does
    // not need and would let pass.
    let mut decoder = zstd::stream::read::Decoder::with_buffer(compressed).map_err(|_| BAD)?;
    decoder.window_log_max(WINDOW_LOG).map_err(|_| BAD)?;
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut message = Vec::new();
    decoder.take(most).read_to_end(&mut message).map_err(|_| BAD)?;
    if message.len() > limit { Err(FrameError::TooLarge) } else { Ok(message) }
}
