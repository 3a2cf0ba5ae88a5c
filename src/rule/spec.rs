//! The public type of a rule.

use std::{error::Error, fmt};

use http::{Method, request::Parts};
use tower::ServiceExt;
use tower_service::Service;

use super::{ask::Ask, setters::setting_methods, settings::Overrides, unless::Unless};
use crate::{check::Check, judge::RuleVerifier, proof::Field, verdict::Verdict};

/// Which requests are guarded, and what they must prove.
///
/// If several rules match, the most specific path wins, then a named method, then [`Rule::when`]. A method that no rule of
/// a path names falls through to the next matching pattern.
///
/// # Nested routers
///
/// A router strips the prefix of the path for a nested router. Inside the nested router, a rule matches the remaining path
/// and, with the Cargo feature `axum`, also the original path (axum's `OriginalUri`); a request whose two paths match two
/// different rules is answered 400. **Without the feature `axum` the original path is not read**, and inside a nested
/// router a rule for `/api/login` guards nothing. The layer's first log line reports it (`original path: not read`), and
/// [`JVerifyLayer::unused_rules`](crate::JVerifyLayer::unused_rules) lists the rule. To avoid this, mount the layer around
/// the outermost router.
///
/// ```
/// use tower_jverify::{Field, Rule, captcha, number};
///
/// let login = Rule::post("/login", number());
/// let tenants = Rule::post("/v1/{tenant}/login", number().phone(Field::body("/user/phone"))).body_limit(16 * 1024);
/// // One path with several ways to log in: `/loginType` of the body chooses.
/// let by_type = Rule::post("/enter", captcha()).when(Field::body("/loginType"), "password");
/// # let _ = (login, tenants, by_type);
/// ```
#[derive(Clone)]
#[must_use = "a rule guards nothing until a builder gets it"]
pub struct Rule {
    pub(super) methods: Methods,
    pub(super) path: Option<Box<str>>,
    pub(super) name: Option<Box<str>>,
    pub(super) ask: Ask,
    pub(super) when: Option<(Field, Box<str>)>,
    pub(super) otherwise_passes: bool,
    pub(super) preflight_passes: bool,
    pub(super) other_methods: Vec<Method>,
    pub(super) unless: Option<Unless>,
    pub(super) overrides: Overrides,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Methods {
    Named(Method),
    Any,
}

/// Compares methods without case.
pub(super) fn is_same(one: &Method, other: &Method) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

// === impl Methods ===

impl Methods {
    pub(super) fn may_be_options(&self) -> bool {
        match self {
            Self::Named(method) => method.as_str().eq_ignore_ascii_case("OPTIONS"),
            Self::Any => true,
        }
    }

    /// Whether a rule guards this method. A rule for GET guards HEAD.
    pub(super) fn names(&self, method: &Method) -> bool {
        match self {
            Self::Named(named) => {
                is_same(named, method) || (is_same(named, &Method::GET) && is_same(method, &Method::HEAD))
            }
            Self::Any => true,
        }
    }
}

// === impl Rule ===

impl Rule {
    /// Guards `POST` on a path: `/login`, or a pattern such as `/v1/{tenant}/login` or `/auth/{*rest}` (not `/auth` itself,
    /// which needs its own rule). Patterns of other routers (`/:id`, `/<id>`, `/*`, `/{id:int}`) are refused with the right
    /// spelling. A backslash makes such a segment literal: `r"/\:id"`. `/v1/accounts:signIn` and `/$batch` are literal.
    ///
    /// **Danger:** a backend that ignores the method also accepts a login as `PUT /login` or `GET /login?phone=…`: PHP's
    /// scripts, Django's views, Go's handlers, Spring's `@RequestMapping`, Flask's `request.values`. The rule does not
    /// guard these. In front of such a backend set
    /// [`JVerifyBuilder::foreign_backend`](crate::JVerifyBuilder::foreign_backend), under which only a bare GET or
    /// HEAD, a CORS preflight and [`Rule::other_methods`] pass on the path, or use [`Rule::any_method`].
    ///
    /// **Danger:** [`captcha()`](super::captcha) alone does not prove a phone, so the layer cannot distinguish `GET
    /// /register`, the page, from `GET /register?name=…&password=…`, a registration in the query. The same holds if a captcha
    /// is one of the proofs between which a client chooses (`captcha().or(number())`). If the backend reads the query, guard
    /// the path with [`Rule::any_method`]. With `foreign_backend`, `build()` writes each such rule to the log.
    ///
    /// `build()` refuses invalid patterns.
    pub fn post(path: impl Into<Box<str>>, ask: impl Into<Ask>) -> Self {
        Self::method(Method::POST, path, ask)
    }

    /// Guards one method on a path. Methods are compared without case; a rule for `GET` guards `HEAD` too.
    pub fn method(method: Method, path: impl Into<Box<str>>, ask: impl Into<Ask>) -> Self {
        Self::new(Methods::Named(method), Some(path.into()), ask.into())
    }

    /// Guards every method on a path, `OPTIONS` included: put a CORS layer outside of this one, or see
    /// [`Rule::preflight_passes`].
    pub fn any_method(path: impl Into<Box<str>>, ask: impl Into<Ask>) -> Self {
        Self::new(Methods::Any, Some(path.into()), ask.into())
    }

    /// Guards every request: for a layer on a single route (axum's `route_layer`).
    ///
    /// It is less specific than every other rule.
    pub fn any_request(ask: impl Into<Ask>) -> Self {
        Self::new(Methods::Any, None, ask.into())
    }

    fn new(methods: Methods, path: Option<Box<str>>, ask: Ask) -> Self {
        Self {
            methods,
            path,
            name: None,
            ask,
            when: None,
            otherwise_passes: false,
            preflight_passes: false,
            other_methods: Vec::new(),
            unless: None,
            overrides: Overrides::default(),
        }
    }

    /// Sets the name of the rule in events, errors, denials and [`JVerifyLayer::unused_rules`](crate::JVerifyLayer::unused_rules).
    /// Default: method, path and value, as in `POST /login` or `POST /enter when body:/loginType is "sms"`.
    ///
    /// 1 to 64 characters of visible ASCII. Two rules with one name are a [`ConfigError`](crate::ConfigError) of `build()`. The name
    /// is written to the log, so it must not be a secret.
    ///
    /// ```
    /// use tower_jverify::{Rule, number};
    ///
    /// let rule = Rule::post("/v1/{tenant}/login", number()).name("login");
    /// assert_eq!(rule.to_string(), "login");
    /// ```
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Uses this verifier instead of the layer's: any `tower::Service<Check, Response = Verdict>`, such as a
    /// [`JPush`](crate::JPush) with the key of another app. Its errors are treated like those of [the layer's
    /// verifier](crate::JVerifyLayer::builder). `in_flight`, `deadline` and the other settings apply as to every rule.
    ///
    /// The verifier reads from a [`Check`] which rule asks ([`Check::rule`]) and the parameters of the path
    /// ([`Check::path_parameter`]), and can verify a tenant's login with the tenant's own key:
    ///
    /// ```
    /// use std::{collections::HashMap, sync::Arc};
    ///
    /// use tower::{ServiceExt, service_fn};
    /// use tower_jverify::{Check, Class, Rule, Verdict, number};
    ///
    /// # #[cfg(feature = "client")]
    /// fn login(clients: HashMap<String, tower_jverify::JPush>) -> Rule {
    ///     let clients = Arc::new(clients);
    ///     let of_the_tenant = service_fn(move |check: Check| {
    ///         // No default: logins of a tenant without a key are refused.
    ///         let client = check.path_parameter("tenant").and_then(|tenant| clients.get(tenant)).cloned();
    ///         async move {
    ///             match client {
    ///                 Some(client) => client.oneshot(check).await,
    ///                 None => Ok(Verdict::new(check.kind(), Class::Rejected)),
    ///             }
    ///         }
    ///     });
    ///     Rule::post("/v1/{tenant}/login", number()).verifier(of_the_tenant)
    /// }
    /// ```
    ///
    /// Limits and breakers that protect an account are kept for the account of the rule: see [`Rule::account`].
    pub fn verifier<V>(mut self, verifier: V) -> Self
    where
        V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
        V::Error: Into<Box<dyn Error + Send + Sync>>,
        V::Future: Send,
    {
        self.overrides.verifier = Some(RuleVerifier::new(verifier.map_err(Into::into)));
        self
    }

    /// Names the account that the rule's [`verifier`](Self::verifier) spends from. Limits and breakers that protect an
    /// account are kept under this name. Default: a separate account, `rule` and the rule's name. Rules that spend from one
    /// account, also from the layer's, must set the same name.
    ///
    /// 1 to 64 characters of visible ASCII. It is written to the log, so it must not be a secret. On a rule without a
    /// verifier, which spends from [the layer's account](crate::JVerifyBuilder::account), it is an error of `build()`.
    pub fn account(mut self, account: impl Into<Box<str>>) -> Self {
        self.overrides.account = Some(account.into());
        self
    }

    /// Applies the rule only if a field has this value: one path, several ways to log in.
    ///
    /// **Danger:** a field that is absent, null or empty has no value: the rule without `when` applies, or
    /// [`Rule::otherwise_pass`]. If the application reads such a field as one of the values (in PHP `null == 0`, in
    /// JavaScript `Number("")` is 0), add a rule without `when` that requires the same proofs.
    ///
    /// The value is a string or an unsigned integer, and is compared exactly, as text. All rules of one path that use `when` must
    /// name the same field. A value that no rule of the path names is refused, unless a rule has no `when`, or has
    /// [`Rule::otherwise_pass`]. A value that some application reads as a named one is always refused: `SMS`, `"sms "` or
    /// full-width letters for `sms`, `01` or `1.0` for `1`. A rule without `when` may require less.
    ///
    /// With [`foreign_backend`](crate::JVerifyBuilder::foreign_backend) cookies with the field's name are removed, and a key of a
    /// form or the query whose last segment is the name (`model.loginType`) is refused, unless [`Rule::other_phones`] lists it.
    ///
    /// Default: the rule applies to every value.
    pub fn when(mut self, field: Field, value: impl Into<Box<str>>) -> Self {
        self.when = Some((field, value.into()));
        self
    }

    /// Lets a request pass unverified if no rule of this path names its [`Rule::when`] value, or if it has no value: for a
    /// path that other calls share, such as `/rpc`.
    ///
    /// The field of `when` is then read alone and first. The rules' other fields are not extracted from other calls, so
    /// positional arguments, values of another type and repeated names do not refuse them. The name of the `when` field
    /// must occur at most once in all places that some parser reads: in the body, in the query and, with
    /// [`foreign_backend`](crate::JVerifyBuilder::foreign_backend), in a form inside of another body. A request that passes has the
    /// header `x-jverify-decision: not-guarded` and an event, and no [`Decision`](crate::Decision). With
    /// [`canonical_body`](Self::canonical_body) the body of such a call is also written again. A GET, HEAD or DELETE
    /// without a body has the value only in the head.
    ///
    /// A request in which this field cannot be read (a batch, another media type, a body over the limit, the name
    /// twice or in another spelling) is refused, and the event's `detail` says what to do: read `when` from a header or a
    /// query field, or set a larger [`body_limit`](Self::body_limit). With `when` in a header the body of other calls is
    /// not read and reaches the application unchanged. With `when` in the query the body is read if possible, because it
    /// must not contain the name as well; an unreadable body passes unless a foreign backend is set, which requires a
    /// header or [`ignore_query`](Self::ignore_query).
    ///
    /// ```
    /// use tower_jverify::{Field, Rule, number};
    ///
    /// // JSON-RPC: only the method `login` is guarded.
    /// let ask = number().token(Field::body("/params/token")).phone(Field::body("/params/phone"));
    /// let rule = Rule::post("/rpc", ask).when(Field::body("/method"), "login").otherwise_pass();
    /// # let _ = rule;
    /// ```
    ///
    /// A value that some application reads as a named one is refused, although the texts differ: `SMS`, `"sms "` or
    /// full-width letters for `sms`, `01` or `1.0` for `1`.
    ///
    /// **Danger:** the application must refuse the values that it does not know, and must choose what to run by this field
    /// alone. GraphQL's `operationName` is a label that the client chooses and may omit; it does not determine what the
    /// `query` runs. Use a persisted operation's id, or a separate path for the login.
    ///
    /// Default: off, so a value that no rule names is refused.
    pub fn otherwise_pass(mut self) -> Self {
        self.otherwise_passes = true;
        self
    }

    /// Lets a CORS preflight pass an [`Rule::any_method`] rule: an `OPTIONS` request with `Origin` and
    /// `Access-Control-Request-Method`, without a body and without a header that overrides the method. With
    /// [`foreign_backend`](crate::JVerifyBuilder::foreign_backend) also without a header that the rule reads, and without the name
    /// of a phone, login token or captcha field in the query. Over HTTP/2 the layer waits for an end that the head does not show; a
    /// body gets 403 `preflight_refused`. Default: off, with that answer.
    pub fn preflight_passes(mut self) -> Self {
        self.preflight_passes = true;
        self
    }

    /// Lets unguarded requests with these methods pass on the path of this rule, where
    /// [`JVerifyBuilder::foreign_backend`](crate::JVerifyBuilder::foreign_backend) would answer 405. Default: none.
    ///
    /// **Danger:** the backend must not run the login for these methods: a backend that ignores the method accepts
    /// unverified logins with them.
    ///
    /// A request that names another method in its query (`?_method=PUT`) is refused. Its body is not read: a backend that takes
    /// the method from a form field (Rails, Laravel) runs `POST` as the method that the field names, so do not list `POST` for it.
    ///
    /// `build()` refuses a method that the rule itself guards.
    ///
    /// ```
    /// use http::Method;
    /// use tower_jverify::{Rule, number};
    ///
    /// // `DELETE /session` logs out.
    /// let rule = Rule::post("/session", number()).other_methods([Method::DELETE]);
    /// # let _ = rule;
    /// ```
    pub fn other_methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.other_methods.extend(methods);
        self
    }

    /// **Danger.** Lets a request pass unverified if the closure returns `true`: for clients that are known by other means,
    /// such as a session.
    ///
    /// The closure must not read anything that a client can write: method, path, query, cookies and every header,
    /// `X-Forwarded-For` included. It may read an extension that an outer layer inserted after its own check:
    /// a session that was looked up, or the peer's address.
    ///
    /// ```
    /// use http::request::Parts;
    /// use tower_jverify::{Rule, number};
    ///
    /// /// Inserted by the session layer, outside of `JVerifyLayer`, after it has looked the session up in its store.
    /// #[derive(Clone)]
    /// struct Session {
    ///     is_admin: bool,
    /// }
    ///
    /// fn is_admin(head: &Parts) -> bool {
    ///     head.extensions.get::<Session>().is_some_and(|session| session.is_admin)
    /// }
    ///
    /// let rule = Rule::post("/register", number()).guard_unless(is_admin);
    /// # let _ = rule;
    /// ```
    ///
    /// The closure receives the head before the body is read, without the headers under the layer's prefix and without the
    /// headers that [`foreign_backend`](crate::JVerifyBuilder::foreign_backend) removes. If it panics, the request is
    /// guarded. The last call wins.
    ///
    /// Such a request reaches the application with its body unchanged, with `x-jverify-decision: not-guarded`, and without
    /// a [`Decision`](crate::Decision) of this layer, so that [`Verified`](crate::Verified) refuses it. An event is
    /// written. A path with several readings is still refused.
    ///
    /// If several rules guard one path (as with [`Rule::when`]), the layer learns only from the body
    /// which rule applies: a request passes only if all of them have a closure and each returns `true`. A closure that
    /// could never let a request pass for this reason is a [`ConfigError`](crate::ConfigError) of `build()`.
    pub fn guard_unless(mut self, unless: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.unless = Some(Unless::new(unless));
        self
    }

    /// Whether a captcha is enough for the rule, for one method: a query then cannot be distinguished from a registration.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    pub(crate) fn takes_a_captcha_alone_for_one_method(&self) -> bool {
        matches!(self.methods, Methods::Named(_)) && self.ask.takes_a_captcha_alone()
    }

    /// Lists places where the application reads a phone that is not used to log in: an emergency contact, an address.
    ///
    /// With [`foreign_backend`](crate::JVerifyBuilder::foreign_backend) the name of a phone field may occur only in the
    /// field's place. Elsewhere in the body or the query it is refused, because some backends read it there: ASP.NET and
    /// Struts bind `model.phone`, and Rails merges inner objects. A listed place is neither read nor refused.
    ///
    /// An entry is a JSON Pointer (`/emergency/phone`) or a form key (`address[phone]`, `address.phone`). Both spellings
    /// name one place: `/address/phone` also allows the form key `address[phone]`, and `address[phone]` also allows the
    /// member `phone` of the member `address` in JSON. `*` matches one segment or one index of an array:
    /// `/contacts/*/phone`. Names are compared exactly. Places apply to forms, multipart, JSON and the query alike; gRPC
    /// messages have numbers instead of names and are not searched. Default: none.
    ///
    /// All rules of one path must list the same places. An entry that is empty, does not end in the name of a phone field of
    /// the rule, of its country code or of the field that its `when` reads, or is the place of such a field, is a
    /// [`ConfigError`](crate::ConfigError) of `build()`.
    ///
    /// ```
    /// use tower_jverify::{Rule, number};
    ///
    /// let rule = Rule::post("/register", number()).other_phones(["/emergency/phone", "address[phone]", "/contacts/*/phone"]);
    /// # let _ = rule;
    /// ```
    pub fn other_phones(mut self, places: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        self.overrides.other_phones = Some(places.into_iter().map(Into::into).collect());
        self
    }

    setting_methods!();
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            return f.write_str(name);
        }
        match &self.methods {
            Methods::Named(method) => f.write_str(method.as_str())?,
            Methods::Any => f.write_str("*")?,
        }
        write!(f, " {}", self.path.as_deref().unwrap_or("*"))?;
        if let Some((field, value)) = &self.when {
            write!(f, " when {field} is {value:?}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rule({self})")
    }
}
