//! The layer as a hoop of salvo: see docs/integrations.md.

// begin: as in docs/integrations.md
use std::error::Error;

use http::Request;
use http_body_util::BodyExt;
use salvo::{Handler, http::ReqBody, prelude::TowerLayerCompat};
use tower::{Service, ServiceBuilder};
use tower_jverify::{Check, JVerifyLayer, RequestBody, Verdict};

/// The layer as a hoop: `Router::new().hoop(guarded_by(layer))`.
pub fn guarded_by<V>(layer: JVerifyLayer<V>) -> impl Handler
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<Box<dyn Error + Send + Sync>>,
    V::Future: Send,
{
    ServiceBuilder::new().layer(layer).map_request(into_salvo).compat::<ReqBody>()
}

/// salvo's own body, where the layer has not read it.
fn into_salvo(request: Request<RequestBody<ReqBody>>) -> Request<ReqBody> {
    request.map(|body| {
        body.into_inner()
            .unwrap_or_else(|body| ReqBody::Boxed { inner: Box::pin(body.map_err(Into::into)), fuse_config: None })
    })
}
// end

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_has_this_program() {
        tower_jverify_support::is_in_the_document(include_str!("lib.rs"));
    }
}
