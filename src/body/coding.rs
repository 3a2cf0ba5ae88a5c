//! Compressed bodies and messages, decoded to be read.

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
}
