//! TLS to Redis. It is always verified.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_rustls::TlsConnector;

use crate::error::ConfigError;

/// # Errors
///
/// Names `redis.extra_root_pem`.
pub(super) fn connector(extra_roots: &[Vec<u8>]) -> Result<TlsConnector, ConfigError> {
    let wrong = |problem: &'static str| ConfigError::unshown("redis.extra_root_pem", problem);
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for pem in extra_roots {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| wrong("not PEM"))?;
            roots.add(certificate).map_err(|_| wrong("it contains a certificate that cannot be a root"))?;
        }
        if roots.len() == before {
            return Err(wrong("it contains no certificate"));
        }
    }
    // The provider is passed explicitly, because a process may have several providers or no default.
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| ConfigError::unshown("redis", "the crypto provider has no protocol version"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
