//! The error of reading a decision from headers.

use std::{error::Error, fmt};

use crate::{error::ConfigError, headers::Header};

/// The error for headers that do not contain a valid decision. It never contains the value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustedHeadersError {
    /// The prefix is not one that [`JVerifyBuilder::header_prefix`](crate::JVerifyBuilder::header_prefix) accepts.
    Prefix(ConfigError),
    /// There is no decision: the request did not come through the layer, or no rule matched it.
    NotDecided,
    /// A header occurs twice.
    Repeated {
        /// Its name after the prefix, such as `decision` or `phone`.
        header: &'static str,
    },
    /// A header has a name that some servers read as one of the layer's, such as `X_Jverify_Decision`.
    Aliased {
        /// The name as which it is read, after the prefix.
        header: &'static str,
    },
    /// A header has a value that the layer does not write: a malformed phone, an unknown decision.
    Invalid {
        /// Its name after the prefix.
        header: &'static str,
    },
    /// A header contradicts another one: a phone although only a captcha passed.
    Contradictory {
        /// Its name after the prefix.
        header: &'static str,
    },
}

// === impl TrustedHeadersError ===

impl TrustedHeadersError {
    pub(super) fn invalid(header: Header) -> Self {
        Self::Invalid { header: header.as_str() }
    }

    pub(super) fn contradictory(header: Header) -> Self {
        Self::Contradictory { header: header.as_str() }
    }
}

impl fmt::Display for TrustedHeadersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(error) => fmt::Display::fmt(error, f),
            Self::NotDecided => f.write_str(
                "no decision in the headers: the request did not come through tower-jverify, or no rule matched it",
            ),
            Self::Repeated { header } => write!(f, "the header `{header}` under the prefix occurs twice"),
            Self::Aliased { header } => write!(f, "a header has a name that is taken for `{header}` under the prefix"),
            Self::Invalid { header } => {
                write!(f, "the header `{header}` under the prefix has a value that the layer does not write")
            }
            Self::Contradictory { header } => {
                write!(f, "the header `{header}` under the prefix contradicts another one")
            }
        }
    }
}

impl Error for TrustedHeadersError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Prefix(error) => Some(error),
            Self::NotDecided
            | Self::Repeated { .. }
            | Self::Aliased { .. }
            | Self::Invalid { .. }
            | Self::Contradictory { .. } => None,
        }
    }
}
