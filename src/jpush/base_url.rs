//! The base URL of the API: the vendor's host, or a replacement.

use http::{
    HeaderValue, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};

use super::reach::{Host, Reach};
use crate::error::ConfigError;

/// The vendor's host (reference documents, "Call Address").
pub(super) const VENDOR: &str = "https://api.verification.jpush.cn";

const SETTING: &str = "base_url";

/// The first segments of the vendor's endpoint paths, of this version and the previous one (reference documents, "Call
/// Address").
const ENDPOINTS: [[&str; 2]; 3] = [["v2", "web"], ["v1", "web"], ["action", "check"]];

/// A base URL to which credentials may be sent: `https`, or plain `http` to this machine or, with a switch, to a private
/// network.
#[derive(Debug)]
pub(super) struct BaseUrl {
    reach: Reach,
    scheme: Scheme,
    authority: Authority,
    /// Empty, or with a slash at the beginning and without one at the end.
    prefix: Box<str>,
}

// === impl BaseUrl ===

impl BaseUrl {
    /// Reads a base URL. `plain` says for which hosts plain `http` is allowed.
    ///
    /// # Errors
    ///
    /// `base_url`: if it is not a URL with a host, is plain `http` to a host that `plain` does not allow, contains
    /// the path of an endpoint, or has user information, a query or a fragment. With one of the last three the error
    /// does not repeat the URL, which may contain a secret.
    pub(super) fn parse(text: &str, plain: Reach) -> Result<Self, ConfigError> {
        // `Uri` silently drops a fragment, so the text is searched.
        if text.contains(['@', '?', '#']) {
            return Err(ConfigError::unshown(SETTING, "it must not contain user information, a query or a fragment"));
        }
        let wrong = |problem: &'static str| ConfigError::new(SETTING, text, problem);
        let uri: Uri = text.parse().map_err(|_| wrong("not a URL"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(wrong("a URL with scheme and host, such as \"https://api.verification.jpush.cn\""));
        };
        host_and_port(authority).map_err(wrong)?;
        let reach = if *scheme == Scheme::HTTP { plain } else { Reach::Anywhere };
        let is_in_reach = match Host::of(authority.host()) {
            Host::Address(ip) => reach.covers(ip),
            Host::Local => true,
            // Checked again when the name is resolved.
            Host::Name => reach != Reach::Loopback,
        };
        if !is_in_reach {
            return Err(wrong(match plain {
                Reach::Private => "plain http is allowed for loopback and private addresses only",
                Reach::Loopback | Reach::Anywhere => "plain http is allowed for loopback hosts only",
            }));
        }
        if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
            return Err(wrong("the scheme is https"));
        }
        if has_endpoint(uri.path()) {
            return Err(wrong("it contains the path of an endpoint, which the client adds: remove the path"));
        }
        let prefix = uri.path().trim_end_matches('/').into();
        Ok(Self { reach, scheme: scheme.clone(), authority: authority.clone(), prefix })
    }

    /// Whether it is plain `http`.
    pub(super) fn is_plain(&self) -> bool {
        self.scheme == Scheme::HTTP
    }

    /// Which addresses its host may have.
    pub(super) fn reach(&self) -> Reach {
        self.reach
    }

    /// Whether it is plain `http` to a name, whose addresses are known only after it is resolved.
    pub(super) fn is_plain_to_a_name(&self) -> bool {
        self.is_plain() && matches!(Host::of(self.authority.host()), Host::Name)
    }

    /// The host's name or address, without a port.
    pub(super) fn host_name(&self) -> &str {
        self.authority.host()
    }

    /// The URI of an endpoint's path.
    ///
    /// # Errors
    ///
    /// `base_url`: if prefix and path do not form a URI.
    pub(super) fn endpoint(&self, path: &'static str) -> Result<Uri, ConfigError> {
        let unfit = || ConfigError::new(SETTING, &*self.prefix, "not a path");
        let path = match &*self.prefix {
            // Each check clones it several times, and a static value has no reference count.
            "" => PathAndQuery::from_static(path),
            prefix => PathAndQuery::try_from(format!("{prefix}{path}")).map_err(|_| unfit())?,
        };
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone()).path_and_query(path);
        uri.build().map_err(|_| unfit())
    }

    /// The value of `Host`.
    ///
    /// # Errors
    ///
    /// `base_url`: if the authority is not a valid header value.
    pub(super) fn host(&self) -> Result<HeaderValue, ConfigError> {
        HeaderValue::from_str(self.authority.as_str())
            .map_err(|_| ConfigError::new(SETTING, self.authority.as_str(), "not a host"))
    }
}

/// Whether a path contains the beginning of an endpoint's path.
fn has_endpoint(path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').filter(|segment| !matches!(*segment, "" | ".")).collect();
    let is_endpoint = |two: &[&str]| {
        ENDPOINTS.iter().any(|endpoint| endpoint.iter().zip(two).all(|(one, other)| one.eq_ignore_ascii_case(other)))
    };
    segments.windows(2).any(is_endpoint)
}

/// Checks an authority without user information: a host, and no port or a valid one.
///
/// # Errors
///
/// Returns what is wrong with it.
pub(super) fn host_and_port(authority: &Authority) -> Result<(), &'static str> {
    if authority.host().is_empty() {
        return Err("it has no host");
    }
    // `Authority::port` reads `x:` and `x:65536` as without a port.
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    if port.is_empty() || port.strip_prefix(':').and_then(|port| port.parse().ok()).is_some_and(|port: u16| port > 0) {
        return Ok(());
    }
    Err("a port is 1 to 65535")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_anywhere_and_http_to_loopback_are_taken() {
        for (base, endpoint) in [
            (VENDOR, "https://api.verification.jpush.cn/action/check"),
            ("https://api.verification.jpush.cn/", "https://api.verification.jpush.cn/action/check"),
            ("https://egress.example:8443/jpush/", "https://egress.example:8443/jpush/action/check"),
            ("http://127.0.0.1:3001", "http://127.0.0.1:3001/action/check"),
            ("http://127.9.9.9", "http://127.9.9.9/action/check"),
            ("http://[::1]:3001", "http://[::1]:3001/action/check"),
            ("http://LocalHost:3001", "http://LocalHost:3001/action/check"),
        ] {
            assert_eq!(BaseUrl::parse(base, Reach::Loopback).unwrap().endpoint("/action/check").unwrap(), endpoint);
        }
    }

    #[test]
    fn plain_http_to_anybody_else_is_refused() {
        for base in [
            "http://api.verification.jpush.cn",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://127.1",
            "http://2130706433",
            "http://[::2]",
            "HTTP://example.com",
        ] {
            let error = BaseUrl::parse(base, Reach::Loopback).unwrap_err();
            assert_eq!(error.setting(), "base_url", "{base}");
        }
    }

    #[test]
    fn by_the_switch_plain_http_goes_to_private_addresses_and_to_names() {
        for base in ["http://10.0.0.1:4000", "http://[fd00::1]", "http://sandbox:4000", "http://127.0.0.1", "https://x"]
        {
            assert!(BaseUrl::parse(base, Reach::Private).is_ok(), "{base}");
        }
        for base in
            ["http://8.8.8.8", "http://0.0.0.0", "http://169.254.169.254", "http://[2001:db8::1]", "ftp://sandbox"]
        {
            assert_eq!(BaseUrl::parse(base, Reach::Private).unwrap_err().setting(), "base_url", "{base}");
        }
        let reach = |base| BaseUrl::parse(base, Reach::Private).unwrap().reach();
        assert_eq!([reach("http://sandbox"), reach("https://x")], [Reach::Private, Reach::Anywhere]);
    }

    #[test]
    fn what_is_not_a_base_url_is_refused() {
        for base in [
            "",
            "/",
            "jpush.cn",
            "ftp://jpush.cn",
            "https://",
            "https:///x",
            "https://:443",
            "https://x:",
            "https://x:0",
        ] {
            assert_eq!(BaseUrl::parse(base, Reach::Loopback).unwrap_err().setting(), "base_url", "{base:?}");
        }
        assert!(BaseUrl::parse("https://x:65536", Reach::Loopback).is_err());
        assert!(BaseUrl::parse("https://a b", Reach::Loopback).is_err());
    }

    #[test]
    fn the_path_of_an_endpoint_is_refused() {
        for path in [
            "/v2/web/verify",
            "/v2/web/h5/verify/",
            "/V2/Web",
            "/jpush/v2/web/loginTokenVerify",
            "/action/check",
            "/v1/web/verify",
            "/v2//web/verify",
            "/./v2/./web",
        ] {
            let base = format!("{VENDOR}{path}");
            let error = BaseUrl::parse(&base, Reach::Loopback).unwrap_err();
            assert_eq!((error.setting(), error.value()), ("base_url", Some(&*base)));
            assert!(error.to_string().contains("which the client adds"), "{error}");
        }
        for path in ["/jpush/v2", "/v2/webhook", "/my-v2/web", "/interaction/check", "/web/v2"] {
            let base = format!("https://egress.example{path}");
            assert!(BaseUrl::parse(&base, Reach::Loopback).is_ok(), "{base}");
        }
    }

    #[test]
    fn what_may_hold_a_secret_is_refused_and_not_repeated() {
        for base in
            ["https://me:canary@jpush.cn", "https://canary@jpush.cn", "https://j.cn?k=canary", "https://j.cn/#canary"]
        {
            let error = BaseUrl::parse(base, Reach::Loopback).unwrap_err();
            assert_eq!(error.setting(), "base_url");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }
}
