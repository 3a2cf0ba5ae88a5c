//! Extractors for axum handlers: verified requests, and requests whose checks wait.

use std::{convert::Infallible, fmt};

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

use super::prove::Prove;
use crate::decision::{Decision, DecisionReason, Verified};

/// Why [`Verified`] was refused: a configuration error, described in the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifiedRejection {
    /// The request carries no decision.
    NoDecision,
    /// The request was let through by a fallback of the policy ([`Policy::on`](crate::Policy::on)), or in shadow
    /// ([`Mode::Shadow`](crate::Mode)).
    Unverified,
    /// The rule has [`on_demand`](crate::Rule::on_demand), and its checks have not started.
    NotAsked,
}

/// Why [`Prove`] was refused: a configuration error, described in the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProveRejection {
    /// The request has no waiting checks: no layer or no rule guards it, or its rule does not set
    /// [`on_demand`](crate::Rule::on_demand).
    NotOnDemand,
}

// === impl Verified ===

impl<S: Sync> FromRequestParts<S> for Verified {
    type Rejection = VerifiedRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, VerifiedRejection> {
        let decision = parts.extensions.get::<Decision>().ok_or(VerifiedRejection::NoDecision)?;
        Self::of(decision.clone()).ok_or(match decision.reason() {
            DecisionReason::NotAsked if !decision.is_shadow() => VerifiedRejection::NotAsked,
            _ => VerifiedRejection::Unverified,
        })
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Verified {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Decision>().cloned().and_then(Self::of))
    }
}

// === impl Prove ===

impl<S: Sync> FromRequestParts<S> for Prove {
    type Rejection = ProveRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ProveRejection> {
        parts.extensions.get::<Self>().cloned().ok_or(ProveRejection::NotOnDemand)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Prove {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

// === impl VerifiedRejection ===

impl fmt::Display for VerifiedRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoDecision => {
                "no tower-jverify decision: put JVerifyLayer around this router, with a rule that matches this route"
            }
            Self::Unverified => "this request was let through unverified, which this handler does not accept",
            Self::NotAsked => {
                "the checks of this request have not started: its rule is on demand, so take `Prove` and call `Prove::now`"
            }
        })
    }
}

impl std::error::Error for VerifiedRejection {}

impl IntoResponse for VerifiedRejection {
    fn into_response(self) -> Response {
        mistake(&self)
    }
}

// === impl ProveRejection ===

impl fmt::Display for ProveRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOnDemand => {
                "this request has no waiting checks: put JVerifyLayer around this router, with a rule for this route that is `on_demand`"
            }
        })
    }
}

impl std::error::Error for ProveRejection {}

impl IntoResponse for ProveRejection {
    fn into_response(self) -> Response {
        mistake(&self)
    }
}

/// The answer to a configuration error.
fn mistake(rejection: &impl fmt::Display) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, rejection.to_string()).into_response()
}
