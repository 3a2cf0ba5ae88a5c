//! A rule as users write it.

use std::{error::Error, fmt};

use http::{Method, request::Parts};
use tower::ServiceExt;
use tower_service::Service;

use super::{
    ask::Ask,
    settings::{Overrides, setting_methods},
    unless::Unless,
};
use crate::{check::Check, judge::RuleVerifier, proof::Field, verdict::Verdict};

/// Which requests are guarded, and what they must prove.
///
/// Of the rules whose path matches, the most specific path wins, then a named method, then [`Rule::when`]. A method that
/// no rule of a path names falls through to the next pattern that matches.
///
/// # Nested routers
///
/// A router that nests another strips the prefix of the path. For a layer inside of the nested router, a rule matches the path that
/// is left, and with the Cargo feature `axum` also the path as it came (axum's `OriginalUri`); two different rules for the two
/// paths are answered 400. **Without the feature `axum` the original path is not read**, so that inside of a nested router a rule
/// for `/api/login` guards nothing. The layer's first line in the log says so (`original path: not read`), and
/// [`JVerifyLayer::unused_rules`](crate::JVerifyLayer::unused_rules) lists the rule. Mount the layer around the outermost
/// router, and this question does not arise.
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

/// Methods compare without case.
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
    /// Guards `POST` on a path: `/login`, or a pattern such as `/v1/{tenant}/login` or `/auth/{*rest}` (which is not `/auth`
    /// itself: that takes a rule of its own). Patterns of other routers (`/:id`, `/<id>`, `/*`, `/{id:int}`) are refused with the
    /// spelling that is meant. A backslash makes a text of such a segment: `r"/\:id"`. `/v1/accounts:signIn` and `/$batch` are texts.
    ///
    /// **Danger:** a backend that ignores the method logs in by `PUT /login` or `GET /login?phone=…` too: PHP's scripts, Django's
    /// views, Go's handlers, Spring's `@RequestMapping`, Flask's `request.values`. The rule does not guard these. In front of such
    /// a backend set [`JVerifyBuilder::foreign_backend`](crate::JVerifyBuilder::foreign_backend), under which only a bare GET or
    /// HEAD, a CORS preflight and [`Rule::other_methods`] pass on the path, or use [`Rule::any_method`].
    ///
    /// **Danger:** [`captcha()`](super::captcha) alone proves no phone, so the layer cannot distinguish `GET /register`, the page, from `GET
    /// /register?name=…&password=…`, a registration in the query. If the backend reads the query, guard the path with
    /// [`Rule::any_method`]. Under `foreign_backend` each such rule is in the log when the layer is built.
    ///
    /// Wrong patterns are refused when the layer is built.
    pub fn post(path: impl Into<Box<str>>, ask: impl Into<Ask>) -> Self {
        Self::method(Method::POST, path, ask)
    }

    /// Guards one method on a path. Methods compare without case; a rule for `GET` guards `HEAD` too.
    pub fn method(method: Method, path: impl Into<Box<str>>, ask: impl Into<Ask>) -> Self {
        Self::new(Methods::Named(method), Some(path.into()), ask.into())
    }

    /// Guards every method on a path, `OPTIONS` included: put a CORS layer outside of this one, or see
    /// [`Rule::preflight_passes`].
    pub fn any_method(path: impl Into<Box<str>>, ask: impl Into<Ask>) -> Self {
        Self::new(Methods::Any, Some(path.into()), ask.into())
    }

    /// Guards every request that comes by: for a layer on one route only (axum's `route_layer`).
    ///
    /// Among other rules it is the least specific.
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
    /// is written to the log, so it must be no secret.
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

    /// Asks this verifier in place of the layer's: any `tower::Service<Check, Response = Verdict>`, such as a
    /// [`JPush`](crate::JPush) with the key of another app. Its error is read as that of
    /// [the layer's](crate::JVerifyLayer::builder). `in_flight`, `deadline` and the other settings hold as for every rule.
    ///
    /// The verifier learns from a [`Check`] which rule asks ([`Check::rule`]) and which parameters the path has
    /// ([`Check::path_parameter`]), so that a tenant's login is verified with the tenant's own key:
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
    ///         // No default: a tenant without a key logs nobody in.
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

    /// The account that the rule's own [`verifier`](Self::verifier) spends from: limits and breakers that protect an account are kept
    /// under this text. Default: an account for this rule alone, `rule` and its name. Rules whose verifiers spend from one account
    /// set the same text; one that spends from the layer's account sets that.
    ///
    /// 1 to 64 characters of visible ASCII. It is written to the log, so it must be no secret. Without a verifier of its own a rule
    /// spends from [the layer's account](crate::JVerifyBuilder::account), and this is a [`ConfigError`](crate::ConfigError).
    pub fn account(mut self, account: impl Into<Box<str>>) -> Self {
        self.overrides.account = Some(account.into());
        self
    }

    /// Applies only where a field has this value: one path, several ways in.
    ///
    /// **Danger:** a field that is absent, null or empty names no value: the rule without `when` applies, or
    /// [`Rule::otherwise_pass`]. An application that takes such a field for one of the values (in PHP `null == 0`, in JavaScript
    /// `Number("")` is 0) needs a rule without `when` that asks as much.
    ///
    /// The value is a string or an unsigned integer, compared as text, exactly. All rules of one path that use `when` name
    /// the same field. A value that no rule of the path names is refused, unless one of them has no `when`, or
    /// [`Rule::otherwise_pass`].
    ///
    /// With [`foreign_backend`](crate::JVerifyBuilder::foreign_backend) cookies with the field's name are removed, and a key of a
    /// form or the query whose last segment is the name (`model.loginType`) is refused, unless [`Rule::other_phones`] lists it.
    pub fn when(mut self, field: Field, value: impl Into<Box<str>>) -> Self {
        self.when = Some((field, value.into()));
        self
    }

    /// Lets a request pass unverified when no rule of this path names its [`Rule::when`] value, or it has none: for a path that
    /// other calls share, such as `/rpc`.
    ///
    /// The field of `when` is then read first, and alone. The rules' other fields are not extracted from other calls, so
    /// positional arguments, values of another type and repeated names do not refuse them. The name of `when` must occur at most
    /// once, wherever some reader finds it: in the body, in the query and, with
    /// [`foreign_backend`](crate::JVerifyBuilder::foreign_backend), in a form inside of another body. A request that passes has the
    /// header `x-jverify-decision: not-guarded` and an event, and no [`Decision`](crate::Decision). With
    /// [`canonical_body`](Self::canonical_body) the body of such a call is written anew too. A GET, HEAD or DELETE without a body has
    /// the value nowhere but in the head.
    ///
    /// A request that cannot be read so far (a batch, another media type, a body over the limit, the name of `when` twice or in
    /// another spelling) is refused, and the event's `detail` says what to do: read `when` from a header or a query field, or set a
    /// larger [`body_limit`](Self::body_limit). With `when` in a header the body of other calls is not read and reaches the
    /// application as it came. With `when` in the query it is read where it can be, because it must not have the name as well; one
    /// that cannot be read passes unless there is a foreign backend, where a header or
    /// [`ignore_query(true)`](Self::ignore_query) is required.
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
    /// A value that some application reads as a named one is refused, although it is another text: `SMS`, `"sms "` or full-width
    /// letters for `sms`, `01` or `1.0` for `1`.
    ///
    /// **Danger:** the application then has to refuse the values that it does not know. It must choose what to run by this field
    /// alone: GraphQL's `operationName` is a label that the client chooses and may omit, and does not say what the `query` runs.
    /// Use a persisted operation's id, or a path of its own for the login.
    pub fn otherwise_pass(mut self) -> Self {
        self.otherwise_passes = true;
        self
    }

    /// Lets a CORS preflight pass an [`Rule::any_method`] rule: an `OPTIONS` request with `Origin` and
    /// `Access-Control-Request-Method`, without a body and without a header that overrides the method. With
    /// [`foreign_backend`](crate::JVerifyBuilder::foreign_backend) also without a header that the rule reads, and without the name
    /// of a phone, login token or captcha field in the query.
    pub fn preflight_passes(mut self) -> Self {
        self.preflight_passes = true;
        self
    }

    /// Lets requests with these methods pass on the path of this rule, although no rule guards them, where
    /// [`JVerifyBuilder::foreign_backend`](crate::JVerifyBuilder::foreign_backend) would answer 405. Default: none.
    ///
    /// **Danger:** the backend must handle these methods elsewhere than the login: one that ignores the method logs in by
    /// them, unverified.
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

    /// **Danger.** Lets a request by, unverified, for which the closure returns `true`: one whose client is known by other means,
    /// such as a session.
    ///
    /// The closure must read nothing that a client can write. Method, path, query, cookies and every header are the client's,
    /// `X-Forwarded-For` included. It may read an extension that a layer outside of this one inserted after a check of its own:
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
    /// The closure gets the head before the body is read, without the headers under the layer's prefix and, with
    /// [`foreign_backend`](crate::JVerifyBuilder::foreign_backend), without those that it removes. A panic means that the request
    /// is guarded. The last call counts.
    ///
    /// A request that is let by reaches the application with its body untouched, with `x-jverify-decision: not-guarded`, and
    /// without a [`Decision`](crate::Decision) of this layer, so that [`Verified`](crate::Verified) refuses it. It leaves an event. A path that can be read
    /// in several ways is refused as ever.
    ///
    /// Where several rules guard one path, such as those with [`Rule::when`], it is not known before the body is read which one applies:
    /// a request is let by only if all of them have a closure, and each returns `true`. A closure that could never let a request
    /// by for this reason is a [`ConfigError`](crate::ConfigError) of `build()`.
    pub fn guard_unless(mut self, unless: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.unless = Some(Unless::new(unless));
        self
    }

    /// Whether the rule asks for a captcha and nothing else, of one method: a query then cannot be told from a proof.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    pub(crate) fn is_captcha_of_one_method(&self) -> bool {
        matches!(self.methods, Methods::Named(_)) && self.ask.is_captcha_alone()
    }

    /// Places where the application has a phone for another purpose than to log in: an emergency contact, an address.
    ///
    /// With [`foreign_backend`](crate::JVerifyBuilder::foreign_backend) the name of a phone field may come in its own place only.
    /// Elsewhere in the body or the query it is refused, because some backends read it there: ASP.NET and Struts bind
    /// `model.phone`, and Rails merges inner objects. A place that is listed here is neither read nor refused.
    ///
    /// An entry is a JSON Pointer (`/emergency/phone`) or a key as forms write it (`address[phone]`, `address.phone`). Both mean
    /// the same place: `/address/phone` also allows the form key `address[phone]`, and `address[phone]` the member `phone` of
    /// the member `address` in JSON. `*` stands for one segment or one index of an array: `/contacts/*/phone`. Names are
    /// compared exactly. Places are the same for forms, multipart, JSON and the query; gRPC messages have numbers in place
    /// of names and are not searched. Default: none.
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

    /// Lets refused requests reach the inner service.
    #[cfg(test)]
    pub(crate) fn observe(mut self) -> Self {
        self.overrides.mode = Some(super::mode::Mode::Observe);
        self
    }
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
