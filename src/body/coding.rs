//! Decodes compressed bodies and messages for reading.

/// A supported content coding (`Content-Encoding`, RFC 9110, section 8.4.1).
///
/// Set with [`Rule::decode`](crate::Rule), which also sets what the application receives.
///
/// ```
/// use tower_jverify::{Coding, HandOn, Rule, number};
///
/// let rule = Rule::post("/login", number()).decode([Coding::Gzip, Coding::Zstd], HandOn::Decoded);
/// # let _ = rule;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Coding {
    /// `gzip` (RFC 1952), with exactly one member; also named `x-gzip` (RFC 9110, section 8.4.1.3).
    Gzip,
    /// `deflate`: zlib (RFC 1950). Raw deflate data, which some clients send, is refused.
    Deflate,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878), with exactly one frame, a window of at most 8 MiB (RFC 9659) and no dictionary. The application
    /// must compare its checksum.
    Zstd,
}

/// Why a body was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// The decoded body is over the limit, or over [`Coding::RATIO`] bytes per encoded byte.
    TooLarge,
    /// Not exactly one complete stream of this coding.
    Malformed,
}

// === impl Coding ===

impl Coding {
    /// The maximum number of decoded bytes per encoded byte. JSON and forms reach at most 20; a higher ratio indicates an
    /// attack on memory.
    pub(crate) const RATIO: usize = 100;

    /// The coding with this name, in any case.
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

    /// Whether the header of a stream contains data that no decoder returns: gzip's extra field, file name, comment or
    /// checksum (RFC 1952, section 2.3.1). A reader that does not decode would find unverified data there, and no HTTP
    /// client writes these fields.
    pub(crate) fn has_unread_fields(self, encoded: &[u8]) -> bool {
        const IS_TEXT: u8 = 1;
        self == Self::Gzip && encoded.get(3).is_some_and(|flags| flags & !IS_TEXT != 0)
    }
}
