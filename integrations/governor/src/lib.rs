//! The limiter of `tower_governor` around the layer: see docs/integrations.md.

// begin: as in docs/integrations.md
use std::{convert::Infallible, error::Error};

use axum::{Router, extract::Request, response::Response};
use tower::{Layer, Service};
use tower_governor::{GovernorLayer, governor::GovernorConfigBuilder};
use tower_jverify::{Check, JVerifyLayer, Verdict};

/// Each address has a burst of ten requests, and another one every 30 s. What the limiter refuses never reaches the layer, and costs nothing.
pub fn limited<V>(
    layer: &JVerifyLayer<V>,
    router: Router,
) -> Option<impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static>
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<Box<dyn Error + Send + Sync>>,
    V::Future: Send,
{
    // Its key is the peer's address, which is the client's only without a proxy in front.
    let limit = GovernorConfigBuilder::default().per_second(30).burst_size(10).finish()?;
    Some(GovernorLayer::new(limit).layer(layer.around(router)))
}
// end

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_has_this_program() {
        tower_jverify_support::is_in_the_document(include_str!("lib.rs"));
    }
}
