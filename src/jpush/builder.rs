//! The settings of a client, checked when it is built.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    base_url::{BaseUrl, VENDOR},
    changing::{Changing, Kept},
    client::{JPush, Shared},
    credentials::Credentials,
    one_tap::OneTapKey,
    proof_bytes::ProofBytes,
    proxy::Proxy,
    reach::Reach,
    request::Endpoints,
    sandboxed,
    transport::{Built, Https, HttpsSettings},
};
use crate::{error::ConfigError, log::event, secret::Secret};

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
    plain: Reach,
    call_timeout: Duration,
    one_tap_key: Result<Option<Kept<Arc<OneTapKey>>>, ConfigError>,
    proof_bytes: ProofBytes,
    requires_ex_id: bool,
    transport: Transport<T>,
    /// The setting of the default transport that was made before another transport replaced it.
    replaced: Option<&'static str>,
}

enum Transport<T> {
    Given(T),
    /// The function is `Https::build`: a `T` that only the default transport's builder can name.
    Default(Box<HttpsSettings>, fn(&HttpsSettings, &BaseUrl) -> Result<Built<T>, ConfigError>),
}

// === impl JPush ===

impl JPush<Https> {
    /// Returns a builder of a client that calls JPush over HTTPS.
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
            plain: Reach::Loopback,
            call_timeout: Duration::from_secs(5),
            one_tap_key: Ok(None),
            proof_bytes: ProofBytes::default(),
            requires_ex_id: false,
            transport: Transport::Default(Box::default(), Https::build),
            replaced: None,
        }
    }

    /// Limits how long DNS, TCP, the proxy's tunnel and TLS may take together. Default: 2 s.
    ///
    /// A failed dial is repeated once, so the deadline of a check should be more than twice this time.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        self.with(|https| https.connect_timeout = timeout)
    }

    /// Sets how long an unused connection is kept. Default: 15 s. The vendor does not document its limit; stay below it.
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.with(|https| https.idle_timeout = timeout)
    }

    /// Sets how many unused connections are kept. Default: 256, as many as the layer's checks in flight.
    pub fn max_idle(self, connections: usize) -> Self {
        self.with(|https| https.max_idle = connections)
    }

    /// Uses HTTP/2 instead of HTTP/1.1; for a plain base URL with prior knowledge. Default: HTTP/1.1, because one HTTP/2
    /// connection carries only as many calls at a time as the server allows.
    pub fn http2(self) -> Self {
        self.with(|https| https.http2 = true)
    }

    /// Trusts the operating system's certificate roots (or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name) instead
    /// of Mozilla's.
    ///
    /// Requires the Cargo feature `platform-roots`: without it `build()` returns an error. Default: Mozilla's.
    pub fn platform_roots(self) -> Self {
        self.with(|https| https.platform_roots = true)
    }

    /// Trusts one more certificate authority (one or more certificates in PEM), such as that of an egress proxy. Default: none.
    pub fn extra_root_pem(self, pem: &[u8]) -> Self {
        self.with(|https| https.extra_roots.push(pem.into()))
    }

    /// Calls JPush through an HTTP proxy, such as `http://user:password@proxy.example:3128`. Default: none.
    ///
    /// The proxy opens a tunnel (`CONNECT`). TLS to JPush is verified through the tunnel, so the proxy can neither read nor change
    /// anything. User and password are sent to the proxy as Basic auth **in the clear**, and are never shown; write special characters
    /// as `%XX`. The default port is 80. [`JPushBuilder::connect_timeout`] includes the tunnel. If the proxy opens no tunnel, the dial
    /// has failed: JPush received nothing, the dial is repeated once, and a policy may open for it. So the proxy must allow more
    /// tunnels than the layer has checks in flight (256).
    ///
    /// `build()` refuses a proxy with TLS (`https://`) or SOCKS, and a plain base URL.
    ///
    /// ```
    /// use tower_jverify::{Credentials, JPush};
    ///
    /// # fn main() -> Result<(), tower_jverify::ConfigError> {
    /// let credentials = Credentials::new("app key", "master secret")?;
    /// let jpush = JPush::builder(credentials).proxy("http://user:p%40ss@proxy.example:3128").build()?;
    /// # let _ = jpush;
    /// # Ok(())
    /// # }
    /// ```
    pub fn proxy(self, url: impl Into<Secret>) -> Self {
        let url = url.into();
        self.with(|https| https.proxy.url = Some(url))
    }

    /// Calls JPush through the proxy in the environment when the client is built: `HTTPS_PROXY` or `https_proxy`, unless `NO_PROXY`
    /// or `no_proxy` lists the host. Of each pair the first non-empty variable counts. Other variables, such as `ALL_PROXY`, are not
    /// read. Default: the environment is not read.
    ///
    /// The value has the form of [`JPushBuilder::proxy`]; `http://` is optional. `build()` returns an error for an invalid value.
    /// `NO_PROXY` is a comma-separated list of hosts (with their subdomains), addresses, networks (`10.0.0.0/8`) or `*`. With a
    /// plain base URL no proxy is used.
    pub fn proxy_from_env(self) -> Self {
        self.with(|https| https.proxy.from_env = true)
    }

    /// Keeps one unused connection ready, so that a check on a quiet site does not wait for DNS, TCP and TLS. Default: off.
    ///
    /// Nothing is sent on the connection before a check uses it. It is replaced when a check takes it, when the server closes it,
    /// and after [`JPushBuilder::idle_timeout`] (15 s), so a quiet site dials four times a minute. While dials fail, the pauses
    /// between them grow from 1 s to a minute. [`JPush::warm`] or the first dial of a check opens the first connection; dropping
    /// the last clone of the client closes the last one.
    ///
    /// `build()` returns an error if `idle_timeout` is below 1 s.
    pub fn keep_warm(self) -> Self {
        self.with(|https| https.keep_warm = true)
    }

    fn with(mut self, set: impl FnOnce(&mut HttpsSettings)) -> Self {
        if let Transport::Default(settings, _) = &mut self.transport {
            set(settings);
        }
        self
    }
}

impl<T> JPushBuilder<T> {
    /// Sends the calls through another transport than HTTPS: any `Service<http::Request<Full<Bytes>>>`, such as an existing client
    /// of the application. Default: [`Https`].
    ///
    /// **Danger:** the transport must verify TLS, must not follow redirects, and must not send a request twice: a check that was
    /// sent may have spent its token.
    ///
    /// With another transport, `build()` returns an error for the settings of [`Https`]: `connect_timeout`, `idle_timeout`, `max_idle`,
    /// `http2`, `platform_roots`, `extra_root_pem`, `proxy`, `proxy_from_env` and `keep_warm`. The documented proofs of a `Sandbox` are
    /// sent to it even if [`JPushBuilder::proof_bytes`] does not allow them.
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
        let Self { credentials, base_url, plain, call_timeout, one_tap_key, proof_bytes, requires_ex_id, .. } = self;
        let replaced = match self.transport {
            Transport::Given(_) => self.replaced,
            Transport::Default(settings, _) => settings.changed(),
        };
        let transport = Transport::Given(transport);
        JPushBuilder {
            credentials,
            base_url,
            plain,
            call_timeout,
            one_tap_key,
            proof_bytes,
            requires_ex_id,
            transport,
            replaced,
        }
    }

    /// Sets the URL of the API. Default: `https://api.verification.jpush.cn`. The URL may have a path, which precedes the vendor's.
    ///
    /// Plain `http://` is allowed for a loopback host only (`127.0.0.0/8`, `::1`, `localhost`).
    pub fn base_url(mut self, url: &str) -> Self {
        self.base_url = url.into();
        self
    }

    /// Also allows a [`JPushBuilder::base_url`] with plain `http://` to a private network, for a sandbox in another container of a
    /// test. Default: loopback hosts only.
    ///
    /// **Danger:** the master secret and every proof cross that network in the clear, and any host on it can answer for JPush.
    ///
    /// Private networks are `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16` and `fc00::/7`. A host name is resolved at every dial, and
    /// other addresses are not dialled. `build()` returns an error with an `https` base URL, and for a host name with another
    /// [`JPushBuilder::transport`], which resolves names by itself.
    pub fn danger_plain_http_to_private_hosts(mut self) -> Self {
        self.plain = Reach::Private;
        self
    }

    /// Limits how long [`JPush::ask`] takes. Default: 5 s. Under the layer, the layer's deadline applies instead.
    ///
    /// An abandoned check may have spent its token, so be generous.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Sets the developer's private key, which decrypts the phone of a one-tap login. Default: none, and every one-tap check is
    /// [`Class::Misconfigured`](crate::Class::Misconfigured) without a call.
    ///
    /// An RSA key of 2,048 to 8,192 bits, unencrypted, as the text of the key and not the name of its file:
    ///
    /// - PEM of PKCS#8 (`PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`), also as one line with `\n` for its line breaks;
    /// - the base64 of either without BEGIN and END lines, or the base64 of a whole PEM.
    ///
    /// A byte order mark, CRLF, surrounding white space and quotes are ignored. For any other text `build()` returns an error that
    /// says what is wrong and shows no part of it.
    pub fn one_tap_key(mut self, pem: &Secret) -> Self {
        self.one_tap_key = OneTapKey::from_text(pem.expose()).map(|key| Some(Kept::Fixed(Arc::new(key))));
        self
    }

    /// As [`JPushBuilder::one_tap_key`], with a closure that returns the key, so that the key can change while the process runs. Of
    /// the two settings, the last call wins.
    ///
    /// The closure is called at `build()` and before each one-tap check, so it must be cheap. The key is parsed when its text
    /// changes. A key that is not usable, and a panic, are an error of `build()` (`one_tap_key`); later, the check is
    /// [`Class::Misconfigured`](crate::Class::Misconfigured) and nothing is sent.
    pub fn one_tap_key_from_fn<S: Into<Secret>>(mut self, pem: impl Fn() -> S + Send + Sync + 'static) -> Self {
        let read = |pem: &Secret| OneTapKey::from_text(pem.expose()).map(Arc::new);
        self.one_tap_key = Ok(Some(Kept::Changing(Changing::new("one_tap_key", move || pem().into(), read))));
        self
    }

    /// Allows more bytes in the proofs that are sent: a `token`, `loginToken` or `captchaContent`. Repeated calls add bytes.
    ///
    /// By default a proof has 1 to 4,096 bytes of `A-Z a-z 0-9 + / = _ - . ~ :`, without `..`. For any other proof the client returns
    /// [`Class::Invalid`](crate::Class::Invalid) and sends nothing, because a firewall or gateway in front of JPush may answer
    /// a request with unusual bytes in place of JPush. The length, `..` and control characters cannot be allowed.
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

    /// Accepts a pass only if it repeats the check's `exID`. Any other pass is an error, and never lets a request through. A
    /// check without an `exID` gets one. Default: a pass without an `exID` is accepted, because the vendor's example has none.
    ///
    /// This protects against a late surplus reply of the vendor's edge, which could be read as the answer to the next check on
    /// the same connection. Set it when you know that your endpoints repeat the `exID`. The log has a WARN the first time that
    /// an endpoint that repeats it sends a pass without it.
    pub fn require_ex_id(mut self) -> Self {
        self.requires_ex_id = true;
        self
    }

    /// Builds the client. It sends nothing and resolves no names.
    ///
    /// # Errors
    ///
    /// If a setting is invalid. The error names it: `base_url`, `connect_timeout`, `call_timeout`, `idle_timeout`,
    /// `max_idle`, `http2`, `platform_roots`, `extra_root_pem`, `proxy`, `proxy_from_env`, `keep_warm`,
    /// `danger_plain_http_to_private_hosts`, `one_tap_key`, `proof_bytes`.
    pub fn build(self) -> Result<JPush<T>, ConfigError>
    where
        T: 'static,
    {
        let base = BaseUrl::parse(&self.base_url, self.plain)?;
        if self.plain == Reach::Private && !base.is_plain() {
            return Err(ConfigError::unshown(
                "danger_plain_http_to_private_hosts",
                "the base URL is https: remove the switch",
            ));
        }
        if self.call_timeout.is_zero() {
            return Err(ConfigError::new("call_timeout", "0", "every call would time out at once"));
        }
        self.proof_bytes.validate()?;
        if let Some(setting) = self.replaced {
            return Err(ConfigError::unshown(
                setting,
                "it belongs to the default transport, which `transport` replaces",
            ));
        }
        let (transport, dial, proxy) = match self.transport {
            Transport::Given(_) if base.is_plain_to_a_name() => {
                return Err(ConfigError::new(
                    "base_url",
                    base.host_name(),
                    "plain http to a host name is not allowed with `transport`, which resolves names by itself: set an address",
                ));
            }
            Transport::Given(transport) => (transport, None, None),
            Transport::Default(settings, build) => {
                let Built { transport, dial, proxy } = build(&settings, &base)?;
                (transport, Some(dial), proxy)
            }
        };
        let credentials = self.credentials?;
        let one_tap_key = self.one_tap_key?;
        if let Some(key) = &one_tap_key {
            key.get()?;
        }
        let is_sandbox = sandboxed::is_sandbox(&transport);
        let more_bytes = self.proof_bytes.beyond_usual();
        let proof_bytes = if is_sandbox { ProofBytes::printable() } else { self.proof_bytes };
        let shared = Shared {
            account: credentials.account(base.host_name()),
            endpoints: Endpoints::new(&base, &credentials)?,
            one_tap_key,
            call_timeout: self.call_timeout,
            proof_bytes,
            requires_ex_id: self.requires_ex_id,
            dial,
        };
        log(&base, shared.dial.is_some(), proxy.as_ref(), is_sandbox, more_bytes.as_deref());
        Ok(JPush::new(shared, transport))
    }
}

/// Writes the client's first line to the log: which host it calls, and how. Settings that weaken it appear only if they are set.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn log(base: &BaseUrl, is_https: bool, proxy: Option<&Proxy>, is_sandbox: bool, proof_bytes: Option<&str>) {
    let transport = match (is_sandbox, is_https) {
        (true, _) => "sandbox",
        (false, true) => "https",
        (false, false) => "custom",
    };
    event!(
        INFO,
        host = base.host_name(),
        tls = !base.is_plain(),
        proxy = proxy.map_or("none", Proxy::host_and_port),
        transport,
        sandbox = is_sandbox,
        proof_bytes,
        danger_plain_http_to_private_hosts = (base.reach() == Reach::Private).then_some(true),
        "the JPush client"
    );
}

impl<T> fmt::Debug for JPushBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JPushBuilder").field("call_timeout", &self.call_timeout).finish_non_exhaustive()
    }
}
