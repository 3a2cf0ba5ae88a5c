//! The settings of a client, checked when it is built.

use std::{fmt, time::Duration};

use super::{
    base_url::{BaseUrl, VENDOR},
    client::{JPush, Shared},
    credentials::Credentials,
    one_tap::OneTapKey,
    proof_bytes::ProofBytes,
    request::Endpoints,
    sandboxed,
    transport::{Https, HttpsSettings},
};
use crate::{error::ConfigError, secret::Secret};

/// Builds a [`JPush`]. From [`JPush::builder`].
///
/// ```
/// use std::time::Duration;
///
/// use tower_jverify::{Credentials, JPush};
///
/// # fn main() -> Result<(), tower_jverify::ConfigError> {
/// let jpush = JPush::builder(Credentials::new("app key", "master secret")?)
///     .connect_timeout(Duration::from_secs(1))
///     .require_ex_id()
///     .build()?;
/// # let _ = jpush;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build()`"]
pub struct JPushBuilder<T = Https> {
    credentials: Result<Credentials, ConfigError>,
    base_url: Box<str>,
    call_timeout: Duration,
    one_tap_key: Result<Option<OneTapKey>, ConfigError>,
    proof_bytes: ProofBytes,
    requires_ex_id: bool,
    transport: Transport<T>,
    /// The setting of the default transport that was made before another transport replaced it.
    replaced: Option<&'static str>,
}

enum Transport<T> {
    Given(T),
    /// The function is `Https::build`: a `T` that only the default transport's builder can name.
    Default(Box<HttpsSettings>, fn(&HttpsSettings, &BaseUrl) -> Result<T, ConfigError>),
}

// === impl JPush ===

impl JPush<Https> {
    /// Begins a client that calls over HTTPS.
    pub fn builder(credentials: Credentials) -> JPushBuilder {
        JPushBuilder::https(Ok(credentials))
    }
}

// === impl JPushBuilder ===

impl JPushBuilder<Https> {
    pub(super) fn https(credentials: Result<Credentials, ConfigError>) -> Self {
        Self {
            credentials,
            base_url: VENDOR.into(),
            call_timeout: Duration::from_secs(5),
            one_tap_key: Ok(None),
            proof_bytes: ProofBytes::default(),
            requires_ex_id: false,
            transport: Transport::Default(Box::default(), Https::build),
            replaced: None,
        }
    }

    /// How long a connection may take to come about: DNS, TCP and TLS together. Default: 2 s.
    ///
    /// A dial that fails is tried once more, so twice this should fit into the deadline of a check.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        self.with(|https| https.connect_timeout = timeout)
    }

    /// How long an unused connection is kept. Default: 15 s. The vendor's own limit is not documented; keep below it.
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.with(|https| https.idle_timeout = timeout)
    }

    /// How many unused connections are kept. Default: 256, as many as the layer's checks in flight.
    pub fn max_idle(self, connections: usize) -> Self {
        self.with(|https| https.max_idle = connections)
    }

    /// Speaks HTTP/2 instead of HTTP/1.1; on a plain base URL with prior knowledge. Default: HTTP/1.1, because one
    /// HTTP/2 connection carries only as many calls at a time as the server allows.
    pub fn http2(self) -> Self {
        self.with(|https| https.http2 = true)
    }

    /// Trusts the operating system's certificate roots (or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name) instead
    /// of Mozilla's.
    ///
    /// Requires the Cargo feature `platform-roots`: without it `build()` returns an error.
    pub fn platform_roots(self) -> Self {
        self.with(|https| https.platform_roots = true)
    }

    /// Trusts one more certificate authority (one or more certificates in PEM), as of a company's egress proxy.
    pub fn extra_root_pem(self, pem: &[u8]) -> Self {
        self.with(|https| https.extra_roots.push(pem.into()))
    }

    fn with(mut self, set: impl FnOnce(&mut HttpsSettings)) -> Self {
        if let Transport::Default(settings, _) = &mut self.transport {
            set(settings);
        }
        self
    }
}

impl<T> JPushBuilder<T> {
    /// Sends the calls through another transport than HTTPS: any `Service<http::Request<Full<Bytes>>>`, such as a client that the
    /// application has already. Default: [`Https`].
    ///
    /// **Danger:** the transport must verify TLS, must not follow redirects, and must not send a request twice: a check that was
    /// sent may have spent its token.
    ///
    /// With another transport, `build()` refuses the settings of [`Https`]: `connect_timeout`, `idle_timeout`, `max_idle`, `http2`,
    /// `platform_roots` and `extra_root_pem`. With a `Sandbox`, its documented proofs are sent, whatever
    /// [`JPushBuilder::proof_bytes`] allows.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http_body_util::Full;
    /// use tower_jverify::{Credentials, JPush};
    ///
    /// # fn main() -> Result<(), tower_jverify::ConfigError> {
    /// let transport = tower::service_fn(|_: http::Request<Full<Bytes>>| async {
    ///     Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::from_static(b"{}"))))
    /// });
    /// let jpush = JPush::builder(Credentials::new("app key", "master secret")?).transport(transport).build()?;
    /// # let _ = jpush;
    /// # Ok(())
    /// # }
    /// ```
    pub fn transport<U: 'static>(self, transport: U) -> JPushBuilder<U> {
        let Self { credentials, base_url, call_timeout, one_tap_key, proof_bytes, requires_ex_id, .. } = self;
        let replaced = match self.transport {
            Transport::Given(_) => self.replaced,
            Transport::Default(settings, _) => settings.changed(),
        };
        let transport = Transport::Given(transport);
        JPushBuilder {
            credentials,
            base_url,
            call_timeout,
            one_tap_key,
            proof_bytes,
            requires_ex_id,
            transport,
            replaced,
        }
    }

    /// Where the API is. Default: `https://api.verification.jpush.cn`. A path in front of the vendor's is allowed.
    ///
    /// Plain `http://` only to a loopback host (`127.0.0.0/8`, `::1`, `localhost`).
    pub fn base_url(mut self, url: &str) -> Self {
        self.base_url = url.into();
        self
    }

    /// How long [`JPush::ask`] waits altogether. Default: 5 s. Under the layer its deadline counts instead.
    ///
    /// A check that is given up may have spent its token, so be generous.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// The developer's private key, by which the phone of a one-tap login is read: PEM of PKCS#8 or PKCS#1. Default:
    /// none, and every one-tap check is [`Class::Misconfigured`](crate::Class::Misconfigured) without a call.
    pub fn one_tap_key(mut self, pem: &Secret) -> Self {
        self.one_tap_key = OneTapKey::from_pem(pem.expose()).map(Some);
        self
    }

    /// Allows more bytes in the proofs that are sent: a `token`, `loginToken` or `captchaContent`. Can be set repeatedly.
    ///
    /// By default a proof has 1 to 4,096 bytes of `A-Z a-z 0-9 + / = _ - . ~ :`, without `..`. Any other is answered
    /// [`Class::Invalid`](crate::Class::Invalid), and nothing is sent: a firewall or gateway in front of JPush may answer
    /// for JPush to what a client put there. The length, `..` and control characters cannot be allowed.
    ///
    /// ```
    /// use tower_jverify::{Credentials, JPush};
    ///
    /// # fn main() -> Result<(), tower_jverify::ConfigError> {
    /// let credentials = Credentials::new("app key", "master secret")?;
    /// let jpush = JPush::builder(credentials).proof_bytes(*b"#|").proof_bytes(0x80..=0xff).build()?;
    /// # let _ = jpush;
    /// # Ok(())
    /// # }
    /// ```
    pub fn proof_bytes(mut self, bytes: impl IntoIterator<Item = u8>) -> Self {
        self.proof_bytes.allow(bytes);
        self
    }

    /// Believes a pass only if it repeats the check's `exID`; any other is an error, and never lets a request through. A
    /// check without an `exID` gets one. Default: a pass without an `exID` is believed, because the vendor's own example
    /// leaves it out.
    ///
    /// It protects from a late surplus reply of the vendor's edge, which could be taken for the answer to the next check on
    /// the same connection. Set it once your endpoints are known to repeat the `exID`: a WARN is written the first time that
    /// an endpoint which repeats it sends a pass without.
    pub fn require_ex_id(mut self) -> Self {
        self.requires_ex_id = true;
        self
    }

    /// Builds the client. Nothing is sent and nothing resolved.
    ///
    /// # Errors
    ///
    /// When a setting cannot stand; the error names it: `base_url`, `connect_timeout`, `call_timeout`, `idle_timeout`,
    /// `max_idle`, `http2`, `platform_roots`, `extra_root_pem`, `one_tap_key`, `proof_bytes`.
    pub fn build(self) -> Result<JPush<T>, ConfigError>
    where
        T: 'static,
    {
        let base = BaseUrl::parse(&self.base_url)?;
        if self.call_timeout.is_zero() {
            return Err(ConfigError::new("call_timeout", "0", "nobody answers in no time"));
        }
        self.proof_bytes.validate()?;
        if let Some(setting) = self.replaced {
            return Err(ConfigError::unshown(
                setting,
                "it belongs to the default transport, which `transport` replaces",
            ));
        }
        let transport = match self.transport {
            Transport::Given(transport) => transport,
            Transport::Default(settings, build) => build(&settings, &base)?,
        };
        let credentials = self.credentials?;
        let proof_bytes = if sandboxed::is_sandbox(&transport) { ProofBytes::printable() } else { self.proof_bytes };
        let shared = Shared {
            account: credentials.account(base.host_name()),
            endpoints: Endpoints::new(&base, &credentials)?,
            one_tap_key: self.one_tap_key?,
            call_timeout: self.call_timeout,
            proof_bytes,
            requires_ex_id: self.requires_ex_id,
        };
        Ok(JPush::new(shared, transport))
    }
}

impl<T> fmt::Debug for JPushBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JPushBuilder").field("call_timeout", &self.call_timeout).finish_non_exhaustive()
    }
}
