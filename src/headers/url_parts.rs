//! Headers that name a part of a URL: a host, a scheme or a port.
//!
//! Many servers join these with the request's path, and route by the path of the result: `@whatwg-node/server` (GraphQL Yoga)
//! reads `http://${host}${url}`, Astro and others take the scheme and the host from `X-Forwarded-Proto` and `X-Forwarded-Host`. With
//! `Host: a/login?` the path of each request is `/login`, with an empty host the path of `/a/login` is `/login`, and with
//! `X-Forwarded-Proto: http:a` it begins with the host. So a value that is more or less than its part names a path.

/// A part of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UrlPart {
    /// A host, with or without a port.
    Host,
    /// A list of hosts, as several proxies write it.
    Hosts,
    /// A scheme that proxies report, or a list of these.
    Schemes,
    /// A port, or a list of ports.
    Ports,
    /// The parameters of RFC 7239.
    Forwarded,
}

// === impl UrlPart ===

impl UrlPart {
    /// Whether the value is this part of a URL and nothing else.
    #[inline]
    pub(super) fn is_plain(self, value: &[u8]) -> bool {
        match self {
            Self::Host => is_host(value),
            Self::Hosts => value.split(|byte| *byte == b',').all(|host| is_host(host.trim_ascii())),
            Self::Schemes => value.split(|byte| *byte == b',').all(|scheme| is_scheme(scheme.trim_ascii())),
            Self::Ports => value.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b' ')),
            Self::Forwarded => value.split(|byte| matches!(byte, b';' | b',')).all(is_plain_parameter),
        }
    }
}

/// Whether this is a host. Without one, `http://` and the path `/a/login` are a URL whose host is `a`. Behind a byte that no host has,
/// Node's `url.parse` begins the path: with `Host: a%76%31` the path `/login` is `%76%31/login`.
fn is_host(value: &[u8]) -> bool {
    // Without an early exit: every request has a `Host`, and this takes a few instructions a byte.
    let seen = value.iter().fold(0, |seen, byte| seen | KINDS.get(usize::from(*byte)).copied().unwrap_or(OTHER));
    seen == NAMED || is_host_with_marks(value)
}

/// Whether this is a name or an address in brackets, with or without a port.
#[inline(never)]
fn is_host_with_marks(value: &[u8]) -> bool {
    let end = match value {
        [b'[', ..] => value.iter().position(|byte| *byte == b']').map(|at| at + 1),
        _ => value.iter().position(|byte| *byte == b':'),
    };
    let Some((host, port)) = value.split_at_checked(end.unwrap_or(value.len())) else { return false };
    let is_host = match host {
        [b'[', address @ .., b']'] => {
            address.contains(&b':') && address.iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte))
        }
        name => name.iter().any(u8::is_ascii_alphanumeric) && name.iter().copied().all(is_of_name),
    };
    is_host && (port.is_empty() || port.strip_prefix(b":").is_some_and(|port| port.iter().all(u8::is_ascii_digit)))
}

/// A letter or a digit.
const NAMED: u8 = 1;
/// A byte that a name does not have.
const OTHER: u8 = 2;

/// What each byte is in a name; zero for the marks of a name.
static KINDS: [u8; 256] = kinds();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated when it is compiled")]
const fn kinds() -> [u8; 256] {
    let mut kinds = [OTHER; 256];
    let mut at = 0;
    while at < kinds.len() {
        kinds[at] = match at as u8 {
            byte if byte.is_ascii_alphanumeric() => NAMED,
            byte if is_of_name(byte) => 0,
            _ => OTHER,
        };
        at += 1;
    }
    kinds
}

/// One parameter of `Forwarded`. Marks inside of a quoted value also end it here, which only splits what no host has.
fn is_plain_parameter(parameter: &[u8]) -> bool {
    let mut pieces = parameter.splitn(2, |byte| *byte == b'=');
    let (first, value) = (pieces.next().unwrap_or_default(), pieces.next());
    let value = value.unwrap_or(first).trim_ascii();
    let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    match first.trim_ascii() {
        name if name.eq_ignore_ascii_case(b"proto") => is_scheme(value),
        name if name.eq_ignore_ascii_case(b"host") => is_host(value),
        _ => value.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-+, :[]%~_".contains(byte)),
    }
}

/// A byte of a host's name.
const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

/// Whether this is one of the schemes that proxies report. Other words change the path of the URL: with `javascript` the host is a part of
/// the path to Node's `url.parse`, with `file` a host such as `a:` is for WHATWG's URLs, and a word that is not a scheme (`1`) makes all of
/// the URL a path.
fn is_scheme(word: &[u8]) -> bool {
    SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme.as_bytes()))
}

/// What proxies write into headers that name a scheme.
const SCHEMES: [&str; 11] = ["http", "https", "ws", "wss", "h2", "h2c", "h3", "on", "off", "ssl", "tls"];

#[cfg(test)]
mod tests {
    use super::UrlPart;

    #[test]
    fn a_host_a_scheme_and_a_port_are_plain() {
        for host in ["a", "a.example:8080", "a:", "[::1]", "[::1]:80", "a_b", "xn--fiq228c", "127.0.0.1:3000"] {
            assert!(UrlPart::Host.is_plain(host.as_bytes()), "{host}");
            assert!(UrlPart::Hosts.is_plain(format!("{host}, {host},{host}").as_bytes()), "{host}");
        }
        for word in ["https", "HTTPS", "http,https", "http, http", "on", "h2", "wss"] {
            assert!(UrlPart::Schemes.is_plain(word.as_bytes()), "{word}");
        }
        for port in ["443", "443, 80", "8443,443", ""] {
            assert!(UrlPart::Ports.is_plain(port.as_bytes()), "{port}");
        }
        for forwarded in [
            "for=192.0.2.60;proto=http;by=203.0.113.43",
            "For=\"[2001:db8:cafe::17]:4711\"",
            "for=_hidden, for=unknown;host=\"a:80\"; proto=https",
            "",
        ] {
            assert!(UrlPart::Forwarded.is_plain(forwarded.as_bytes()), "{forwarded}");
        }
    }

    #[test]
    fn what_ends_the_part_or_begins_another_one_is_not() {
        for end in ["/login?", "\\login", "?", "#", "/", "\t/", "@b", "=", ";", "\u{2044}"] {
            for start in ["a", "", "a:80", "a, b"] {
                let value = format!("{start}{end}");
                assert!(!UrlPart::Host.is_plain(value.as_bytes()), "{value}");
                assert!(!UrlPart::Hosts.is_plain(value.as_bytes()), "{value}");
                assert!(!UrlPart::Schemes.is_plain(value.as_bytes()), "{value}");
                assert!(!UrlPart::Ports.is_plain(value.as_bytes()), "{value}");
            }
        }
        for empty in ["", " ", ",a", "a,", "a, ,b", ":", "..", "[]"] {
            assert!(!UrlPart::Host.is_plain(empty.as_bytes()), "{empty}");
            assert!(!UrlPart::Hosts.is_plain(empty.as_bytes()), "{empty}");
        }
        // `url.parse` reads what follows such a byte as the beginning of the path.
        for odd in [
            "a%76%31",
            "%2flogin",
            "a:v1",
            ":v1",
            "a:80v1",
            "a:80:v1",
            "a b",
            "~a",
            "[a]",
            "[::1]v1",
            "[::1%25v1]",
            "[::1",
        ] {
            assert!(!UrlPart::Host.is_plain(odd.as_bytes()), "{odd}");
            assert!(!UrlPart::Hosts.is_plain(format!("a, {odd}").as_bytes()), "{odd}");
        }
        assert!(!UrlPart::Host.is_plain(b"a, b"));
        for scheme in [
            "http:a",
            "http://a/login?",
            "x:/login?",
            "javascript",
            "file",
            "1",
            "-",
            "",
            "http,",
            "http,file",
            "ht tp",
        ] {
            assert!(!UrlPart::Schemes.is_plain(scheme.as_bytes()), "{scheme}");
        }
        // `url.parse` reads `http://a:v1/login` as `/:v1/login`.
        for port in ["v1", "80v1", "80.v1", "+80", "80:v1"] {
            assert!(!UrlPart::Ports.is_plain(port.as_bytes()), "{port}");
        }
        for forwarded in [
            "host=\"a/login?\"",
            "host=a/login#",
            "proto=http:a",
            "proto=file",
            "Proto=\"javascript\"",
            "proto=",
            "for=a; Proto=\"http:a\"",
            "a/b",
            "for=a=/b",
        ] {
            assert!(!UrlPart::Forwarded.is_plain(forwarded.as_bytes()), "{forwarded}");
        }
    }
}
