//! Headers that make a backend use a path, prefix, method or protocol other than those that the layer has read.
//!
//! gunicorn removes `SCRIPT_NAME` from the path (`Message.create_environ`, `wsgi.create`), Symfony, Zend and `ThinkPHP`
//! read `X-Rewrite-URL` and `X-Original-URL` (`Request::prepareRequestUri`), Yii2 runs `X-HTTP-Method-Override`
//! (`Request::getMethod`), and nginx's h2c and other proxies open a tunnel for `Upgrade: h2c`, which no layer can read. In
//! front of such a backend all of these are removed, in every spelling.

use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderValue, header::UPGRADE};

use super::{
    folding::{aliases, is_like_framing, list, listed, lists_headers, rebuild, without_words},
    url_parts::UrlPart,
};
use crate::{
    error::ConfigError,
    foreign_backend::{ForeignBackend, Suspicion},
    log::event,
};

/// What a header overrides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// The path, a part of it, or the query.
    Path,
    Method,
    /// The path, if the value is more than this part of a URL.
    UrlPart(UrlPart),
}

/// All routing headers. A test compares the names with [`ForeignBackend`]'s documentation.
pub(super) const LIST: [(&str, Names); 95] = [
    // First, because nearly every request has it.
    ("Host", Names::UrlPart(UrlPart::Host)),
    // CGI's variables, which a server that adds no `HTTP_` reads from a header: gunicorn's `SCRIPT_NAME`.
    ("SCRIPT_NAME", Names::Path),
    ("PATH_INFO", Names::Path),
    ("PATH_TRANSLATED", Names::Path),
    ("SCRIPT_FILENAME", Names::Path),
    ("SCRIPT_URL", Names::Path),
    ("SCRIPT_URI", Names::Path),
    ("REQUEST_URI", Names::Path),
    ("DOCUMENT_URI", Names::Path),
    ("RAW_URI", Names::Path),
    ("ORIG_PATH_INFO", Names::Path),
    ("REDIRECT_URL", Names::Path),
    ("UNENCODED_URL", Names::Path),
    ("QUERY_STRING", Names::Path),
    ("REQUEST_METHOD", Names::Method),
    // IIS and its rewriters, and frameworks that trust them.
    ("X-Original-URL", Names::Path),
    ("X-Original-URI", Names::Path),
    ("X-Original-Path", Names::Path),
    ("X-Original-Prefix", Names::Path),
    ("X-Original-Method", Names::Method),
    ("X-Rewrite-URL", Names::Path),
    ("X-Rewrite-URI", Names::Path),
    ("X-Rewrite-Path", Names::Path),
    ("X-Waws-Unencoded-URL", Names::Path),
    ("X-MS-Original-URL", Names::Path),
    ("X-HTTP-DestinationURL", Names::Path),
    // Reverse proxies.
    ("X-Forwarded-Prefix", Names::Path),
    ("X-Forwarded-Path", Names::Path),
    ("X-Forwarded-PathBase", Names::Path),
    ("X-Forwarded-Context", Names::Path),
    ("X-Forwarded-URI", Names::Path),
    ("X-Forwarded-URL", Names::Path),
    ("X-Forwarded-Request-URI", Names::Path),
    ("X-Forwarded-Script-Name", Names::Path),
    ("X-Forwarded-Method", Names::Method),
    ("X-Forwarded-Base-Path", Names::Path),
    ("X-Forwarded-BasePath", Names::Path),
    ("X-Script-Name", Names::Path),
    // Plack's `ReverseProxyPath` and Python's WSGIProxy remove its value from the path.
    ("X-Traversal-Path", Names::Path),
    ("X-Path-Info", Names::Path),
    ("X-PathInfo", Names::Path),
    ("X-ScriptName", Names::Path),
    ("X-Route-Prefix", Names::Path),
    ("X-Request-URI", Names::Path),
    ("X-Original-Request-URI", Names::Path),
    ("X-Original-Request-URL", Names::Path),
    ("X-Replaced-Path", Names::Path),
    ("X-Ingress-Path", Names::Path),
    ("X-ProxyContextPath", Names::Path),
    ("X-Proxy-URL", Names::Path),
    ("X-Envoy-Original-Path", Names::Path),
    ("X-Envoy-Original-URL", Names::Path),
    // Next.js (`minimalMode`, and the headers between its own processes, `INTERNAL_HEADERS`), and applications behind Vercel.
    ("X-Matched-Path", Names::Path),
    ("X-Invoke-Path", Names::Path),
    ("X-Invoke-Output", Names::Path),
    ("X-Invoke-Query", Names::Path),
    // Pyramid's traversal begins at this path, and Zope's middleware makes it the prefix.
    ("X-Vhm-Root", Names::Path),
    ("X-Vhm-Host", Names::Path),
    // Nitro (`x-now-route-matches`) and Astro, as they are built for Vercel.
    ("X-Now-Route-Matches", Names::Path),
    ("X-Astro-Path", Names::Path),
    // Lucee and Railo take a page's path info from it, by which ColdBox and other ColdFusion frameworks route.
    ("XAJP-Path-Info", Names::Path),
    // Applications on Netlify and Vercel, and adapters for them, set their path to it.
    ("X-Netlify-Original-Pathname", Names::Path),
    ("X-Vercel-Matched-Path", Names::Path),
    ("X-Real-Path", Names::Path),
    // Applications of Mojolicious, Catalyst, Tornado and WSGI remove its value from the path, or make it the prefix.
    ("X-Request-Base", Names::Path),
    ("X-Proxy-Path", Names::Path),
    ("X-Base-Path", Names::Path),
    ("X-Forwarded-Root", Names::Path),
    // Frameworks that run another method than the request line's.
    ("X-HTTP-Method-Override", Names::Method),
    ("X-HTTP-Method", Names::Method),
    ("X-Method-Override", Names::Method),
    ("X-Request-Method", Names::Method),
    ("X-HTTP-Path-Override", Names::Path),
    ("X-HTTP-Verb-Override", Names::Method),
    // Servers that put a URL together and take its path (`url_parts`).
    ("Forwarded", Names::UrlPart(UrlPart::Forwarded)),
    ("X-Forwarded-Host", Names::UrlPart(UrlPart::Hosts)),
    ("X-Forwarded-Server", Names::UrlPart(UrlPart::Hosts)),
    ("X-Forwarded-Port", Names::UrlPart(UrlPart::Ports)),
    ("X-Forwarded-Proto", Names::UrlPart(UrlPart::Schemes)),
    ("X-Forwarded-Protocol", Names::UrlPart(UrlPart::Schemes)),
    ("X-Forwarded-Scheme", Names::UrlPart(UrlPart::Schemes)),
    ("X-Original-Host", Names::UrlPart(UrlPart::Hosts)),
    ("X-Original-Proto", Names::UrlPart(UrlPart::Schemes)),
    ("X-Original-Protocol", Names::UrlPart(UrlPart::Schemes)),
    ("X-Original-Scheme", Names::UrlPart(UrlPart::Schemes)),
    ("X-Original-Port", Names::UrlPart(UrlPart::Ports)),
    ("X-Forwarded-Hostname", Names::UrlPart(UrlPart::Hosts)),
    ("X-Real-Host", Names::UrlPart(UrlPart::Hosts)),
    // Azure's App Service.
    ("Disguised-Host", Names::UrlPart(UrlPart::Hosts)),
    ("X-AppService-Proto", Names::UrlPart(UrlPart::Schemes)),
    ("X-HTTP-Host-Override", Names::UrlPart(UrlPart::Hosts)),
    ("X-Host", Names::UrlPart(UrlPart::Hosts)),
    ("X-Scheme", Names::UrlPart(UrlPart::Schemes)),
    ("X-URL-Scheme", Names::UrlPart(UrlPart::Schemes)),
    ("CloudFront-Forwarded-Proto", Names::UrlPart(UrlPart::Schemes)),
];

const HTTP2_SETTINGS: &str = "http2-settings";

/// The headers that are removed in front of a foreign backend.
#[derive(Debug)]
pub(super) struct Routing {
    /// By the length of their names. Empty if routing headers stay.
    entries: Vec<Vec<Entry>>,
    h2c: bool,
    marks: Marks,
}

#[derive(Debug)]
struct Entry {
    name: &'static str,
    names: Names,
    kept: bool,
    warned: AtomicBool,
}

/// Which of the user's kept headers stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// All of them.
    All,
    /// All except headers that name a method: the request is for a guarded path.
    NoMethods,
    /// None, because no trusted proxy sets trailers.
    Nothing,
}

/// A quick test that nearly every other name fails: a bit by length, first and last byte.
#[derive(Debug)]
struct Marks([u64; 32]);

/// Whether a header makes some backend run another method.
pub(crate) fn overrides_method(name: &str) -> bool {
    LIST.iter().any(|(known, names)| *names == Names::Method && aliases(name, known))
}

/// Removes an offer to switch to HTTP/2 (`Upgrade: h2c`, as Java's `HttpClient` and `curl --http2` send it), which a server may
/// ignore (RFC 9110, 7.8). An offer of another protocol stays, with its headers.
pub(crate) fn ignore_http2_offer(headers: &mut HeaderMap) {
    let offers = || headers.get_all(UPGRADE).iter().flat_map(protocols);
    if offers().next().is_none() || !offers().all(is_http2) {
        return;
    }
    let goes = |word: &[u8]| {
        word.eq_ignore_ascii_case(UPGRADE.as_str().as_bytes())
            || str::from_utf8(word).is_ok_and(|word| aliases(word, HTTP2_SETTINGS))
    };
    rebuild(headers, |name, value| match name {
        name if goes(name.as_str().as_bytes()) => None,
        name if lists_headers(name.as_str()) => without_words(value, goes),
        _ => Some(value),
    });
}

// === impl Routing ===

impl Routing {
    /// `None` if nothing is to be removed.
    ///
    /// # Errors
    ///
    /// `foreign_backend.keep_header`: a name that is not in the list.
    pub(super) fn of(foreign: &ForeignBackend) -> Result<Option<Self>, ConfigError> {
        let kept = foreign.kept_headers();
        let is_removed =
            |name: &str| LIST.iter().any(|(known, names)| !matches!(names, Names::UrlPart(_)) && aliases(name, known));
        if let Some(other) = kept.iter().find(|name| !is_removed(name)) {
            let problem = "this header is not removed: see the table of `ForeignBackend`";
            return Err(ConfigError::new("foreign_backend.keep_header", other.clone(), problem));
        }
        let h2c = foreign.suspects(Suspicion::H2c);
        let (mut entries, mut marks) = (Vec::new(), Marks([0; 32]));
        for (name, names) in LIST.into_iter().filter(|_| foreign.suspects(Suspicion::RoutingHeader)) {
            if entries.len() <= name.len() {
                entries.resize_with(name.len() + 1, Vec::new);
            }
            let kept = kept.iter().any(|kept| aliases(kept, name));
            let of_length = entries.get_mut(name.len()).expect("it has just been made as long");
            of_length.push(Entry { name, names, kept, warned: AtomicBool::new(false) });
            marks.add(name);
        }
        if entries.is_empty() && !h2c {
            return Ok(None);
        }
        if h2c {
            marks.add(HTTP2_SETTINGS);
            marks.add(UPGRADE.as_str());
        }
        Ok(Some(Self { entries, h2c, marks }))
    }

    /// Whether this header may have to be removed. `name` is in lower case.
    #[inline]
    pub(super) fn concerns(&self, name: &str, value: &HeaderValue, keeping: Keeping) -> bool {
        (self.marks.may_hold(name.as_bytes()) && self.concerns_exactly(name, value, keeping)) || self.is_framing(name)
    }

    #[inline(never)]
    fn concerns_exactly(&self, name: &str, value: &HeaderValue, keeping: Keeping) -> bool {
        self.removes(name, value, keeping) || (self.h2c && *name == *UPGRADE.as_str() && protocols(value).any(is_http2))
    }

    /// Whether a header is removed.
    pub(super) fn removes(&self, name: &str, value: &HeaderValue, keeping: Keeping) -> bool {
        match self.entry(name) {
            Some(entry) => entry.is_removed(name, keeping) || entry.names_more_than_its_part(value),
            None => self.is_settings(name) || self.is_framing(name),
        }
    }

    /// Whether a header is removed, with any value.
    pub(super) fn removes_always(&self, name: &str, keeping: Keeping) -> bool {
        match self.entry(name) {
            Some(entry) => entry.is_removed(name, keeping),
            None => self.is_settings(name) || self.is_framing(name),
        }
    }

    /// Whether these stay as scheme and host of a URI.
    pub(super) fn is_origin(&self, scheme: Option<&str>, host: &str) -> bool {
        let is_scheme = |scheme: &str| UrlPart::Schemes.is_plain(scheme.as_bytes());
        self.entries.is_empty() || UrlPart::Host.is_plain(host.as_bytes()) && scheme.is_none_or(is_scheme)
    }

    /// Whether a server may read this name, which HTTP does not read so, as that of a header that says where the body ends.
    #[inline]
    fn is_framing(&self, name: &str) -> bool {
        is_like_framing(name) && !self.entries.is_empty()
    }

    fn is_settings(&self, name: &str) -> bool {
        self.h2c && aliases(name, HTTP2_SETTINGS)
    }

    /// Logs once that a header was removed.
    pub(super) fn warn(&self, name: &str) {
        if let Some(entry) = self.entry(name)
            && !entry.warned.swap(true, Ordering::Relaxed)
        {
            event!(
                WARN,
                header = entry.name,
                "`foreign_backend` removes a header that names another path, prefix or method: a backend that relies on it \
                 now behaves differently. If a trusted proxy in front sets it, see `ForeignBackend::keep_header`"
            );
        }
    }

    /// Whether a word of `Connection` is removed. Kept headers are also removed from it, because a client must not make a
    /// hop remove them.
    pub(super) fn is_removed_word(&self, word: &[u8], upgrades: bool) -> bool {
        let word = str::from_utf8(word).unwrap_or_default();
        self.entry(word).is_some()
            || self.is_settings(word)
            || (!upgrades && word.eq_ignore_ascii_case(UPGRADE.as_str()))
    }

    /// `Upgrade` without HTTP/2; `None` if nothing is left.
    pub(super) fn without_http2(&self, value: HeaderValue) -> Option<HeaderValue> {
        if !self.h2c || !protocols(&value).any(is_http2) {
            return Some(value);
        }
        list(protocols(&value).filter(|protocol| !is_http2(protocol)))
    }

    /// Whether tunnels that the layer cannot read are suspected.
    pub(super) fn suspects_tunnels(&self) -> bool {
        self.h2c
    }

    /// Whether `Connection` may still name `Upgrade`: HTTP/2 was not offered, or another protocol is offered too.
    pub(super) fn leaves_an_upgrade(&self, headers: &HeaderMap) -> bool {
        let offers = || headers.get_all(UPGRADE).iter().flat_map(protocols);
        let settings = || {
            headers.keys().any(|name| aliases(name.as_str(), HTTP2_SETTINGS))
                || listed(headers).any(|word| str::from_utf8(word).is_ok_and(|word| aliases(word, HTTP2_SETTINGS)))
        };
        !self.h2c || offers().any(|protocol| !is_http2(protocol)) || !(offers().any(is_http2) || settings())
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name.len())?.iter().find(|entry| aliases(entry.name, name))
    }
}

// === impl Entry ===

impl Entry {
    /// Whether a header with this name, which is one of the entry's spellings, is removed with any value.
    fn is_removed(&self, name: &str, keeping: Keeping) -> bool {
        // The proxy in front sets one spelling. A client may send another one, which a backend may read as the same name.
        let is_kept = self.kept && name.eq_ignore_ascii_case(self.name);
        match (self.names, keeping) {
            (Names::UrlPart(_), _) => false,
            (_, Keeping::All) => !is_kept,
            (names, Keeping::NoMethods) => !is_kept || names == Names::Method,
            (_, Keeping::Nothing) => true,
        }
    }

    /// Whether the value of a header that names a part of a URL names a path.
    fn names_more_than_its_part(&self, value: &HeaderValue) -> bool {
        matches!(self.names, Names::UrlPart(part) if !part.is_plain(value.as_bytes()))
    }
}

// === impl Marks ===

impl Marks {
    /// Adds a name. It begins and ends with a letter or digit, in every spelling.
    fn add(&mut self, name: &str) {
        let (word, bit) = Self::mark(name.to_ascii_lowercase().as_bytes());
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    #[inline]
    fn may_hold(&self, name: &[u8]) -> bool {
        let (word, bit) = Self::mark(name);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    #[inline]
    fn mark(name: &[u8]) -> (usize, u64) {
        let (first, last) = (name.first().copied().unwrap_or_default(), name.last().copied().unwrap_or_default());
        (name.len() & 31, 1 << (first.wrapping_mul(11).wrapping_add(last) & 63))
    }
}

/// The protocols in `Upgrade`; some servers also split it at spaces.
fn protocols(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let ends = |byte: &u8| matches!(byte, b',' | b';' | b' ' | b'\t' | b'"');
    value.as_bytes().split(ends).filter(|protocol| !protocol.is_empty())
}

/// `h2c`, its drafts (`h2c-14`), `h2` and `HTTP/2.0`.
fn is_http2(protocol: &[u8]) -> bool {
    let begins = |start: &[u8]| protocol.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start));
    begins(b"h2") || begins(b"http/2")
}
