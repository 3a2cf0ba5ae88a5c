//! Conversion of the request body to axum's body.

use axum::body::Body;

use super::request::RequestBody;

/// Returns the original body without another box if [`RequestBody::into_inner`] returns it. A replay, and a body whose
/// trailers are filtered, are boxed.
///
/// ```
/// use axum::{Router, body::Body, extract::Request};
/// use tower::{Layer, util::MapRequestLayer};
/// use tower_jverify::{JVerifyLayer, RequestBody, Rule, number};
/// # use tower_jverify::{Check, Class, Verdict};
/// # let verifier = tower::service_fn(|check: Check| async move {
/// #     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
/// # });
///
/// let layer = JVerifyLayer::builder(verifier).rule(Rule::post("/login", number())).build()?;
/// // A service that takes `Request<Body>` and nothing else.
/// let only_axum = tower::service_fn(|_: Request| async { Ok::<_, std::convert::Infallible>(axum::response::Response::new(Body::empty())) });
/// let service = layer.layer(MapRequestLayer::new(|request: Request<RequestBody<Body>>| request.map(Body::from)).layer(only_axum));
/// # let _ = service;
/// # Ok::<_, tower_jverify::ConfigError>(())
/// ```
impl From<RequestBody<Body>> for Body {
    fn from(body: RequestBody<Body>) -> Self {
        match body.into_inner() {
            Ok(body) => body,
            Err(body) => Self::new(body),
        }
    }
}
