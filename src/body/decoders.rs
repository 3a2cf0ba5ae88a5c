//! The decoders of content codings and of gRPC's compressed messages. Without the features, no setting allows a coding, and
//! these functions decode nothing.
//!
//! Each function decodes exactly one complete stream, or stops once it has `most` bytes. It returns `None` for everything
//! else.

use super::coding::{Coding, DecodeError};

// === impl Coding ===

impl Coding {
    /// Decodes a complete body into at most `limit` bytes, inclusive, and at most [`Coding::RATIO`] bytes per encoded byte.
    pub(crate) fn decode(self, encoded: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
        self.decode_within(encoded, limit.min(encoded.len().saturating_mul(Self::RATIO)))
    }

    /// Decodes complete data into at most `limit` bytes, inclusive.
    pub(crate) fn decode_within(self, encoded: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
        // One more byte shows that the limit is exceeded.
        let decoded = decode(self, encoded, limit.saturating_add(1)).ok_or(DecodeError::Malformed)?;
        if decoded.len() > limit { Err(DecodeError::TooLarge) } else { Ok(decoded) }
    }
}

fn decode(coding: Coding, encoded: &[u8], most: usize) -> Option<Vec<u8>> {
    match coding {
        Coding::Gzip => messages::gzip(encoded, most),
        Coding::Deflate => bodies::deflate(encoded, most),
        Coding::Brotli => bodies::brotli(encoded, most),
        Coding::Zstd => messages::zstd(encoded, most),
    }
}

/// The codings of gRPC messages.
#[cfg(any(feature = "decompression", feature = "grpc"))]
mod messages {
    use std::io::Read;

    use flate2::bufread::GzDecoder;
    use ruzstd::decoding::StreamingDecoder;

    /// The largest window in HTTP: RFC 9659.
    const ZSTD_WINDOW: u64 = 8 * 1024 * 1024;

    pub(super) fn gzip(encoded: &[u8], most: usize) -> Option<Vec<u8>> {
        // One member; the decoder checks length and checksum.
        let mut stream = GzDecoder::new(encoded);
        let decoded = read(&mut stream, most)?;
        (decoded.len() == most || stream.into_inner().is_empty()).then_some(decoded)
    }

    pub(super) fn zstd(mut encoded: &[u8], most: usize) -> Option<Vec<u8>> {
        let mut stream = StreamingDecoder::new_with_max_window_size(&mut encoded, ZSTD_WINDOW).ok()?;
        let decoded = read(&mut stream, most)?;
        drop(stream);
        (decoded.len() == most || encoded.is_empty()).then_some(decoded)
    }

    fn read(stream: &mut impl Read, most: usize) -> Option<Vec<u8>> {
        let mut decoded = Vec::new();
        stream.take(u64::try_from(most).ok()?).read_to_end(&mut decoded).ok()?;
        Some(decoded)
    }
}

#[cfg(not(any(feature = "decompression", feature = "grpc")))]
mod messages {
    pub(super) fn gzip(_: &[u8], _: usize) -> Option<Vec<u8>> {
        None
    }

    pub(super) fn zstd(_: &[u8], _: usize) -> Option<Vec<u8>> {
        None
    }
}

/// The codings of bodies only.
#[cfg(feature = "decompression")]
mod bodies {
    use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
    use flate2::{Decompress, FlushDecompress, Status};

    pub(super) fn deflate(encoded: &[u8], most: usize) -> Option<Vec<u8>> {
        // Some readers expect raw data for `deflate`, and some bytes are valid both as zlib and, with another content, as
        // raw data.
        if inflate(encoded, most, false).is_some() {
            return None;
        }
        let (decoded, is_all) = inflate(encoded, most, true)?;
        (decoded.len() == most || is_all).then_some(decoded)
    }

    /// Inflates one stream; also returns whether it ends the data.
    fn inflate(encoded: &[u8], most: usize, wrapped: bool) -> Option<(Vec<u8>, bool)> {
        let mut stream = Decompress::new(wrapped);
        let mut decoded = Vec::new();
        loop {
            let at = usize::try_from(stream.total_in()).ok()?;
            let rest = encoded.get(at..)?;
            let before = decoded.len();
            decoded.reserve(rest.len().saturating_mul(4).clamp(64, most.saturating_sub(before).max(64)));
            match stream.decompress_vec(rest, &mut decoded, FlushDecompress::None).ok()? {
                _ if decoded.len() >= most => {
                    decoded.truncate(most);
                    return Some((decoded, false));
                }
                Status::StreamEnd => {
                    let is_all = usize::try_from(stream.total_in()) == Ok(encoded.len());
                    return Some((decoded, is_all));
                }
                Status::Ok | Status::BufError => {
                    let is_stuck = decoded.len() == before && usize::try_from(stream.total_in()) == Ok(at);
                    if is_stuck {
                        return None;
                    }
                }
            }
        }
    }

    pub(super) fn brotli(encoded: &[u8], most: usize) -> Option<Vec<u8>> {
        let alloc = StandardAlloc::default;
        // Strict: without windows of up to 1 GiB, which RFC 7932 does not define.
        let mut state = BrotliState::new_strict(alloc(), alloc(), alloc());
        let (mut left, mut at) = (encoded.len(), 0);
        let mut decoded = vec![0; most];
        let (mut room, mut length, mut total) = (most, 0, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut at,
            encoded,
            &mut room,
            &mut length,
            &mut decoded,
            &mut total,
            &mut state,
        );
        decoded.truncate(length);
        match result {
            BrotliResult::ResultSuccess => (left == 0 || length == most).then_some(decoded),
            BrotliResult::NeedsMoreOutput => Some(decoded),
            BrotliResult::NeedsMoreInput | BrotliResult::ResultFailure => (length == most).then_some(decoded),
        }
    }
}

#[cfg(not(feature = "decompression"))]
mod bodies {
    pub(super) fn deflate(_: &[u8], _: usize) -> Option<Vec<u8>> {
        None
    }

    pub(super) fn brotli(_: &[u8], _: usize) -> Option<Vec<u8>> {
        None
    }
}
