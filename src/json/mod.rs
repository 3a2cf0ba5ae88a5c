//! A JSON parser (RFC 8259) for readers that need few values from untrusted documents: clients' bodies and JPush's answers.
//!
//! `serde_json` is not used for three reasons. Its `IgnoredAny` skips without a depth limit, and the alternatives visit
//! every value: a third more work, because skipping is nearly all the work. Its features, which any crate in the graph can
//! enable, change what a visitor receives (`arbitrary_precision` turns numbers into maps). And in skipped values it accepts
//! half a surrogate pair. Property tests compare the two: `serde_json::Value` accepts and reads equally what this parser
//! accepts, and refuses what this parser refuses as invalid JSON.

mod number;
mod scan;
mod text;

#[cfg(feature = "client")]
pub(crate) use self::scan::Mode;
pub(crate) use self::scan::{DEEPEST, Scanner, Watch};

/// Why a text is not accepted as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    NotJson,
    /// A string contains a raw control character.
    ControlCharacter,
    /// `\ud800` without its other half, which is not a character.
    HalfASurrogate,
    TooDeep,
    /// An `f64` cannot hold it: some parsers read infinity, others return an error.
    NumberBeyondBounds,
}

// === impl Malformed ===

impl Malformed {
    /// A constant text for logs.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::NotJson => "not JSON",
            Self::ControlCharacter => "a control character in a string",
            Self::HalfASurrogate => "half a surrogate pair",
            Self::TooDeep => "more than 127 levels of nesting",
            Self::NumberBeyondBounds => "a number out of range",
        }
    }
}
