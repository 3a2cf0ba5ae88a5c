//! JSON's grammar (RFC 8259), for readers that want few values and must trust none: of what clients send, and of what
//! JPush answers.
//!
//! `serde_json` would do, but for three things. Its `IgnoredAny` skips without a limit of depth, and whatever has one
//! visits every value: a third more work, where skipping is nearly all the work. Its features, which any crate in the
//! graph can turn on, change what a visitor is shown (`arbitrary_precision` makes maps of numbers). And where it skips,
//! half a surrogate pair passes. Property tests hold the two together: what is accepted here, `serde_json::Value`
//! accepts and reads alike, and what is refused here as no JSON, it refuses.

mod number;
mod scan;
mod text;

#[cfg(feature = "client")]
pub(crate) use self::scan::Mode;
pub(crate) use self::scan::{DEEPEST, Scanner, Watch};

/// Why a text is not taken for JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    NotJson,
    /// A control character stands in a string as it is.
    ControlCharacter,
    /// `\ud800` without its other half: no text.
    HalfASurrogate,
    TooDeep,
    /// No `f64` holds it: infinity to some parsers, an error to others.
    NumberBeyondBounds,
}

// === impl Malformed ===

impl Malformed {
    /// In our words: fit for logs.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::NotJson => "not JSON",
            Self::ControlCharacter => "a control character in a string",
            Self::HalfASurrogate => "half a surrogate pair",
            Self::TooDeep => "more than 127 levels of nesting",
            Self::NumberBeyondBounds => "a number beyond bounds",
        }
    }
}
