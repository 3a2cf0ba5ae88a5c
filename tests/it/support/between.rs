//! Two services of the layer, one inside of the other, with a middleware between them.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_jverify::{JVerify, JVerifyLayer, RequestBody};

use super::{Application, Verifier};

/// Sends a request through both; the middleware changes it. Returns the status.
pub(crate) async fn send_through<M>(
    outer: &JVerifyLayer<Verifier>,
    between: M,
    inner: JVerify<Application, Verifier>,
    request: Request<Full<Bytes>>,
) -> u16
where
    M: Fn(Request<Full<Bytes>>) -> Request<Full<Bytes>> + Clone + Send + 'static,
{
    let middle = service_fn(move |request: Request<RequestBody<Full<Bytes>>>| {
        let (between, inner) = (between.clone(), inner.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(|_| "no body")?.to_bytes();
            Ok::<_, BoxError>(inner.oneshot(between(Request::from_parts(parts, Full::new(body)))).await?)
        }
    });
    outer.layer(middle).oneshot(request).await.unwrap().status().as_u16()
}

/// The middleware that changes nothing.
pub(crate) fn unchanged(request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request
}
