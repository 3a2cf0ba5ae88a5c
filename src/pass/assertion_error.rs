//! Why an assertion is refused.

use std::{error::Error, fmt};

use crate::decision::DecisionReason;

/// Why [`Verifier::verify`](super::Verifier::verify) refuses a request. It never contains a value of the assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssertionError {
    /// The assertion is missing: the request did not come through a layer that signs them, or no rule has let it through.
    Missing,
    /// The header occurs twice.
    Repeated,
    /// A header has a name that some servers read as the assertion's, such as `X_Jverify_Assertion`.
    Aliased,
    /// None of the keys has signed this text as an assertion: another key or algorithm, another type of token, or not a signed text.
    Signature,
    /// The claims are not what a layer writes.
    Claims,
    /// The layer has another name than this verifier expects.
    Issuer,
    /// The assertion is for another backend.
    Audience,
    /// It is older than 60 s.
    Expired,
    /// It was signed more than 30 s in the future: one of the clocks is wrong.
    NotYetValid,
    /// It is for a request with another method.
    Method,
    /// It is for a request with another path.
    Path,
    /// It is for a request with another body.
    Body,
    /// It is not bound to a body, because the layer has not read the body to its end.
    BodyNotBound,
    /// It is valid, and says that the request was not verified, for this reason.
    Unverified(DecisionReason),
}

impl fmt::Display for AssertionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => {
                "no assertion: the request did not come through tower-jverify, or no rule has let it through"
            }
            Self::Repeated => "the header of the assertion occurs twice",
            Self::Aliased => "a header has a name that is taken for the assertion's",
            Self::Signature => "not an assertion that one of the keys has signed",
            Self::Claims => "the assertion has claims that the layer does not write",
            Self::Issuer => "the assertion is from another issuer",
            Self::Audience => "the assertion is for another audience",
            Self::Expired => "the assertion has expired",
            Self::NotYetValid => "the assertion was signed in the future: a clock is wrong",
            Self::Method => "the assertion is for another method",
            Self::Path => "the assertion is for another path",
            Self::Body => "the assertion is for another body",
            Self::BodyNotBound => "the assertion is not bound to a body",
            Self::Unverified(reason) => return write!(f, "the request was not verified: {}", reason.as_str()),
        })
    }
}

impl Error for AssertionError {}
