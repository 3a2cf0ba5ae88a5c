//! A mainland Chinese mobile number, in exactly one spelling.
//!
//! One SIM must not become several accounts because a backend distinguishes `+8613…` from `13…`. So a [`Phone`] exists only
//! in its canonical form; `phone_grammar` parses other spellings into it.

use std::{error::Error, fmt};

/// A phone number of eleven ASCII digits that begins with `1[3-9]`: the number that was sent to JPush.
///
/// `Debug` and [`Phone::masked`] show `138****0000`; only [`Phone::as_str`] and `AsRef<str>` give the whole number.
///
/// ```
/// use tower_jverify::Phone;
///
/// let phone = Phone::parse("13800000000").unwrap();
/// assert_eq!(phone.as_str(), "13800000000");
/// assert_eq!(format!("{phone:?}"), "138****0000");
/// assert!(Phone::parse("+8613800000000").is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Phone([u8; 11]);

/// The error for a text that is not a [`Phone`]. It does not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsePhoneError(());

// === impl Phone ===

impl Phone {
    /// Parses the canonical spelling: eleven ASCII digits, the first `1`, the second `3` to `9`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: [u8; 11] = text.as_bytes().try_into().ok()?;
        let plausible = matches!(digits, [b'1', b'3'..=b'9', ..]) && digits.iter().all(u8::is_ascii_digit);
        plausible.then_some(Self(digits))
    }

    /// The full number. Handle it with care: it is personal data.
    pub fn as_str(&self) -> &str {
        // Only ASCII digits are ever stored, so the fallback is never taken.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// As [`Phone::as_str`], as bytes.
    #[cfg(feature = "client")]
    pub(crate) fn digits(&self) -> &[u8] {
        &self.0
    }

    /// The masked number for logs: `138****0000`.
    pub fn masked(&self) -> impl fmt::Display + fmt::Debug + use<> {
        Masked(*self)
    }
}

impl AsRef<str> for Phone {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Masked(*self), f)
    }
}

impl std::str::FromStr for Phone {
    type Err = ParsePhoneError;

    /// # Errors
    ///
    /// If the text is not the canonical spelling.
    fn from_str(text: &str) -> Result<Self, ParsePhoneError> {
        Self::parse(text).ok_or(ParsePhoneError(()))
    }
}

struct Masked(Phone);

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.as_str();
        write!(f, "{}****{}", digits.get(..3).unwrap_or_default(), digits.get(7..).unwrap_or_default())
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// === impl ParsePhoneError ===

impl fmt::Display for ParsePhoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not eleven digits that begin with `1` and then `3` to `9`")
    }
}

impl Error for ParsePhoneError {}
