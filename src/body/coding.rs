//! Compressed bodies, decoded to be read.

/// A content coding (`Content-Encoding`, RFC 9110, section 8.4.1) that a body can be read through.
///
/// Set with [`Rule::decode`](crate::Rule), which also says what the application gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Coding {
    /// `gzip` (RFC 1952), of one member, with nothing after it; also named `x-gzip` (RFC 9110, section 8.4.1.3).
    Gzip,
    /// `deflate`: zlib (RFC 1950). Without its wrapping, as some send it, it is refused.
    Deflate,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878), of one frame, with a window of at most 8 MiB (RFC 9659) and no dictionary. Its checksum is left
    /// for the application to compare.
    Zstd,
}

/// Why a body was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// More bytes than may be read, or more than [`Coding::RATIO`] for each one that came.
    TooLarge,
    /// Not one whole stream of this coding and nothing after it.
    Malformed,
}

// === impl Coding ===

impl Coding {
    /// How many decoded bytes each encoded one may stand for. JSON and forms come to 20 at most; what is above is made to
    /// cost memory.
    pub(crate) const RATIO: usize = 100;

    /// The coding with a name, in any case.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        [
            ("gzip", Self::Gzip),
            ("x-gzip", Self::Gzip),
            ("deflate", Self::Deflate),
            ("br", Self::Brotli),
            ("zstd", Self::Zstd),
        ]
        .into_iter()
        .find_map(|(known, coding)| is(known).then_some(coding))
    }

    /// Whether a header of this coding holds what no decoder returns: gzip's extra field, file name, comment or checksum
    /// (RFC 1952, section 2.3.1). A reader that does not decode finds there what nobody verified, and no HTTP client writes
    /// one.
    pub(crate) fn has_unread_fields(self, encoded: &[u8]) -> bool {
        const IS_TEXT: u8 = 1;
        self == Self::Gzip && encoded.get(3).is_some_and(|flags| flags & !IS_TEXT != 0)
    }

    /// Decodes a body that is here as a whole, into at most `limit` bytes, inclusive.
    pub(crate) fn decode(self, encoded: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
        let limit = limit.min(encoded.len().saturating_mul(Self::RATIO));
        // One more shows that there is more.
        let decoded = decoders::decode(self, encoded, limit.saturating_add(1)).ok_or(DecodeError::Malformed)?;
        if decoded.len() > limit { Err(DecodeError::TooLarge) } else { Ok(decoded) }
    }
}

/// No setting allows a coding, so nobody asks.
#[cfg(not(feature = "decompression"))]
mod decoders {
    pub(super) fn decode(_: super::Coding, _: &[u8], _: usize) -> Option<Vec<u8>> {
        None
    }
}

/// Each decodes one whole stream with nothing after it, or stops once it has `most` bytes. `None` is for everything else.
#[cfg(feature = "decompression")]
mod decoders {
    use std::io::Read;

    use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
    use flate2::{Decompress, FlushDecompress, Status, bufread::GzDecoder};
    use ruzstd::decoding::StreamingDecoder;

    use super::Coding;

    /// The largest window in HTTP: RFC 9659.
    const ZSTD_WINDOW: u64 = 8 * 1024 * 1024;

    pub(super) fn decode(coding: Coding, encoded: &[u8], most: usize) -> Option<Vec<u8>> {
        match coding {
            Coding::Gzip => gzip(encoded, most),
            Coding::Deflate => deflate(encoded, most),
            Coding::Brotli => brotli(encoded, most),
            Coding::Zstd => zstd(encoded, most),
        }
    }

    fn gzip(encoded: &[u8], most: usize) -> Option<Vec<u8>> {
        // Of one member; it checks length and checksum.
        let mut stream = GzDecoder::new(encoded);
        let decoded = read(&mut stream, most)?;
        (decoded.len() == most || stream.into_inner().is_empty()).then_some(decoded)
    }

    fn deflate(encoded: &[u8], most: usize) -> Option<Vec<u8>> {
        // Some take `deflate` for what it says, and some bytes are both: with the wrapping and, saying something else,
        // without it.
        if inflate(encoded, most, false).is_some() {
            return None;
        }
        let (decoded, is_all) = inflate(encoded, most, true)?;
        (decoded.len() == most || is_all).then_some(decoded)
    }

    /// Inflates one stream; tells also whether nothing comes after it.
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

    fn brotli(encoded: &[u8], most: usize) -> Option<Vec<u8>> {
        let alloc = StandardAlloc::default;
        // Strict: without the windows of up to 1 GiB that RFC 7932 does not know.
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

    fn zstd(mut encoded: &[u8], most: usize) -> Option<Vec<u8>> {
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
