//! The extractor of an axum handler that needs a verified request.

use std::{convert::Infallible, fmt, ops::Deref};

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

use crate::{
    check_kind::CheckKind,
    decision::{Action, Decision, DecisionReason, Policy},
    phone::Phone,
    verdict::{Class, Verdict},
};

/// An axum extractor: the decision of a verified request. Derefs to [`Decision`].
///
/// A handler that takes `Verified` runs only for a verified request: not on an unguarded route, and not for a request that a
/// policy let through during an outage. A handler that also serves other requests takes `Option<Verified>`, which is `None` for
/// both.
///
/// ```
/// use axum::{Router, routing::{get, post}};
/// use tower_jverify::Verified;
///
/// async fn login(verified: Verified) -> String {
///     verified.phone().map(|phone| phone.masked().to_string()).unwrap_or_default()
/// }
///
/// async fn home(verified: Option<Verified>) -> &'static str {
///     if verified.is_some() { "welcome" } else { "please log in" }
/// }
///
/// let router: Router = Router::new().route("/login", post(login)).route("/", get(home));
/// # let _ = router;
/// ```
///
/// # Errors
///
/// 500 with [`VerifiedRejection`], when the request carries no decision (the layer is not mounted, or no rule matches the route)
/// or was let through unverified.
#[derive(Clone, Debug)]
pub struct Verified(Decision);

/// Why [`Verified`] was refused: a mistake in the set-up, said in the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifiedRejection {
    /// The request carries no decision.
    NoDecision,
    /// The request was let through while JPush was unavailable.
    Unverified,
}

// === impl Verified ===

impl Verified {
    /// A verified request, for a handler's unit test: one number check that passed for this phone.
    pub fn for_test(phone: Phone) -> Self {
        let verdict = Verdict::new(CheckKind::Number, Class::Passed);
        let policy = Policy::default();
        Self(Decision::new(&policy, Action::Allow, DecisionReason::Verified, Some(phone), vec![verdict]))
    }

    /// The decision itself.
    pub fn into_decision(self) -> Decision {
        self.0
    }
}

impl Deref for Verified {
    type Target = Decision;

    fn deref(&self) -> &Decision {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Verified {
    type Rejection = VerifiedRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, VerifiedRejection> {
        let decision = parts.extensions.get::<Decision>().ok_or(VerifiedRejection::NoDecision)?;
        if decision.is_verified() { Ok(Self(decision.clone())) } else { Err(VerifiedRejection::Unverified) }
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Verified {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        let decision = parts.extensions.get::<Decision>().filter(|decision| decision.is_verified());
        Ok(decision.cloned().map(Self))
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
        })
    }
}

impl std::error::Error for VerifiedRejection {}

impl IntoResponse for VerifiedRejection {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}
