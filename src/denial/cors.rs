//! Which pages of other origins may read a denial in a browser.

use std::net::Ipv6Addr;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
    request::Parts,
};

use crate::error::ConfigError;

/// Which pages of other origins may read a denial in a browser: the value of the setting `cors`.
///
/// Without CORS headers, the script of a page from another origin cannot read the answer of a refused request, and does not
/// learn its `code`. This setting adds these headers to denials only. It never answers a preflight, and it does not change
/// the answers of the application: a `CorsLayer` does that. A `CorsLayer` outside of this layer adds its headers to denials
/// too, and this setting is not needed.
///
/// An origin is written as browsers send it: `https://shop.example`, with a port if it is not the default one, without a
/// path. The comparison is exact. `null`, which sandboxed frames and files send, is not an origin. `*` as the only origin
/// means every origin, `null` included.
///
/// ```
/// use tower_jverify::{Cors, JVerifyLayer, Rule, number};
/// # use tower_jverify::{Check, Class, Verdict};
/// # let verifier = tower::service_fn(|check: Check| async move {
/// #     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
/// # });
/// let cors = Cors::origins(["https://shop.example", "http://localhost:5173"])
///     .expose(["retry-after"])
///     .credentials(true);
/// let layer = JVerifyLayer::builder(verifier).rule(Rule::post("/login", number())).cors(cors).build()?;
/// # let _ = layer;
/// # Ok::<_, tower_jverify::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it has an effect only as the value of `cors`"]
pub struct Cors {
    origins: Vec<Box<str>>,
    expose: Vec<Box<str>>,
    credentials: bool,
}

/// A validated [`Cors`].
#[derive(Clone, Debug)]
pub(super) struct Sharing {
    origins: Origins,
    /// `None`: no header is exposed beyond those that every script may read.
    expose: Option<HeaderValue>,
    credentials: bool,
}

#[derive(Clone, Debug)]
enum Origins {
    Every,
    These(Box<[HeaderValue]>),
}

// === impl Cors ===

impl Cors {
    /// Allows pages of these origins, such as `https://shop.example`, or of every origin (`*`) to read denials. At least one;
    /// `build()` refuses what no browser sends as an origin.
    pub fn origins(origins: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        Self { origins: origins.into_iter().map(Into::into).collect(), expose: Vec::new(), credentials: false }
    }

    /// Sets the headers of a denial that a script may read, in addition to those that it may always read: `retry-after`, or,
    /// for clients of gRPC-Web, `grpc-status`, `grpc-message` and `grpc-status-details-bin`. Default: none.
    pub fn expose(mut self, headers: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        self.expose = headers.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whether a script may read the denial of a request that was sent with cookies or other credentials. `build()`
    /// refuses it for every origin (`*`). Default: `false`.
    pub fn credentials(mut self, credentials: bool) -> Self {
        self.credentials = credentials;
        self
    }

    /// Whether every origin is allowed.
    pub(crate) fn is_for_every_origin(&self) -> bool {
        self.origins.iter().any(|origin| &**origin == "*")
    }

    /// # Errors
    ///
    /// Names `cors.origins`, `cors.expose` or `cors.credentials`.
    pub(super) fn validate(&self) -> Result<Sharing, ConfigError> {
        let origins = match &*self.origins {
            [] => return Err(ConfigError::unshown("cors.origins", "has no origin")),
            [every] if &**every == "*" => Origins::Every,
            these => Origins::These(these.iter().map(|origin| parse(origin)).collect::<Result<_, _>>()?),
        };
        if self.credentials && matches!(origins, Origins::Every) {
            let problem = "browsers send no credentials to a server that allows every origin: name the origins";
            return Err(ConfigError::new("cors.credentials", "true", problem));
        }
        for name in &self.expose {
            if &**name == "*" || HeaderName::from_bytes(name.as_bytes()).is_err() {
                return Err(ConfigError::new("cors.expose", &**name, "is not a header name"));
            }
        }
        let expose = (!self.expose.is_empty()).then(|| HeaderValue::try_from(self.expose.join(", ")));
        let expose = expose.transpose().map_err(|_| ConfigError::unshown("cors.expose", "the names are too long"))?;
        Ok(Sharing { origins, expose, credentials: self.credentials })
    }
}

/// An origin as a browser sends it.
fn parse(origin: &str) -> Result<HeaderValue, ConfigError> {
    let refused = |problem: &'static str| ConfigError::new("cors.origins", origin, problem);
    match origin {
        "*" => return Err(refused("`*` means every origin: set no other origin")),
        "null" => return Err(refused("`null` is the origin of every sandboxed frame and of every file")),
        _ => {}
    }
    let shape = "an origin is scheme://host or scheme://host:port, without a path and without a slash at its end";
    let uri: Uri = origin.parse().map_err(|_| refused(shape))?;
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return Err(refused(shape)) };
    let port = uri.port_u16();
    if origin != port.map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}")) {
        return Err(refused(if origin.bytes().any(|b| b.is_ascii_uppercase()) { LOWERCASE } else { shape }));
    }
    if origin.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(refused(LOWERCASE));
    }
    if matches!((scheme, port), ("http", Some(80)) | ("https", Some(443))) {
        return Err(refused("browsers leave out the default port"));
    }
    if !is_host(host) {
        return Err(refused("the host is a name of letters, digits, `.`, `-` and `_` (in Punycode), or an IP address"));
    }
    HeaderValue::try_from(origin).map_err(|_| refused(shape))
}

const LOWERCASE: &str = "browsers send scheme and host in lower case";

fn is_host(host: &str) -> bool {
    if let Some(v6) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return v6.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string() == v6);
    }
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !host.is_empty() && host.bytes().all(is_of_name)
}

// === impl Sharing ===

impl Sharing {
    /// The value of `Access-Control-Allow-Origin` for the request with this head, if its origin may read the answer.
    pub(super) fn allowed(&self, head: &Parts) -> Option<HeaderValue> {
        // A preflight is for a CORS layer to answer.
        if head.method == Method::OPTIONS && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        match &self.origins {
            Origins::Every => Some(HeaderValue::from_static("*")),
            Origins::These(these) => {
                let mut sent = head.headers.get_all(ORIGIN).iter();
                let (origin, None) = (sent.next()?, sent.next()) else { return None };
                these.iter().find(|allowed| *allowed == origin).cloned()
            }
        }
    }

    /// Writes the headers of an answer. Those that it has are replaced. May be called twice.
    pub(super) fn write(&self, allowed: Option<&HeaderValue>, headers: &mut HeaderMap) {
        headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
        headers.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
        headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
        if let Some(allowed) = allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed.clone());
            if self.credentials {
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
            if let Some(expose) = &self.expose {
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
            }
        }
        let is_origin = |name: &[u8]| name.trim_ascii().eq_ignore_ascii_case(b"origin");
        let mut lines = headers.get_all(VARY).iter();
        if !lines.any(|line| line.as_bytes().split(|byte| *byte == b',').any(is_origin)) {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
    }
}
