//! Nothing is sent over TLS that cannot be verified.

use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs::default_provider,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use super::support::{Conn, PASS, Server, assert_silent, client, http, number};

/// A server's half of TLS, and the root by which it can be trusted.
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) root: String,
}

struct Authority {
    root: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        Self { root, issuer: Issuer::new(params, key) }
    }

    fn serve(&self, params: &CertificateParams, alpn: &[&str]) -> Tls {
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Tls { acceptor: acceptor(&leaf, &key, alpn), root: self.root.pem() }
    }
}

impl Tls {
    pub(crate) fn trusted() -> Self {
        Authority::new().serve(&params("localhost"), &["http/1.1"])
    }

    pub(crate) fn trusted_with(alpn: &[&str]) -> Self {
        Authority::new().serve(&params("localhost"), alpn)
    }
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

fn acceptor(leaf: &Certificate, key: &KeyPair, alpn: &[&str]) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// Answers every request of a connection after the TLS handshake.
pub(crate) async fn answer(acceptor: TlsAcceptor, conn: Conn, response: String) {
    let Some(mut conn) = conn.wrap(|stream| acceptor.accept(stream)).await else { return };
    while conn.request().await.is_some() {
        conn.write(&response).await;
    }
}

async fn serving(acceptor: TlsAcceptor) -> Server {
    Server::start(move |conn| answer(acceptor.clone(), conn, http(200, PASS))).await
}

async fn assert_nothing_is_revealed(tls: Tls, host: &str) {
    let server = serving(tls.acceptor).await;
    let jpush =
        client(&format!("https://{host}:{}", server.port())).extra_root_pem(tls.root.as_bytes()).build().unwrap();
    let error = jpush.ask(number()).await.unwrap_err();
    assert!(error.is_connect() && error.nothing_sent() && !error.is_timeout(), "{error:?}");
    assert_silent(&error);
    assert!(server.connections() > 0 && server.requests().is_empty());
    assert_only_tls(&server);
}

fn assert_only_tls(server: &Server) {
    let raw = server.raw();
    assert_eq!(raw.first(), Some(&0x16), "a TLS handshake record");
    let text = String::from_utf8_lossy(&raw).into_owned();
    for plain in ["POST", "Basic", "token", super::support::TOKEN, super::support::PHONE] {
        assert!(!text.contains(plain), "{plain} in the clear");
    }
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_for_the_right_host_is_taken() {
    let tls = Tls::trusted();
    let server = serving(tls.acceptor).await;
    let jpush =
        client(&format!("https://localhost:{}", server.port())).extra_root_pem(tls.root.as_bytes()).build().unwrap();
    for _ in 0..3 {
        assert!(jpush.ask(number()).await.unwrap().class().is_pass());
    }
    assert_eq!((server.connections(), server.requests().len()), (1, 3));
    assert_only_tls(&server);
}

#[tokio::test]
async fn a_certificate_for_another_host_is_not() {
    let authority = Authority::new();
    assert_nothing_is_revealed(authority.serve(&params("api.verification.jpush.cn"), &[]), "localhost").await;
    assert_nothing_is_revealed(authority.serve(&params("localhost"), &[]), "127.0.0.1").await;
}

#[tokio::test]
async fn an_expired_certificate_is_not() {
    let mut old = params("localhost");
    old.not_before = date_time_ymd(1999, 1, 1);
    old.not_after = date_time_ymd(2000, 1, 1);
    assert_nothing_is_revealed(Authority::new().serve(&old, &[]), "localhost").await;
}

#[tokio::test]
async fn a_certificate_of_the_future_is_not() {
    let mut early = params("localhost");
    early.not_before = date_time_ymd(4000, 1, 1);
    assert_nothing_is_revealed(Authority::new().serve(&early, &[]), "localhost").await;
}

#[tokio::test]
async fn a_self_signed_certificate_is_not() {
    let key = KeyPair::generate().unwrap();
    let own = params("localhost").self_signed(&key).unwrap();
    let tls = Tls { acceptor: acceptor(&own, &key, &[]), root: Authority::new().root.pem() };
    assert_nothing_is_revealed(tls, "localhost").await;
}

#[tokio::test]
async fn a_certificate_of_an_untrusted_authority_is_not() {
    let tls = Tls { root: Authority::new().root.pem(), ..Authority::new().serve(&params("localhost"), &[]) };
    assert_nothing_is_revealed(tls, "localhost").await;
}

#[tokio::test]
async fn by_default_only_public_authorities_are_trusted() {
    let server = serving(Tls::trusted().acceptor).await;
    let error =
        client(&format!("https://localhost:{}", server.port())).build().unwrap().ask(number()).await.unwrap_err();
    assert!(error.is_connect() && error.nothing_sent(), "{error:?}");
    assert_only_tls(&server);
}

#[tokio::test]
async fn a_server_without_tls_receives_nothing() {
    let server = Server::start(|mut conn| async move {
        conn.write(http(200, PASS)).await;
        conn.request().await;
    })
    .await;
    let error =
        client(&format!("https://localhost:{}", server.port())).build().unwrap().ask(number()).await.unwrap_err();
    assert!(error.is_connect() && error.nothing_sent(), "{error:?}");
    assert_silent(&error);
    assert_only_tls(&server);
}
