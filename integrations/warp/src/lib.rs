//! The layer around a filter of warp: see docs/integrations.md.

// begin: as in docs/integrations.md
use std::error::Error;

use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::TcpListener;
use tower::{Layer, Service};
use tower_jverify::{Check, JVerifyLayer, Verdict};
use warp::{Filter, Rejection, Reply};

type BoxError = Box<dyn Error + Send + Sync>;

/// Serves a filter behind the layer. warp's own server takes filters alone, so hyper serves it.
///
/// # Errors
///
/// If the listener accepts no more connections.
pub async fn serve<F, V>(listener: TcpListener, filter: F, layer: JVerifyLayer<V>) -> std::io::Result<()>
where
    F: Filter<Error = Rejection> + Clone + Send + Sync + 'static,
    F::Extract: Reply,
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
{
    let guarded = layer.layer(warp::service(filter));
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(guarded.clone());
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
// end

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_has_this_program() {
        tower_jverify_support::is_in_the_document(include_str!("lib.rs"));
    }
}
