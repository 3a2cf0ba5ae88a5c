//! A text that is never printed.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A text that must not be printed: a token, the answer of a captcha, the master secret, a private key.
///
/// `Debug` does not show it, and its memory is overwritten when it is dropped.
///
/// ```
/// use tower_jverify::Secret;
///
/// let secret = Secret::from("master secret");
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// assert_eq!(secret.expose(), "master secret");
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

// === impl Secret ===

impl Secret {
    /// Returns the text. Keep it out of logs and errors.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Box<str>> for Secret {
    fn from(text: Box<str>) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
