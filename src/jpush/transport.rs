//! The default transport: hyper over rustls, with a pool of HTTP/1.1 connections, or hyper-util's client for HTTP/2.
//!
//! It always verifies certificates, does not follow redirects (hyper has none) and reads proxy variables only if configured. The
//! crypto provider is passed and never installed for the process, because that choice belongs to the application.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tower_service::Service;

use super::{
    base_url::BaseUrl,
    dial::{Dial, Dialler},
    errors,
    http1::{Exchange, Http1},
    pool::Pool,
    proxy::{Proxy, ProxySettings},
    resolve::Resolver,
    route::Route,
};
use crate::{call_error::CallError, error::ConfigError};

/// How long an HTTP/2 connection with checks in flight may be silent before it gets a ping, and after the ping before it is
/// closed.
const HTTP2_PING: Duration = Duration::from_secs(2);

/// The shortest `idle_timeout` with `keep_warm`: after this time the connection is dialled again.
const SHORTEST_KEPT: Duration = Duration::from_secs(1);

/// The default transport of [`JPush`](super::JPush): HTTPS with a pool of connections. Cheap to clone; clones share
/// the pool. Settings are those of [`JPushBuilder`](super::JPushBuilder).
#[derive(Clone)]
pub struct Https(Protocol);

/// The protocol is fixed, so that it need not be negotiated. A pool of HTTP/1.1 connections is faster to a distant host than one
/// HTTP/2 connection.
#[derive(Clone)]
enum Protocol {
    Http1(Arc<Http1>),
    Http2(Arc<Client<Dial, Full<Bytes>>>),
}

/// The future of [`Https`].
#[must_use = "futures do nothing unless polled"]
pub struct HttpsFuture(Call);

enum Call {
    Http1(Exchange),
    Http2(legacy::ResponseFuture),
}

/// The body of a reply of [`Https`].
pub struct HttpsBody(Incoming);

/// The settings of [`Https`].
#[derive(Debug)]
pub(super) struct HttpsSettings {
    /// DNS, TCP, proxy and TLS together.
    pub(super) connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub(super) idle_timeout: Duration,
    /// How many unused connections are kept.
    pub(super) max_idle: usize,
    /// HTTP/2 only, instead of HTTP/1.1 only.
    pub(super) http2: bool,
    /// The operating system's roots instead of Mozilla's.
    pub(super) platform_roots: bool,
    /// More certificate authorities, in PEM.
    pub(super) extra_roots: Vec<Box<[u8]>>,
    pub(super) proxy: ProxySettings,
    /// Keeps one connection for the next dial.
    pub(super) keep_warm: bool,
}

/// The result of [`Https::build`].
pub(super) struct Built<T> {
    pub(super) transport: T,
    pub(super) dial: Dial,
    pub(super) proxy: Option<Proxy>,
}

// === impl Https ===

impl Https {
    /// Builds the client. With a plain base URL it uses plain HTTP, otherwise only TLS.
    ///
    /// # Errors
    ///
    /// If a setting is invalid. The error names it.
    pub(super) fn build(settings: &HttpsSettings, base: &BaseUrl) -> Result<Built<Self>, ConfigError> {
        settings.check()?;
        let root = base.endpoint("/")?;
        let proxy = settings.proxy.proxy_for(&root)?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(settings.tls()?);
        let connector = if base.is_plain() { connector.https_or_http() } else { connector.https_only() };
        let resolver = Resolver::new(base.reach());
        let mut tcp = HttpConnector::new_with_resolver(resolver.clone());
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let route = Route::new(tcp, proxy.as_ref());
        let connector = if settings.http2 {
            connector.enable_http2().wrap_connector(route)
        } else {
            connector.enable_http1().wrap_connector(route)
        };
        let dialler = Dialler {
            connector,
            resolver,
            base: root,
            timeout: settings.connect_timeout,
            http2: settings.http2,
            lacked: Mutex::default(),
        };
        let dial = Dial::new(dialler, settings.idle_timeout, settings.keep_warm);
        let protocol = if settings.http2 {
            Protocol::Http2(Arc::new(settings.http2_client(dial.clone())))
        } else {
            Protocol::Http1(Arc::new(Http1::new(dial.clone(), Pool::new(settings.idle_timeout, settings.max_idle))))
        };
        Ok(Built { transport: Self(protocol), dial, proxy })
    }
}

impl Service<Request<Full<Bytes>>> for Https {
    type Response = Response<HttpsBody>;
    type Error = CallError;
    type Future = HttpsFuture;

    /// Always ready: the pool has no limit. Put limits into the layer, or use Tower's.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> HttpsFuture {
        HttpsFuture(match &self.0 {
            Protocol::Http1(client) => Call::Http1(client.call(request)),
            Protocol::Http2(client) => Call::Http2(client.request(request)),
        })
    }
}

impl fmt::Debug for Https {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Https").finish_non_exhaustive()
    }
}

// === impl HttpsFuture ===

impl Future for HttpsFuture {
    type Output = Result<Response<HttpsBody>, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match &mut self.0 {
            Call::Http1(exchange) => ready!(Pin::new(exchange).poll(cx)),
            Call::Http2(call) => ready!(Pin::new(call).poll(cx)).map_err(errors::client),
        };
        Poll::Ready(answer.map(|response| response.map(HttpsBody)))
    }
}

impl fmt::Debug for HttpsFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsFuture").finish_non_exhaustive()
    }
}

// === impl HttpsBody ===

impl Body for HttpsBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for HttpsBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsBody").finish_non_exhaustive()
    }
}

// === impl HttpsSettings ===

impl Default for HttpsSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            idle_timeout: Duration::from_secs(15),
            max_idle: 256,
            http2: false,
            platform_roots: false,
            extra_roots: Vec::new(),
            proxy: ProxySettings::default(),
            keep_warm: false,
        }
    }
}

impl HttpsSettings {
    /// The first setting that is not at its default.
    pub(super) fn changed(&self) -> Option<&'static str> {
        let Self { connect_timeout, idle_timeout, max_idle, http2, platform_roots, extra_roots, proxy, keep_warm } =
            self;
        let usual = Self::default();
        let settings = [
            ("connect_timeout", *connect_timeout != usual.connect_timeout),
            ("idle_timeout", *idle_timeout != usual.idle_timeout),
            ("max_idle", *max_idle != usual.max_idle),
            ("http2", *http2 != usual.http2),
            ("platform_roots", *platform_roots != usual.platform_roots),
            ("extra_root_pem", *extra_roots != usual.extra_roots),
            ("proxy", proxy.url.is_some()),
            ("proxy_from_env", proxy.from_env),
            ("keep_warm", *keep_warm != usual.keep_warm),
        ];
        settings.into_iter().find_map(|(name, is_changed)| is_changed.then_some(name))
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.connect_timeout.is_zero() {
            return Err(ConfigError::new("connect_timeout", "0", "must be more than zero"));
        }
        if self.idle_timeout.is_zero() {
            return Err(ConfigError::new("idle_timeout", "0", "every call would open a new connection"));
        }
        if self.max_idle == 0 {
            return Err(ConfigError::new("max_idle", "0", "every call would open a new connection"));
        }
        if self.keep_warm && self.idle_timeout < SHORTEST_KEPT {
            return Err(ConfigError::new(
                "keep_warm",
                format!("true, with an `idle_timeout` of {:?}", self.idle_timeout),
                "the spare connection would be dialled more than once a second",
            ));
        }
        Ok(())
    }

    fn http2_client(&self, dial: Dial) -> Client<Dial, Full<Bytes>> {
        Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(self.idle_timeout)
            .pool_max_idle_per_host(self.max_idle)
            .http2_only(true)
            // On a dead HTTP/2 connection every check would fail until TCP gives up. So it gets pings while checks wait.
            .timer(TokioTimer::new())
            .http2_keep_alive_interval(HTTP2_PING)
            .http2_keep_alive_timeout(HTTP2_PING)
            // The request has its `Host`.
            .set_host(false)
            // This is safe: hyper returns a request only if it was never taken to be written (see `Http1`), and hyper-util repeats it
            // only if the connection was reused.
            .retry_canceled_requests(true)
            .build(dial)
    }

    fn tls(&self) -> Result<ClientConfig, ConfigError> {
        let roots = self.roots()?;
        Ok(ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| ConfigError::unshown("tls", "the crypto provider has no protocol version"))?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }

    fn roots(&self) -> Result<RootCertStore, ConfigError> {
        let mut roots = self.base_roots()?;
        for pem in &self.extra_roots {
            let wrong = |problem: &'static str| ConfigError::unshown("extra_root_pem", problem);
            let mut found = false;
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| wrong("not PEM"))?;
                roots.add(certificate).map_err(|_| wrong("it contains a certificate that cannot be a root"))?;
                found = true;
            }
            if !found {
                return Err(wrong("it contains no certificate"));
            }
        }
        Ok(roots)
    }

    fn base_roots(&self) -> Result<RootCertStore, ConfigError> {
        if self.platform_roots { platform_roots() } else { Ok(mozilla_roots()) }
    }
}

#[cfg(feature = "platform-roots")]
fn platform_roots() -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    // Some certificates of a system are often unreadable. It is enough that some can be read.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(ConfigError::unshown("platform_roots", "the operating system has no certificate roots"));
    }
    Ok(roots)
}

#[cfg(not(feature = "platform-roots"))]
fn platform_roots() -> Result<RootCertStore, ConfigError> {
    Err(ConfigError::feature("platform_roots", "true", "platform-roots"))
}

fn mozilla_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}
