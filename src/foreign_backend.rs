//! The differences between an unknown backend's reading of a request and the layer's.
//!
//! An axum application behind the layer reads a request as the layer does. A backend in another language may not: it may
//! parse JSON regardless of the type, merge query and cookies into the body, or take its path from a header. Each such
//! habit is a class of suspicion with a separate switch, so that a false refusal requires turning off only one class.

use std::{collections::BTreeSet, fmt};

/// A class of suspicion: a habit of backends that can make them read a request differently from the layer.
///
/// The event of a refusal names the class, as does [`Denial::suspicion`](crate::Denial::suspicion). Each class has a
/// switch on [`ForeignBackend`].
///
/// ```
/// use tower_jverify::{Denial, DenialReason, Suspicion};
///
/// let denial = Denial::for_test(DenialReason::ProofMalformed);
/// assert_ne!(denial.suspicion(), Some(Suspicion::HiddenForm)); // not refused because of a suspicion
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Suspicion {
    /// A body that is not a form, in which a form reader finds a guarded name. Also JSON in which an escaped quotation mark or
    /// backslash follows a character outside of ASCII directly: a reader of GBK or Shift JIS ends the text elsewhere.
    HiddenForm,
    /// The name of a phone field elsewhere in the body or in the query, also as the last part of a name; in a form or the query also the name of its country
    /// code and of the field that [`Rule::when`](crate::Rule::when) reads. In JSON also a member `__proto__` on the way to
    /// a field: JavaScript's `Object.assign({}, body)` reads its members as members of the surrounding object.
    OtherPhone,
    /// A cookie with the name of a phone field, of its country code or of the field that [`Rule::when`](crate::Rule::when)
    /// reads. The cookie is removed, and the request continues.
    Cookie,
    /// A header that names another path, prefix or method, also `Host: a/login?`. The header is removed, and the request continues. See the
    /// table of [`ForeignBackend`].
    RoutingHeader,
    /// `Upgrade: h2c` and `HTTP2-Settings`, which are removed, and the request continues. Also `CONNECT` to a host, which is
    /// refused.
    H2c,
    /// A query parameter from which some frameworks route, with a guarded path as its value.
    RouteParameter,
    /// A method that no rule of the path names; a parameter `_method`, if the rules of the path differ in their methods.
    OtherMethod,
    /// A path that some framework reads as a guarded one.
    PathSpelling,
}

/// How a backend behind the layer may read a request differently from the layer. For
/// [`JVerifyBuilder::foreign_backend`](crate::JVerifyBuilder::foreign_backend).
///
/// [`ForeignBackend::any`] suspects every known habit of backends. Each `without_...` switches one class off, for a backend
/// that does not have the habit; `build()` writes the disabled classes to the log.
///
/// ```
/// use tower_jverify::ForeignBackend;
///
/// // The backend routes by `page`, and never reads `$_REQUEST` or anything like it.
/// let backend = ForeignBackend::any().route_parameters(["page"]).without_cookies();
/// # let _ = backend;
/// ```
///
/// # Query parameters from which a backend routes
///
/// | name | who routes by it |
/// |---|---|
/// | `s` | `ThinkPHP` |
/// | `r`, `route` | Yii, `OpenCart` |
/// | `rest_route` | `WordPress` |
/// | `_url` | Phalcon |
/// | `_path` | Symfony |
/// | `__pathname`, `__isr_route`, `x_astro_path` | `SvelteKit`, Nitro and Astro, as they are built for Vercel |
/// | `q`, if its value begins with a slash | Drupal, rewrite rules |
///
/// [`ForeignBackend::route_parameters`] replaces these names. In addition, these count always: a pair that begins with a slash
/// (`?/login`, `CodeIgniter`), and a name that carries the action (`action:login` for Struts, `login:method` for Zope, `_action_login` for
/// Grails) or has it as its value (`_action=login` for Astro), if the path of a rule ends in that action.
///
/// # Headers that name another path or method
///
/// These are removed from every request, guarded or not, in every spelling that a CGI-style server reads as the name
/// (`x_original_url`, `X.Original-URL`), from `Connection`, and from trailers. The first removal of each name writes a WARN
/// event. [`ForeignBackend::keep_header`] keeps a header that a trusted proxy in front sets.
///
/// | family | names |
/// |---|---|
/// | CGI variables, which gunicorn and others take from headers | `SCRIPT_NAME`, `PATH_INFO`, `PATH_TRANSLATED`, `SCRIPT_FILENAME`, `SCRIPT_URL`, `SCRIPT_URI`, `REQUEST_URI`, `DOCUMENT_URI`, `RAW_URI`, `ORIG_PATH_INFO`, `REDIRECT_URL`, `UNENCODED_URL`, `QUERY_STRING` |
/// | IIS, its rewriters, and PHP and .NET frameworks behind them | `X-Original-URL`, `X-Original-URI`, `X-Original-Path`, `X-Original-Prefix`, `X-Rewrite-URL`, `X-Rewrite-URI`, `X-Rewrite-Path`, `X-Waws-Unencoded-URL`, `X-MS-Original-URL`, `X-HTTP-DestinationURL` |
/// | reverse proxies | `X-Forwarded-Prefix`, `X-Forwarded-Path`, `X-Forwarded-PathBase`, `X-Forwarded-Context`, `X-Forwarded-URI`, `X-Forwarded-URL`, `X-Forwarded-Request-URI`, `X-Forwarded-Script-Name`, `X-Forwarded-Base-Path`, `X-Forwarded-BasePath`, `X-Script-Name`, `X-Traversal-Path`, `X-Vhm-Root`, `X-Vhm-Host`, `X-Path-Info`, `X-PathInfo`, `X-ScriptName`, `X-Route-Prefix`, `X-Request-URI`, `X-Original-Request-URI`, `X-Original-Request-URL`, `X-Matched-Path`, `X-Invoke-Path`, `X-Invoke-Output`, `X-Invoke-Query`, `X-Now-Route-Matches`, `X-Astro-Path`, `X-Replaced-Path`, `X-Ingress-Path`, `X-ProxyContextPath`, `X-Proxy-URL`, `X-Envoy-Original-Path`, `X-Envoy-Original-URL`, `XAJP-Path-Info`, `X-Netlify-Original-Pathname`, `X-Vercel-Matched-Path`, `X-Real-Path`, `X-Request-Base`, `X-Proxy-Path`, `X-Base-Path`, `X-Forwarded-Root` |
/// | the method | `X-HTTP-Method-Override`, `X-HTTP-Method`, `X-Method-Override`, `X-Request-Method`, `X-HTTP-Verb-Override`, `X-HTTP-Path-Override`, `X-Forwarded-Method`, `X-Original-Method`, `REQUEST_METHOD` |
/// | parts of a URL, with another value than a host, a scheme or a port | `Host`, `Forwarded`, `X-Forwarded-Host`, `X-Forwarded-Server`, `X-Forwarded-Port`, `X-Forwarded-Proto`, `X-Forwarded-Protocol`, `X-Forwarded-Scheme`, `X-Original-Host`, `X-Original-Proto`, `X-Original-Protocol`, `X-Original-Scheme`, `X-Original-Port`, `X-Forwarded-Hostname`, `X-Real-Host`, `Disguised-Host`, `X-AppService-Proto`, `X-HTTP-Host-Override`, `X-Host`, `X-Scheme`, `X-URL-Scheme`, `CloudFront-Forwarded-Proto` |
///
/// The headers of the last row name a host, a scheme or a port, and stay with such a value (schemes: `http`, `https`, `ws`, `wss`, `h2`,
/// `h2c`, `h3`, and the words `on`, `off`, `ssl`, `tls`). With another value they are removed as
/// well, because some servers join these parts with the path to a URL: with `Host: a/login?` or
/// `X-Forwarded-Host: a/login?`, every request is one for `/login` to them, and with an empty host `/a/login` is. With
/// `X-Forwarded-Proto: javascript`, Node's `url.parse` reads the host as a part of the path. The
/// same is true of the host of the URI (`:authority` and `:scheme` of HTTP/2, or a whole URL in the request line): with another value, scheme and host are removed from the URI. Headers
/// that name an address (`X-Forwarded-For`) stay. `Content-Length` and `Transfer-Encoding` are removed in each spelling that HTTP does
/// not read (`Transfer_Encoding`), because a server that reads it takes the next request for the body of this one. The general words `URL`, `URI`, `Base-URL` and `Redirect` also stay: no
/// framework is known to route by them, and applications use them.
///
/// # Methods
///
/// On a guarded path, of the requests with a method that no rule of any matching pattern names, only these pass:
///
/// 1. GET and HEAD without a body, without a header that a rule of the path reads, and without the name of a phone,
///    `loginToken` or `captchaContent` field or `_method` in the query. Cookies with the phone's name are removed. Over HTTP/2
///    the head may not show whether there is a body, because some clients end an empty one with a DATA frame, of which some proxies make an empty
///    chunked body: the layer waits for its end, at most [`Rule::body_deadline`](crate::Rule::body_deadline).
/// 2. A CORS preflight that meets the conditions of [`Rule::preflight_passes`](crate::Rule::preflight_passes), also without
///    such a header or name. The layer waits for the end of its body as for that of a GET. If the rule reads its proof from the query, put a CORS layer outside of this one.
/// 3. The methods of [`Rule::other_methods`](crate::Rule::other_methods).
///
/// A GET or HEAD with such a header or name is answered 400 `proof_malformed`, and everything else 405 with `Allow`. If
/// only some reading of the path is guarded, or a routing parameter names a guarded path, only requests of item 1 pass, and
/// everything else is answered 400 `path_ambiguous`. If a rule guards that path for the method of the request, no request
/// passes.
///
/// # Upgrades
///
/// `Upgrade: h2c` and `HTTP2-Settings` are removed, also from `Connection`: a proxy that copies them to the backend opens a
/// tunnel in which the layer sees no request. For the same reason `CONNECT` to a host (without a path) is answered 400
/// `upgrade_refused`. Other upgrades pass on paths that no rule guards. A proxy behind the layer may
/// tunnel a WebSocket only after the backend has answered 101 with the `Sec-WebSocket-Accept` that belongs to the request's
/// `Sec-WebSocket-Key` (RFC 6455, section 4.1). Otherwise a client can pretend an upgrade and send HTTP requests through the
/// tunnel that the layer never sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignBackend {
    off: BTreeSet<Suspicion>,
    route_parameters: Option<Vec<Box<str>>>,
    kept_headers: Vec<Box<str>>,
}

// === impl Suspicion ===

impl Suspicion {
    /// All classes.
    const ALL: [Self; 8] = [
        Self::HiddenForm,
        Self::OtherPhone,
        Self::Cookie,
        Self::RoutingHeader,
        Self::H2c,
        Self::RouteParameter,
        Self::OtherMethod,
        Self::PathSpelling,
    ];

    /// The word in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HiddenForm => "hidden_form",
            Self::OtherPhone => "other_phone",
            Self::Cookie => "cookie",
            Self::RoutingHeader => "routing_header",
            Self::H2c => "h2c",
            Self::RouteParameter => "route_parameter",
            Self::OtherMethod => "other_method",
            Self::PathSpelling => "path_spelling",
        }
    }
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl ForeignBackend ===

impl ForeignBackend {
    /// Suspects every known habit.
    pub fn any() -> Self {
        Self { off: BTreeSet::new(), route_parameters: None, kept_headers: Vec::new() }
    }

    /// Suspects nothing: the backend is a Rust application that reads a request as the layer does.
    pub(crate) fn none() -> Self {
        Self { off: Suspicion::ALL.into(), ..Self::any() }
    }

    /// Does not search for a form inside bodies that are not forms. Default: it does.
    pub fn without_hidden_forms(self) -> Self {
        self.without(Suspicion::HiddenForm)
    }

    /// Does not search for the names of [`Suspicion::OtherPhone`] elsewhere in the body and in the query, or for
    /// `__proto__`. Default: it does.
    pub fn without_other_phones(self) -> Self {
        self.without(Suspicion::OtherPhone)
    }

    /// Keeps the cookies of [`Suspicion::Cookie`]. Default: they are removed.
    pub fn without_cookies(self) -> Self {
        self.without(Suspicion::Cookie)
    }

    /// Keeps all headers that name another path, prefix or method. To keep only some of them, see
    /// [`ForeignBackend::keep_header`]. Default: they are removed.
    pub fn without_routing_headers(self) -> Self {
        self.without(Suspicion::RoutingHeader)
    }

    /// Keeps `Upgrade: h2c` and `HTTP2-Settings`, and lets `CONNECT` pass. Default: the headers are removed, and `CONNECT` to a
    /// host is refused.
    pub fn without_h2c(self) -> Self {
        self.without(Suspicion::H2c)
    }

    /// Does not check query parameters from which frameworks route. Default: it does.
    pub fn without_route_parameters(self) -> Self {
        self.without(Suspicion::RouteParameter)
    }

    /// Lets methods pass that no rule of the path names. Default: such a request gets 405.
    pub fn without_other_methods(self) -> Self {
        self.without(Suspicion::OtherMethod)
    }

    /// Does not refuse paths that only some framework reads as a guarded one. Default: it does.
    pub fn without_path_spellings(self) -> Self {
        self.without(Suspicion::PathSpelling)
    }

    /// Sets the query parameters from which the backend routes, instead of the usual ones.
    /// Default: the table of [`ForeignBackend`].
    pub fn route_parameters(mut self, names: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        self.route_parameters = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Keeps a header that names another path, prefix or method and would be removed: one that a trusted proxy in front
    /// sets. Call it once for each header. It is kept in the spelling of the table of [`ForeignBackend`], without case; other
    /// spellings (`x_forwarded_prefix`), which the proxy may let a client send, are removed.
    ///
    /// **Danger:** the proxy must set or remove the header on every request. On a guarded path a header that names a method
    /// is still removed, as are kept names in `Connection` and in trailers.
    ///
    /// `build()` refuses a name that is not in the table of [`ForeignBackend`]. Default: none is kept.
    pub fn keep_header(mut self, name: impl Into<Box<str>>) -> Self {
        self.kept_headers.push(name.into());
        self
    }

    fn without(mut self, class: Suspicion) -> Self {
        self.off.insert(class);
        self
    }

    /// Whether a class is on.
    pub(crate) fn suspects(&self, class: Suspicion) -> bool {
        !self.off.contains(&class)
    }

    /// The classes that are off.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    pub(crate) fn switched_off(&self) -> impl Iterator<Item = Suspicion> {
        self.off.iter().copied()
    }

    /// The names that replace the usual route parameters.
    pub(crate) fn own_route_parameters(&self) -> Option<&[Box<str>]> {
        self.route_parameters.as_deref()
    }

    /// The routing headers that are kept, in the user's spelling.
    pub(crate) fn kept_headers(&self) -> &[Box<str>] {
        &self.kept_headers
    }
}
