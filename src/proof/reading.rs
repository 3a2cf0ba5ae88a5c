//! Finds values that some application might confuse.
//!
//! A value that chooses the required proofs is compared exactly. An application may compare it loosely:
//!
//! - `equalsIgnoreCase`, a column with a case-insensitive collation, `trim()`, and databases that pad with spaces;
//! - NFKC, which converts full-width, mathematical, circled and superscript letters and digits to ASCII, and collations
//!   that ignore accents and invisible characters;
//! - `parseInt`, PHP's `(int)` and `==`, which read `01`, `1.0`, `1e0`, `+1` and `1abc` as 1;
//! - PHP 7's `==` and `switch`, for which the number 0 equals every text that does not begin with a digit.

use std::{borrow::Cow, num::ParseIntError};

use super::fold::alike;
use crate::invisible::is_invisible;

/// Whether some application might read `value` as one of these values, which are other texts. Returns `true` in doubt.
///
/// The client chooses the length of the value, so it is searched once, and compared with each other text only up to the first
/// difference.
pub(crate) fn may_be_read_as_any<'n>(value: &str, named: impl Iterator<Item = &'n str>) -> bool {
    let mut named = named.peekable();
    if named.peek().is_none() {
        return false;
    }
    if value.chars().any(is_invisible) {
        return true;
    }
    let value = narrow(value);
    // No normalisation changes ASCII and letters without case (Chinese, for example). Some normalisation maps other
    // characters to ASCII or removes them.
    if value.chars().any(|c| !c.is_ascii() && !is_caseless(c)) {
        return true;
    }
    named.map(narrow).any(|named| alike(&value, &named) || is_same_number(&value, &named))
}

/// Whether PHP 7 treats a JSON number as equal to `named`: `0 == "sms"` and `1 == "1st"` are true there. In a form both are
/// texts, which PHP compares differently.
pub(crate) fn may_equal_in_php(number: u64, named: &str) -> bool {
    match leading(named.trim_start(), 10) {
        None => number == 0,
        Some(Ok(integer)) => number == u64::from(integer),
        Some(Err(_)) => true,
    }
}

/// Whether this is a letter without case that is its own normal form.
fn is_caseless(c: char) -> bool {
    c.is_alphabetic()
        && !c.is_uppercase()
        && !c.is_lowercase()
        // Not enclosed, squared and half-width forms, and not Hangul fillers, which are invisible.
        && !matches!(c, '\u{2071}'..='\u{24ff}' | '\u{3200}'..='\u{33ff}' | '\u{ff00}'..='\u{ffef}' | '\u{1f100}'..='\u{1f2ff}')
        && !matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}')
        && !matches!(c, '\u{aa}' | '\u{ba}' | '\u{1d400}'..='\u{1d7ff}' | '\u{f900}'..='\u{faff}')
}

/// Converts full-width ASCII and the ideographic space to ASCII, and removes invisible characters and surrounding white
/// space.
fn narrow(value: &str) -> Cow<'_, str> {
    if value.is_ascii() {
        return Cow::Borrowed(value.trim());
    }
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c),
        c if c.is_whitespace() => ' ',
        c => c,
    };
    let narrow: String = value.chars().filter(|c| !is_invisible(*c)).map(narrow).collect();
    Cow::Owned(narrow.trim().to_owned())
}

/// Whether a value, or its beginning, reads as the number `named`, also after a cut to 32 bits.
fn is_same_number(value: &str, named: &str) -> bool {
    let Ok(named) = named.parse::<f64>() else { return false };
    let is_named = |number: f64| (number - named).abs() < f64::EPSILON;
    let unsigned = value.trim_start_matches(['+', '-', ' ']);
    let prefixed = unsigned.split_at_checked(2).and_then(|(prefix, digits)| {
        let radix = match prefix {
            "0x" | "0X" => 16,
            "0o" | "0O" => 8,
            "0b" | "0B" => 2,
            _ => return None,
        };
        Some((digits, radix))
    });
    let begins = |(text, radix)| match leading(text, radix) {
        Some(Ok(integer)) => is_named(f64::from(integer)),
        // Cut to 32 bits it could be any number.
        Some(Err(_)) => true,
        None => false,
    };
    // The whole value; 0.99999999999999999 is 1 too.
    value.parse().is_ok_and(is_named)
        || begins((unsigned, 10))
        || prefixed.is_some_and(begins)
        || (unsigned.starts_with('.') && is_named(0.0))
}

/// The integer at the beginning of a text, if it begins with digits; an error beyond 32 bits.
fn leading(text: &str, radix: u32) -> Option<Result<u32, ParseIntError>> {
    let end = text.find(|c: char| !c.is_digit(radix)).unwrap_or(text.len());
    text.get(..end).filter(|digits| !digits.is_empty()).map(|digits| u32::from_str_radix(digits, radix))
}

#[cfg(test)]
mod tests {
    use super::{may_be_read_as_any, may_equal_in_php};

    fn may_be_read_as(value: &str, named: &str) -> bool {
        // The first one is like no value of these tests.
        may_be_read_as_any(value, ["another", named].into_iter())
    }

    #[test]
    fn what_only_folds_to_a_value_may_be_read_as_it() {
        for value in [
            "SMS",
            "Sms",
            "sms ",
            " sms",
            "s ms",
            "ｓｍｓ",
            "ＳＭＳ",
            "sms\u{200b}",
            "s\u{ad}ms",
            "\u{feff}sms",
            "\u{3000}sms",
            "sms\u{a0}",
            "ſms",
            "\u{1d42c}\u{1d426}\u{1d42c}",
            "\u{24e2}ms",
            "ṡms",
            "s\u{2120}",
            "s-m_s",
            "sm\u{0301}s",
            "s\u{e0041}ms",
        ] {
            assert!(may_be_read_as(value, "sms"), "{value:?}");
        }
    }

    #[test]
    fn what_parses_to_a_number_may_be_read_as_it() {
        for value in [
            "01",
            "1.0",
            "1.",
            "+1",
            "1e0",
            "10e-1",
            "0.1e1",
            " 1",
            "1 ",
            "１",
            "1abc",
            "1,0",
            "0x1",
            "0b1",
            "0o1",
            "0.99999999999999999999",
            "4294967297",
            "18446744073709551617",
            "1\u{200b}",
            "\u{b9}",
            "\u{661}",
        ] {
            assert!(may_be_read_as(value, "1"), "{value:?}");
        }
        assert!(may_be_read_as("1", "01") && may_be_read_as("-0", "0") && may_be_read_as("0.5", "0"));
    }

    #[test]
    fn a_number_equals_what_php_7_makes_of_a_text() {
        for (number, named) in [(0, "sms"), (0, "密码"), (1, "1st"), (1, " 1"), (0, "0"), (1, "99999999999")] {
            assert!(may_equal_in_php(number, named), "{number} {named:?}");
        }
        for (number, named) in [(1, "sms"), (2, "1"), (0, "1st"), (10, "1")] {
            assert!(!may_equal_in_php(number, named), "{number} {named:?}");
        }
    }

    #[test]
    fn a_value_with_what_is_not_seen_may_be_read_as_any() {
        // All that `fold` ignores in a key, including Hangul fillers, Khmer vowels and shorthand's controls.
        for c in ['\u{115f}', '\u{17b4}', '\u{1bca0}', '\u{1d173}', '\u{2028}', '\u{200d}', '\u{fffd}'] {
            assert!(may_be_read_as(&format!("密{c}码"), "sms"), "{c:?}");
        }
    }

    #[test]
    fn other_values_are_others() {
        for (value, named) in [
            ("password", "sms"),
            ("sm", "sms"),
            ("smss", "sms"),
            ("7", "1"),
            ("10", "1"),
            ("2.5", "1"),
            ("-1", "2"),
            ("密码", "sms"),
            ("短信", "密码"),
            ("sms", "1"),
            ("1", "sms"),
            ("one", "1"),
            ("微信2", "2"),
        ] {
            assert!(!may_be_read_as(value, named), "{value:?} {named:?}");
        }
    }
}
