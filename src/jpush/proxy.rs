//! The settings of the proxy between this process and JPush.
//!
//! The URL of a proxy may contain a user and a password, and an environment variable comes from outside. So the URL is read
//! strictly, and only its host and port are ever shown. hyper-util's `Matcher` reads `NO_PROXY` and creates the header; it
//! silently uses no proxy for a URL that it cannot read.

use std::env;

use http::{
    HeaderValue, Uri,
    uri::{Authority, Scheme},
};
use hyper_util::client::proxy::matcher::Matcher;
use percent_encoding::percent_decode_str;

use super::base_url::host_and_port;
use crate::{error::ConfigError, secret::Secret};

/// An HTTP proxy that opens tunnels (`CONNECT`).
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    /// Without user and password.
    uri: Uri,
    /// `Proxy-Authorization`, marked sensitive.
    authorization: Option<HeaderValue>,
}

/// The settings of the proxy.
#[derive(Clone, Debug, Default)]
pub(super) struct ProxySettings {
    pub(super) url: Option<Secret>,
    pub(super) from_env: bool,
}

// === impl ProxySettings ===

impl ProxySettings {
    /// The proxy for a destination; `None` if the destination is dialled directly.
    ///
    /// # Errors
    ///
    /// `proxy` and `proxy_from_env`: if both are set, if the URL is not that of an HTTP proxy, or if `proxy` is set for a
    /// destination without TLS, for which tunnels are not used.
    pub(super) fn proxy_for(&self, destination: &Uri) -> Result<Option<Proxy>, ConfigError> {
        let is_plain = destination.scheme() == Some(&Scheme::HTTP);
        match &self.url {
            Some(_) if self.from_env => {
                Err(ConfigError::unshown("proxy_from_env", "`proxy` is set as well: set only one of the two"))
            }
            Some(_) if is_plain => {
                Err(ConfigError::unshown("proxy", "the base URL is plain http, and a proxy is used for https only"))
            }
            Some(url) => {
                let wrong = |problem| ConfigError::unshown("proxy", problem);
                Proxy::read(url.expose(), "", destination).map_err(wrong)
            }
            // As in other programs, `HTTPS_PROXY` applies to `https` only.
            None if self.from_env && !is_plain => from_variables(destination, |name| env::var(name)),
            None => Ok(None),
        }
    }
}

fn from_variables(
    destination: &Uri,
    read: impl Fn(&str) -> Result<String, env::VarError>,
) -> Result<Option<Proxy>, ConfigError> {
    let wrong = |name: &str, problem: &str| {
        ConfigError::unshown("proxy_from_env", format!("the environment variable {name}: {problem}"))
    };
    // Upper case first, as in hyper-util's `Matcher`. An empty variable counts as not set.
    let first = |names: [&'static str; 2]| {
        for name in names {
            match read(name) {
                Ok(value) if !value.is_empty() => return Ok(Some((name, Secret::from(value)))),
                Ok(_) | Err(env::VarError::NotPresent) => {}
                Err(env::VarError::NotUnicode(_)) => return Err(wrong(name, "not UTF-8")),
            }
        }
        Ok(None)
    };
    let except = first(["NO_PROXY", "no_proxy"])?.map(|(_, hosts)| hosts.expose().to_owned()).unwrap_or_default();
    let Some((name, url)) = first(["HTTPS_PROXY", "https_proxy"])? else { return Ok(None) };
    let url = url.expose();
    // As in curl, the default scheme is http.
    let with_scheme = if url.contains("://") { Secret::from(url) } else { Secret::from(format!("http://{url}")) };
    Proxy::read(with_scheme.expose(), &except, destination).map_err(|problem| wrong(name, problem))
}

// === impl Proxy ===

impl Proxy {
    /// Reads `http://user:password@host:port`; `None` if `except`, in the form of `NO_PROXY`, lists the destination.
    ///
    /// # Errors
    ///
    /// What is wrong with the URL, without repeating it.
    fn read(url: &str, except: &str, destination: &Uri) -> Result<Option<Self>, &'static str> {
        const SHAPE: &str = "a URL such as \"http://user:password@proxy.example:3128\", with special characters as %XX";
        let Some((scheme, rest)) = url.split_once("://") else { return Err(SHAPE) };
        if !scheme.eq_ignore_ascii_case("http") {
            return Err("the scheme is http: proxies that speak TLS or SOCKS are not supported");
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (user_info, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        host_and_port(&host.parse::<Authority>().map_err(|_| SHAPE)?)?;
        if let Some(user_info) = user_info {
            let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
            let user = decoded(user).ok_or(SHAPE)?;
            if user.expose().is_empty() || user.expose().contains(':') {
                return Err("the user name must not be empty or contain a colon");
            }
            decoded(password).ok_or(SHAPE)?;
        }
        // Without exceptions the URL must match. If it does not, `Matcher` could not read it.
        let matcher = |except| Matcher::builder().https(url).no(except).build();
        matcher("").intercept(destination).ok_or(SHAPE)?;
        let found = matcher(except).intercept(destination);
        Ok(found.map(|found| Self { uri: found.uri().clone(), authorization: found.basic_auth().cloned() }))
    }

    /// The address of the proxy.
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Host and port, for the log.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    pub(super) fn host_and_port(&self) -> &str {
        self.uri.authority().map_or("", Authority::as_str)
    }
}

/// Decodes a user or a password: characters of a URL's user information, and others as `%XX`.
fn decoded(text: &str) -> Option<Secret> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%".contains(&byte);
    let is_escaped = |after: &str| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !text.bytes().all(is_plain) || !text.split('%').skip(1).all(is_escaped) {
        return None;
    }
    let text = percent_decode_str(text).decode_utf8().ok()?;
    // RFC 7617 allows no control characters.
    (!text.chars().any(char::is_control)).then(|| Secret::from(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JPUSH: &str = "https://api.verification.jpush.cn/";

    fn read(url: &str) -> Result<Proxy, &'static str> {
        Proxy::read(url, "", &Uri::from_static(JPUSH)).map(|proxy| proxy.expect("no exception was named"))
    }

    fn env(variables: &'static [(&str, &str)]) -> Result<Option<Proxy>, ConfigError> {
        from_variables(&Uri::from_static(JPUSH), |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned()).ok_or(env::VarError::NotPresent)
        })
    }

    fn host(proxy: Result<Option<Proxy>, ConfigError>) -> Option<String> {
        proxy.unwrap().map(|proxy| proxy.host_and_port().to_owned())
    }

    #[test]
    fn host_port_user_and_password_are_read() {
        for (url, host, authorization) in [
            ("http://proxy.example:3128", "proxy.example:3128", None),
            ("http://proxy.example/", "proxy.example", None),
            ("http://[fd00::1]:3128/", "[fd00::1]:3128", None),
            ("HTTP://10.0.0.1:3128", "10.0.0.1:3128", None),
            ("http://Aladdin:open%20sesame@proxy:80", "proxy:80", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
            ("http://user@proxy:80", "proxy:80", Some("Basic dXNlcjo=")),
            ("http://u:p%40%3A%2F@proxy:80", "proxy:80", Some("Basic dTpwQDov")),
        ] {
            let proxy = read(url).unwrap();
            assert_eq!(proxy.host_and_port(), host);
            assert_eq!(proxy.authorization().map(|value| value.to_str().unwrap()), authorization);
            assert!(proxy.authorization().is_none_or(HeaderValue::is_sensitive));
            assert_eq!(proxy.uri().path(), "/");
        }
    }

    #[test]
    fn what_is_not_the_url_of_an_http_proxy_is_refused_and_not_repeated() {
        for url in [
            "",
            "proxy:3128",
            "canary",
            "http://",
            "http://:3128",
            "http://proxy:0",
            "http://proxy:65536",
            "http://proxy:",
            "http://proxy:3128/canary",
            "http://proxy:3128?canary",
            "http://proxy:3128#canary",
            "http://pro xy",
            "http://canary:x@",
            "http://:canary@proxy",
            "http://a%3Ab:canary@proxy",
            "http://user:can#ary@proxy:3128",
            "http://user:can/ary@proxy:3128",
            "http://user:can?ary@proxy:3128",
            "http://user:can@ary@proxy:3128",
            "http://user:canary%@proxy:3128",
            "http://user:canary%zz@proxy:3128",
            "http://user:canary%ff@proxy:3128",
            "http://user:canary%0d%0a@proxy:3128",
            "http://user:canary\n@proxy:3128",
            "http://http://proxy",
            "https://canary@proxy:3128",
            "socks5://canary@proxy:1080",
            "socks5h://canary@proxy:1080",
            "ftp://canary@proxy",
        ] {
            let problem = read(url).err().unwrap_or_else(|| panic!("{url:?} is taken"));
            assert!(!problem.contains("canary"), "{problem}");
            let settings = ProxySettings { url: Some(Secret::from(url)), from_env: false };
            let error = settings.proxy_for(&Uri::from_static(JPUSH)).unwrap_err();
            assert_eq!(error.setting(), "proxy");
            assert!(!format!("{error} {error:?} {settings:?}").contains("canary"), "{error}");
        }
    }

    #[test]
    fn debug_shows_neither_user_nor_password() {
        let proxy = read("http://canary-user:canary-password@proxy:3128").unwrap();
        let shown = format!("{proxy:?}");
        assert!(shown.contains("proxy:3128") && !shown.contains("canary") && !shown.contains("Y2FuYXJ5"), "{shown}");
    }

    #[test]
    fn the_environment_names_a_proxy_for_https_and_nothing_else_does() {
        assert_eq!(host(env(&[])), None);
        assert_eq!(host(env(&[("HTTPS_PROXY", "http://a:1")])).as_deref(), Some("a:1"));
        assert_eq!(host(env(&[("https_proxy", "http://a:1")])).as_deref(), Some("a:1"));
        assert_eq!(host(env(&[("https_proxy", "a:1")])).as_deref(), Some("a:1"));
        assert_eq!(host(env(&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://b:2")])).as_deref(), Some("a:1"));
        assert_eq!(host(env(&[("HTTPS_PROXY", ""), ("https_proxy", "http://b:2")])).as_deref(), Some("b:2"));
        assert_eq!(host(env(&[("HTTP_PROXY", "http://a:1"), ("ALL_PROXY", "http://a:1")])), None);
    }

    #[test]
    fn no_proxy_names_hosts_that_are_dialled_directly() {
        for (except, is_proxied) in [
            ("jpush.cn", false),
            (".jpush.cn", false),
            ("localhost, api.verification.JPUSH.cn", false),
            ("*", false),
            ("ush.cn", true),
            ("other.cn,10.0.0.0/8", true),
            ("", true),
        ] {
            let variables = Box::leak(Box::new([("HTTPS_PROXY", "a:1"), ("no_proxy", except)]));
            assert_eq!(host(env(variables)).is_some(), is_proxied, "{except}");
        }
        assert_eq!(host(env(&[("HTTPS_PROXY", "a:1"), ("NO_PROXY", "jpush.cn"), ("no_proxy", "x")])), None);
    }

    #[test]
    fn a_variable_that_cannot_be_read_is_an_error_that_names_it_and_not_no_proxy() {
        for variables in [
            &[("https_proxy", "socks5://canary:1080")][..],
            &[("https_proxy", "https://canary:443")],
            &[("https_proxy", "http://canary:x:y@z:99999")],
            // Also where the proxy would not be used.
            &[("https_proxy", "canary /"), ("no_proxy", "*")],
        ] {
            let error = env(variables).unwrap_err();
            assert_eq!(error.setting(), "proxy_from_env");
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("https_proxy") && !shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn a_setting_that_cannot_work_is_refused() {
        let plain = Uri::from_static("http://127.0.0.1:3001/");
        let given = ProxySettings { url: Some(Secret::from("http://proxy:3128")), from_env: false };
        assert_eq!(given.proxy_for(&plain).unwrap_err().setting(), "proxy");
        let both = ProxySettings { from_env: true, ..given };
        assert_eq!(both.proxy_for(&Uri::from_static(JPUSH)).unwrap_err().setting(), "proxy_from_env");
        // `HTTPS_PROXY` is not about plain http.
        let from_env = ProxySettings { url: None, from_env: true };
        assert!(from_env.proxy_for(&plain).unwrap().is_none());
    }
}
