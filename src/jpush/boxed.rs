//! One type for clients over different transports, such as JPush in production and the sandbox in a test.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf as _, Bytes};
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use tower_service::Service;

use super::{BoxError, client::JPush};

/// A client over a transport whose type is erased: see [`JPush::boxed`].
///
/// ```
/// use tower_jverify::{BoxJPush, Credentials, JPush};
///
/// # fn main() -> Result<(), tower_jverify::ConfigError> {
/// let jpush: BoxJPush = JPush::builder(Credentials::new("app key", "master secret")?).build()?.boxed();
/// # let _ = jpush;
/// # Ok(())
/// # }
/// ```
pub type BoxJPush = JPush<BoxTransport>;

/// A transport whose type is erased. Created by [`JPush::boxed`].
pub struct BoxTransport(Box<dyn Transport>);

type Reply = Response<UnsyncBoxBody<Bytes, BoxError>>;

type ReplyFuture = Pin<Box<dyn Future<Output = Result<Reply, BoxError>> + Send>>;

/// What a client needs of a transport, without the transport's type.
trait Transport: Send + Sync {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>>;

    fn call(&mut self, request: Request<Full<Bytes>>) -> ReplyFuture;

    fn boxed(&self) -> Box<dyn Transport>;
}

// === impl JPush ===

impl<T> JPush<T> {
    /// Erases the transport's type, so that a client of JPush and a client of the sandbox have one type. All settings stay. It
    /// costs a few allocations per check.
    ///
    /// ```
    /// use tower_jverify::{BoxJPush, ConfigError, Credentials, JPush, JVerifyLayer, Rule, number};
    /// # #[cfg(feature = "sandbox")]
    /// # fn main() -> Result<(), ConfigError> {
    /// use tower_jverify::Sandbox;
    ///
    /// fn client(is_test: bool) -> Result<BoxJPush, ConfigError> {
    ///     Ok(if is_test {
    ///         Sandbox::new().client().build()?.boxed()
    ///     } else {
    ///         JPush::builder(Credentials::from_env()?).build()?.boxed()
    ///     })
    /// }
    ///
    /// let layer: JVerifyLayer<BoxJPush> =
    ///     JVerifyLayer::builder(client(true)?).rule(Rule::post("/login", number())).build()?;
    /// # let _ = layer;
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "sandbox"))]
    /// # fn main() {}
    /// ```
    pub fn boxed<B>(self) -> BoxJPush
    where
        T: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
        T::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        T::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.map_transport(|transport| BoxTransport(Box::new(transport)))
    }
}

// === impl Transport ===

impl<T, B> Transport for T
where
    T: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
    T::Error: Into<BoxError>,
    T::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Service::poll_ready(self, cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> ReplyFuture {
        let reply = Service::call(self, request);
        Box::pin(async move { Ok(reply.await.map_err(Into::into)?.map(erase)) })
    }

    fn boxed(&self) -> Box<dyn Transport> {
        Box::new(self.clone())
    }
}

fn erase<B>(body: B) -> UnsyncBoxBody<Bytes, BoxError>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let of_bytes = body.map_frame(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())));
    of_bytes.map_err(Into::into).boxed_unsync()
}

// === impl BoxTransport ===

impl Service<Request<Full<Bytes>>> for BoxTransport {
    type Response = Reply;
    type Error = BoxError;
    type Future = ReplyFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> ReplyFuture {
        self.0.call(request)
    }
}

/// A clone is not ready, even if the original is.
impl Clone for BoxTransport {
    fn clone(&self) -> Self {
        Self(self.0.boxed())
    }
}

impl fmt::Debug for BoxTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxTransport").finish_non_exhaustive()
    }
}
