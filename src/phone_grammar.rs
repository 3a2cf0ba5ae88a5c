//! The spellings of a phone number that are accepted.

use crate::{invisible::is_format, phone::Phone};

/// The spellings of a phone number that are accepted from a client.
///
/// Every accepted spelling is converted to one canonical form ([`Phone`]), which is sent to JPush and passed to the
/// application.
///
/// ```
/// use tower_jverify::{Phone, PhoneGrammar};
///
/// let phone = Phone::parse("13800000000");
/// assert_eq!(PhoneGrammar::Canonical.parse("13800000000"), phone);
/// assert_eq!(PhoneGrammar::CountryCode.parse("+8613800000000"), phone);
/// assert_eq!(PhoneGrammar::lenient().parse("+86 (138) 0000-0000"), phone);
/// assert_eq!(PhoneGrammar::default().parse("+8613800000000"), None);
/// ```
///
/// **Danger:** with any value except [`PhoneGrammar::Canonical`] the application must take the number from
/// [`Decision::phone`](crate::Decision::phone), not from the body: a backend that compares raw spellings treats one SIM as
/// several accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PhoneGrammar {
    /// Exactly eleven digits. The default.
    #[default]
    Canonical,
    /// Eleven digits, optionally with `+86`, `0086` or `86` directly before them.
    CountryCode,
    /// The spellings of people and address books: see [`PhoneGrammar::lenient`], which returns it.
    #[non_exhaustive]
    Lenient {},
}

// === impl PhoneGrammar ===

impl PhoneGrammar {
    /// Accepts eleven digits, optionally after `+86`, `0086` or `86`, with any number of these characters between them:
    /// white space (also no-break and ideographic), dashes (`-`, U+2010 to U+2015, U+2212, full width), parentheses (also
    /// full width), and invisible format characters such as the bidirectional marks that some address books copy.
    ///
    /// A country code in a separate field ([`Number::country_code`](crate::Number::country_code)) may then also be `0086`
    /// or `CN`.
    ///
    /// Digits of other scripts, dots and letters are refused.
    pub const fn lenient() -> Self {
        Self::Lenient {}
    }

    /// Parses a client's spelling into the canonical number.
    pub fn parse(self, text: &str) -> Option<Phone> {
        match self {
            Self::Canonical => Phone::parse(text),
            Self::CountryCode => with_country_code(text),
            Self::Lenient {} => with_country_code(&compact(text)),
        }
    }

    /// Whether a text is the country code of mainland China.
    pub(crate) fn is_mainland(self, text: &str) -> bool {
        let is_code = |text: &str| matches!(text, "86" | "+86");
        match self {
            Self::Canonical | Self::CountryCode => is_code(text),
            Self::Lenient {} => {
                let text = compact(text);
                is_code(&text) || text == "0086" || text.eq_ignore_ascii_case("CN")
            }
        }
    }
}

fn with_country_code(text: &str) -> Option<Phone> {
    Phone::parse(text)
        .or_else(|| ["+86", "0086", "86"].iter().find_map(|code| text.strip_prefix(code)).and_then(Phone::parse))
}

/// Removes what people write between digits.
fn compact(text: &str) -> String {
    text.chars().filter(|&c| !(c.is_whitespace() || is_format(c) || is_dash(c) || is_parenthesis(c))).collect()
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}')
}

fn is_parenthesis(c: char) -> bool {
    matches!(c, '(' | ')' | '\u{ff08}' | '\u{ff09}')
}
