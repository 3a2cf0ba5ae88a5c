//! Headers that name a part of a URL: a host, a scheme or a port.
//!
//! Many servers join these with the request's path, and route by the path of the result: `@whatwg-node/server` (GraphQL Yoga)
//! reads `http://${host}${url}`, Astro and others take the scheme and the host from `X-Forwarded-Proto` and `X-Forwarded-Host`. With
//! `Host: a/login?` the path of each request is `/login`, with an empty host the path of `/a/login` is `/login`, and with
//! `X-Forwarded-Proto: http:a` it begins with the host. So a value that is more or less than its part names a path.

/// A part of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UrlPart {
    /// Hosts, with or without a port.
    Host,
    /// A scheme, a port, or another word.
    Word,
    /// The parameters of RFC 7239.
    Forwarded,
}

// === impl UrlPart ===

impl UrlPart {
    /// Whether the value is this part of a URL and nothing else, or a list of such values.
    #[inline]
    pub(super) fn is_plain(self, value: &[u8]) -> bool {
        match self {
            Self::Host => are_hosts(value.iter().copied()),
            Self::Word => value.iter().copied().all(is_of_word),
            Self::Forwarded => value.split(|byte| matches!(byte, b';' | b',')).all(is_plain_parameter),
        }
    }
}

/// Whether each element of a list is a host. Without one, `http://` and the path `/a/login` are a URL whose host is `a`.
fn are_hosts(list: impl Iterator<Item = u8> + Clone) -> bool {
    // Without an early exit: every request has a `Host`, and this takes a few instructions a byte.
    let seen = list.clone().fold(0, |seen, byte| seen | KINDS.get(usize::from(byte)).copied().unwrap_or(OTHER));
    match seen & (NAMED | COMMA | OTHER) {
        NAMED => true,
        several if several == NAMED | COMMA => all_are_named(list),
        _ => false,
    }
}

/// Whether each element has a letter or a digit.
#[cold]
fn all_are_named(list: impl Iterator<Item = u8>) -> bool {
    let mut is_named = false;
    for byte in list {
        if byte == b',' && !is_named {
            return false;
        }
        is_named = byte.is_ascii_alphanumeric() || (is_named && byte != b',');
    }
    is_named
}

/// A letter or a digit.
const NAMED: u8 = 1;
const COMMA: u8 = 2;
/// A byte that no host has.
const OTHER: u8 = 4;

/// What each byte is in a list of hosts; zero for the marks of a host.
static KINDS: [u8; 256] = kinds();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated when it is compiled")]
const fn kinds() -> [u8; 256] {
    let mut kinds = [OTHER; 256];
    let mut at = 0;
    while at < kinds.len() {
        kinds[at] = match at as u8 {
            b',' => COMMA,
            byte if byte.is_ascii_alphanumeric() => NAMED,
            byte if is_of_host(byte) => 0,
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
    let mut value = value.unwrap_or(first).iter().copied().filter(|byte| *byte != b'"');
    match first.trim_ascii() {
        name if name.eq_ignore_ascii_case(b"proto") => value.all(is_of_word),
        name if name.eq_ignore_ascii_case(b"host") => are_hosts(value),
        _ => value.all(is_of_host),
    }
}

/// A byte of a host name, an address or a port, or white space around it.
#[inline]
const fn is_of_host(byte: u8) -> bool {
    is_of_word(byte) || matches!(byte, b':' | b'[' | b']' | b'%' | b'~' | b'_')
}

#[inline]
const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | b',' | b' ')
}

#[cfg(test)]
mod tests {
    use super::UrlPart;

    #[test]
    fn a_host_a_scheme_and_a_port_are_plain() {
        for host in
            ["a", "a.example:8080", "[::1]:80", "[fe80::1%25eth0]", "a_b", "xn--fiq228c", "a, b", "127.0.0.1", "~a"]
        {
            assert!(UrlPart::Host.is_plain(host.as_bytes()), "{host}");
        }
        for word in ["https", "http,https", "http, http", "443", "on", "h2", "wss", ""] {
            assert!(UrlPart::Word.is_plain(word.as_bytes()), "{word}");
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
                assert!(!UrlPart::Word.is_plain(value.as_bytes()), "{value}");
            }
        }
        for empty in ["", " ", ",a", "a,", "a, ,b", ":", "[]"] {
            assert!(!UrlPart::Host.is_plain(empty.as_bytes()), "{empty}");
        }
        for scheme in ["http:a", "http://a/login?", "x:/login?"] {
            assert!(!UrlPart::Word.is_plain(scheme.as_bytes()), "{scheme}");
        }
        for forwarded in
            ["host=\"a/login?\"", "host=a/login#", "proto=http:a", "for=a; Proto=\"http:a\"", "a/b", "for=a=/b"]
        {
            assert!(!UrlPart::Forwarded.is_plain(forwarded.as_bytes()), "{forwarded}");
        }
    }
}
