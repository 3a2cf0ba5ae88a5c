//! What an axum application needs: an extractor that only an allowing decision satisfies, and a router's wrapping.
//!
//! ```
//! use axum::{Router, ServiceExt, routing::post};
//! use tower_jverify::{Check, Class, JVerifyLayer, Rule, Verdict, axum::Verified, number};
//!
//! async fn login(verified: Verified) -> String {
//!     verified.phone().map(|phone| phone.masked().to_string()).unwrap_or_default()
//! }
//!
//! # let verifier = tower::service_fn(|check: Check| async move {
//! #     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
//! # });
//! let layer = JVerifyLayer::builder(verifier).rule(Rule::post("/login", number())).build()?;
//! let app = layer.around(Router::new().route("/login", post(login)));
//!
//! # let _ = async move {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! axum::serve(listener, app.into_make_service()).await
//! # };
//! # Ok::<_, tower_jverify::ConfigError>(())
//! ```

use std::{
    convert::Infallible,
    fmt,
    ops::Deref,
    task::{Context, Poll},
};

use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use tower::{BoxError, util::MapResponse};
use tower_layer::Layer;
use tower_service::Service;

use super::{JVerifyLayer, service::JVerify};
use crate::{
    body::ResponseBody,
    check::Check,
    check_kind::CheckKind,
    decision::{Action, Decision, DecisionReason, Policy},
    phone::Phone,
    verdict::{Class, Verdict},
};

/// An axum extractor: the decision of a request that was verified. Derefs to [`Decision`].
///
/// A handler that takes it cannot run for anything else: not for an unguarded route, not for what a policy opened for an
/// outage.
///
/// # Errors
///
/// 500 with [`VerifiedRejection`], when no decision is there (the layer is not mounted, or no rule matches the route) or when
/// it let the request through unverified.
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

/// A router under the layer, with axum's own request and response bodies, ready for `axum::serve`. Made by
/// [`JVerifyLayer::around`].
///
/// A type of its own, because it is a service of one kind of request only: so `into_make_service` knows which.
pub struct Around<V>(Inner<V>);

type Inner<V> = MapResponse<JVerify<Router, V>, fn(http::Response<ResponseBody<Body>>) -> Response>;

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

// === impl JVerifyLayer ===

impl<V> JVerifyLayer<V> {
    /// Wraps a whole router, for `axum::serve`: cheaper than `Router::layer`, which wraps every route, and it sees the
    /// path before the router does. The application's own body comes back as it was, in no second box.
    pub fn around(&self, router: Router) -> Around<V> {
        Around(MapResponse::new(self.layer(router), |response| {
            response.map(|body| match body.into_inner() {
                Ok(body) => body,
                Err(denial) => Body::from(denial),
            })
        }))
    }
}

// === impl Around ===

impl<V> Clone for Around<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V> fmt::Debug for Around<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around").finish_non_exhaustive()
    }
}

impl<V> Service<Request> for Around<V>
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = <Inner<V> as Service<Request>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.0.call(request)
    }
}
