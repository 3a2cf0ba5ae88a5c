//! Wraps a whole axum router.

use std::{
    convert::Infallible,
    fmt, future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    Router, ServiceExt,
    body::Body,
    extract::{Request, connect_info::IntoMakeServiceWithConnectInfo},
    response::Response,
    routing::{IntoMakeService, future::RouteFuture},
    serve::{IncomingStream, Listener},
};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{JVerifyLayer, future::ResponseFuture, service::JVerify};
use crate::{body::RequestBody, check::Check, verdict::Verdict};

/// A router inside the layer, with axum's request and response bodies. Created by [`JVerifyLayer::around`].
///
/// `axum::serve` accepts it like a `Router`:
///
/// ```
/// use axum::{Router, routing::post};
/// use tower_jverify::{Check, Class, JVerifyLayer, Rule, Verdict, Verified, number};
///
/// async fn login(verified: Verified) -> String {
///     verified.phone().map(|phone| phone.masked().to_string()).unwrap_or_default()
/// }
///
/// # let verifier = tower::service_fn(|check: Check| async move {
/// #     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
/// # });
/// let layer = JVerifyLayer::builder(verifier).rule(Rule::post("/login", number())).build()?;
/// let app = layer.around(Router::new().route("/login", post(login)));
///
/// # let _ = async move {
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// axum::serve(listener, app).await
/// # };
/// # Ok::<_, tower_jverify::ConfigError>(())
/// ```
pub struct Around<V>(JVerify<Unboxing, V>);

/// A router that receives the original body if the layer has not read it.
#[derive(Clone)]
struct Unboxing(Router);

pin_project! {
    /// The future of [`Around`].
    #[must_use = "futures do nothing unless polled"]
    pub struct AroundFuture {
        #[pin]
        inner: ResponseFuture<Unboxing, Body>,
    }
}

// === impl JVerifyLayer ===

impl<V> JVerifyLayer<V> {
    /// Wraps a whole router, for `axum::serve`. This is cheaper than `Router::layer`, which wraps every route, and the
    /// layer reads the path before the router does. Request bodies that the layer has not read, and the application's
    /// response bodies, are not boxed again.
    pub fn around(&self, router: Router) -> Around<V> {
        Around(self.layer(Unboxing(router)))
    }
}

// === impl Around ===

impl<V> Around<V>
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    V::Future: Send,
{
    /// Returns a service that creates one `Around` per connection, like `Router::into_make_service`.
    pub fn into_make_service(self) -> IntoMakeService<Self> {
        ServiceExt::<Request>::into_make_service(self)
    }

    /// As [`Around::into_make_service`], with the peer's address as `axum::extract::ConnectInfo<C>`, which
    /// `ClientIp::peer()` reads if `C` is `std::net::SocketAddr`.
    ///
    /// ```no_run
    /// # use tower_jverify::{JVerifyLayer, JPush};
    /// # async fn serve(layer: JVerifyLayer<JPush>, router: axum::Router) -> std::io::Result<()> {
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// let app = layer.around(router).into_make_service_with_connect_info::<std::net::SocketAddr>();
    /// axum::serve(listener, app).await
    /// # }
    /// ```
    pub fn into_make_service_with_connect_info<C>(self) -> IntoMakeServiceWithConnectInfo<Self, C> {
        ServiceExt::<Request>::into_make_service_with_connect_info(self)
    }
}

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
    V::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    V::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = AroundFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, request: Request) -> AroundFuture {
        AroundFuture { inner: self.0.call(request) }
    }
}

/// The trait that `axum::serve` requires for each connection, as implemented for `Router`.
impl<V, L: Listener> Service<IncomingStream<'_, L>> for Around<V> {
    type Response = Self;
    type Error = Infallible;
    type Future = future::Ready<Result<Self, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: IncomingStream<'_, L>) -> Self::Future {
        future::ready(Ok(self.clone()))
    }
}

// === impl Unboxing ===

impl Service<Request<RequestBody<Body>>> for Unboxing {
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, request: Request<RequestBody<Body>>) -> Self::Future {
        self.0.call(request.map(Body::from))
    }
}

// === impl AroundFuture ===

impl Future for AroundFuture {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().inner.poll(cx))?;
        Poll::Ready(Ok(response.map(|body| match body.into_inner() {
            Ok(body) => body,
            Err(denial) => Body::from(denial),
        })))
    }
}

impl fmt::Debug for AroundFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AroundFuture").finish_non_exhaustive()
    }
}
