//! What an assertion is about, and how long its names may be.

use http::Method;

use crate::decision::Decision;

/// What an assertion is about.
#[cfg_attr(not(feature = "pass"), allow(dead_code))]
pub(crate) struct Subject<'s> {
    pub(crate) decision: &'s Decision,
    /// The rule's name, if it is known.
    pub(crate) rule: Option<&'s str>,
    pub(crate) method: &'s Method,
    pub(crate) path: &'s str,
    /// The body that the application receives. `None`: not all of it is known.
    pub(crate) body: Option<&'s [u8]>,
}

/// The longest issuer, audience and name of a rule, in bytes: a header must not grow without limit.
pub(super) const NAME: usize = 128;

/// The maximum length of a text in JSON, without the quotes.
pub(super) fn length(text: &str) -> usize {
    let length = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    text.bytes().map(length).sum()
}
