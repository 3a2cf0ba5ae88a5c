//! Why headers are no decision.

use std::{error::Error, fmt};

use crate::{error::ConfigError, headers::Header};

/// Why headers are no decision. Never contains the value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustedHeadersError {
    /// The prefix is not one that [`JVerifyBuilder::header_prefix`](crate::JVerifyBuilder::header_prefix) accepts.
    Prefix(ConfigError),
    /// There is no decision: the request did not come through the layer, or no rule matched it.
    NotDecided,
    /// A header occurs twice.
    Repeated {
        /// Its name behind the prefix, such as `decision` or `phone`.
        header: &'static str,
    },
    /// A header has a name that some servers take for one of ours, such as `X_Jverify_Decision`.
    Aliased {
        /// The name that it is taken for, behind the prefix.
        header: &'static str,
    },
    /// A header has a value that the layer does not write: a malformed phone, an unknown decision.
    Invalid {
        /// Its name behind the prefix.
        header: &'static str,
    },
    /// A header contradicts another one: a phone beside a captcha alone.
    Contradictory {
        /// Its name behind the prefix.
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
