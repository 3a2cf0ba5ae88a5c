//! Where the API is: the vendor's host, or a stand-in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::{
    HeaderValue, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};

use crate::error::ConfigError;

/// The vendor's host (reference documents, "Call Address").
pub(super) const VENDOR: &str = "https://api.verification.jpush.cn";

const SETTING: &str = "base_url";

/// A base URL that may carry credentials: `https`, or plain `http` to this very machine.
#[derive(Debug)]
pub(super) struct BaseUrl {
    scheme: Scheme,
    authority: Authority,
    /// Empty, or with a slash in front and none behind.
    prefix: Box<str>,
}

// === impl BaseUrl ===

impl BaseUrl {
    /// Reads a base URL.
    ///
    /// # Errors
    ///
    /// `base_url`: when it is no URL with a host, plain `http` to anything but a loopback host, or has user
    /// information, a query or a fragment. With one of these the error does not repeat the URL: it may hold a secret.
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        // `Uri` drops a fragment without a word, so the text itself is asked.
        if text.contains(['@', '?', '#']) {
            return Err(ConfigError::unshown(SETTING, "no user information, query or fragment can be in it"));
        }
        let wrong = |problem: &'static str| ConfigError::new(SETTING, text, problem);
        let uri: Uri = text.parse().map_err(|_| wrong("not a URL"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(wrong("a URL with scheme and host, such as \"https://api.verification.jpush.cn\""));
        };
        if authority.host().is_empty() {
            return Err(wrong("no host is in it"));
        }
        // `Authority::port` takes `x:` and `x:65536` for no port at all.
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if !port.is_empty()
            && port.strip_prefix(':').and_then(|port| port.parse().ok()).is_none_or(|port: u16| port == 0)
        {
            return Err(wrong("a port is 1 to 65535"));
        }
        if *scheme == Scheme::HTTP && !is_loopback(authority.host()) {
            return Err(wrong("plain http is for loopback hosts only"));
        }
        if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
            return Err(wrong("the scheme is https"));
        }
        let prefix = uri.path().trim_end_matches('/').into();
        Ok(Self { scheme: scheme.clone(), authority: authority.clone(), prefix })
    }

    /// Whether it is plain `http` (to a loopback host).
    pub(super) fn is_plain(&self) -> bool {
        self.scheme == Scheme::HTTP
    }

    /// The host's name or address, without a port.
    pub(super) fn host_name(&self) -> &str {
        self.authority.host()
    }

    /// The URI of an endpoint's path.
    ///
    /// # Errors
    ///
    /// `base_url`: when prefix and path make no URI.
    pub(super) fn endpoint(&self, path: &'static str) -> Result<Uri, ConfigError> {
        let unfit = || ConfigError::new(SETTING, &*self.prefix, "not a path");
        let path = match &*self.prefix {
            // Each check clones it several times; a static one counts no references.
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
    /// `base_url`: when the authority is no header value.
    pub(super) fn host(&self) -> Result<HeaderValue, ConfigError> {
        HeaderValue::from_str(self.authority.as_str())
            .map_err(|_| ConfigError::new(SETTING, self.authority.as_str(), "not a host"))
    }
}

fn is_loopback(host: &str) -> bool {
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok_and(|ip| IpAddr::V6(ip).to_canonical().is_loopback()),
        None => host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback()),
    }
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
            assert_eq!(BaseUrl::parse(base).unwrap().endpoint("/action/check").unwrap(), endpoint);
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
            let error = BaseUrl::parse(base).unwrap_err();
            assert_eq!(error.setting(), "base_url", "{base}");
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
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
            assert_eq!(BaseUrl::parse(base).unwrap_err().setting(), "base_url", "{base:?}");
        }
        assert!(BaseUrl::parse("https://x:65536").is_err());
        assert!(BaseUrl::parse("https://a b").is_err());
    }

    #[test]
    fn what_may_hold_a_secret_is_refused_and_not_repeated() {
        for base in
            ["https://me:canary@jpush.cn", "https://canary@jpush.cn", "https://j.cn?k=canary", "https://j.cn/#canary"]
        {
            let error = BaseUrl::parse(base).unwrap_err();
            assert_eq!(error.setting(), "base_url");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }
}
