//! Builds a layer, and rejects invalid settings.

use std::fmt;

use super::{JVerifyLayer, current::Current, shared::Shared, source::Source};
use crate::{
    error::ConfigError,
    foreign_backend::ForeignBackend,
    headers::USUAL,
    judge::Guards,
    observe::{Decided, Listeners, Pseudonyms},
    rule::{Overrides, Rule, setting_methods},
    secret::Secret,
};

/// Builds a [`JVerifyLayer`]. Its settings apply to every rule that does not set them itself.
///
/// ```
/// use std::time::Duration;
///
/// use tower_jverify::{JVerifyLayer, Rule, captcha, number};
/// # use tower_jverify::{Check, Class, Verdict};
/// # let verifier = tower::service_fn(|check: Check| async move {
/// #     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
/// # });
/// let layer = JVerifyLayer::builder(verifier)
///     .rule(Rule::post("/login", number()))
///     .rule(Rule::post("/register", captcha().then(number())).deadline(Duration::from_secs(8)))
///     .deadline(Duration::from_secs(5)) // for every rule without a deadline
///     .build()?;
/// # let _ = layer;
/// # Ok::<_, tower_jverify::ConfigError>(())
/// ```
#[must_use = "a builder guards nothing until it is built"]
pub struct JVerifyBuilder<V> {
    verifier: V,
    rules: Vec<Rule>,
    header_prefix: Box<str>,
    foreign: ForeignBackend,
    overrides: Overrides,
    guards: Option<Guards>,
    listeners: Listeners,
    pseudonym_key: Option<Secret>,
}

// === impl JVerifyBuilder ===

impl<V> JVerifyBuilder<V> {
    pub(super) fn new(verifier: V) -> Self {
        Self {
            verifier,
            rules: Vec::new(),
            header_prefix: USUAL.into(),
            foreign: ForeignBackend::none(),
            overrides: Overrides::default(),
            guards: None,
            listeners: Listeners::default(),
            pseudonym_key: None,
        }
    }

    /// Adds a rule. The order of rules never matters.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds several rules.
    ///
    /// ```
    /// use tower_jverify::{JVerifyLayer, Rule, captcha, number};
    /// # use tower_jverify::{Check, Class, Verdict};
    /// # let verifier = tower::service_fn(|check: Check| async move {
    /// #     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
    /// # });
    /// let layer = JVerifyLayer::builder(verifier)
    ///     .rules([Rule::post("/login", number()), Rule::post("/register", captcha().then(number()))])
    ///     .build();
    /// assert!(layer.is_ok());
    /// ```
    pub fn rules(mut self, rules: impl IntoIterator<Item = Rule>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// Rejects requests that a backend in another language may read differently from the layer, and removes headers and cookies by
    /// which it may: see [`ForeignBackend`]. Default: nothing is rejected or removed for this reason, because a Rust application reads requests as the layer does.
    ///
    /// This setting applies to the layer, because it decides which rule a request matches.
    pub fn foreign_backend(mut self, backend: ForeignBackend) -> Self {
        self.foreign = backend;
        self
    }

    /// Names the account that the verifier spends from. Limits and breakers that protect an account are kept under this
    /// name. Default: one account for the verifier of this layer, shared by all rules that use it.
    ///
    /// This setting applies to the layer's verifier: a rule has another account only if it has a separate verifier
    /// ([`Rule::account`]). [`JPush::account`](crate::JPush) returns one text for all clients of one host and application
    /// key. Set it if Tower layers wrap the client, or if several layers spend from one account.
    ///
    /// 1 to 64 characters of visible ASCII. It is written to the log, so it must not be a secret.
    pub fn account(mut self, account: impl Into<Box<str>>) -> Self {
        self.overrides.account = Some(account.into());
        self
    }

    /// Sets the prefix of the risk headers. Headers under the prefix are removed from every request. Default: `x-jverify`.
    ///
    /// This setting applies to the layer, because requests that no rule matches are stripped too.
    pub fn header_prefix(mut self, prefix: impl Into<Box<str>>) -> Self {
        self.header_prefix = prefix.into();
        self
    }

    /// Sets the guards that protect the verifiers' accounts, possibly shared with other layers: see [`Guards`]. Default:
    /// separate guards for this layer.
    ///
    /// This setting applies to the layer. A [`reload`](JVerifyLayer::reload) keeps the guards of the layer, unless the new
    /// layer sets others.
    pub fn guards(mut self, guards: &Guards) -> Self {
        self.guards = Some(guards.clone());
        self
    }

    /// Calls a closure once for every guarded request: for an audit log, or for custom metrics. Several closures are called in
    /// the order in which they were added. Default: none.
    ///
    /// It is called when the answer is known, even if the log is off: when the inner service has answered a request that passed
    /// ([`Decided::inner_status`]) or its future is dropped, before a denial is answered, and in a task for a check whose client left. It must return
    /// quickly, because the request waits for it: to write to a file or a network, send the data to a task. A panic is
    /// caught and does not change the request.
    ///
    /// This setting applies to the layer: after [`JVerifyLayer::reload`], new requests are reported to the closures of the
    /// new layer.
    ///
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
    ///
    /// use tower_jverify::{JVerifyLayer, Rule, number};
    /// # use tower_jverify::{Check, Class, Verdict};
    /// # let verifier = tower::service_fn(|check: Check| async move {
    /// #     Ok::<_, std::convert::Infallible>(Verdict::new(check.kind(), Class::Passed))
    /// # });
    /// let denied = Arc::new(AtomicU64::new(0));
    /// let counter = Arc::clone(&denied);
    /// let layer = JVerifyLayer::builder(verifier)
    ///     .rule(Rule::post("/login", number()))
    ///     .on_decision(move |decided| {
    ///         counter.fetch_add(u64::from(decided.denial_reason().is_some()), Ordering::Relaxed);
    ///     })
    ///     .build()?;
    /// # let _ = layer;
    /// # Ok::<_, tower_jverify::ConfigError>(())
    /// ```
    pub fn on_decision(mut self, listener: impl Fn(&Decided<'_>) + Send + Sync + 'static) -> Self {
        self.listeners.add(listener);
        self
    }

    /// Sets the key for the pseudonyms of phones and clients in the records of
    /// [`on_decision`](JVerifyBuilder::on_decision): see [`Pseudonym`](crate::Pseudonym). At least 32 bytes. Default: none,
    /// and the records have no pseudonyms.
    ///
    /// This setting applies to the layer. Instances with the same key write the same pseudonyms.
    pub fn pseudonym_key(mut self, key: impl Into<Secret>) -> Self {
        self.pseudonym_key = Some(key.into());
        self
    }

    setting_methods!();

    /// Builds the layer. Writes its rules to the log, one per line at DEBUG, and at INFO what this build reads of a request
    /// and which settings weaken a rule.
    ///
    /// # Errors
    ///
    /// Returns a [`ConfigError`] that names the first invalid setting: no rules, a path that is not a canonical
    /// pattern, two rules for the same request, an invalid field, a limit of zero, a deadline of 1 s or less, or
    /// invalid bands.
    pub fn build(self) -> Result<JVerifyLayer<V>, ConfigError> {
        let Self { verifier, rules, header_prefix, foreign, overrides, guards, listeners, pseudonym_key } = self;
        let pseudonyms = pseudonym_key.as_ref().map(Pseudonyms::new).transpose()?;
        let source = Source { rules, header_prefix, foreign, overrides, guards };
        let guards = source.guards.clone().unwrap_or_default();
        let (routes, names) = source.compile(&guards, None)?;
        source.log_start(&routes, &guards);
        Ok(JVerifyLayer {
            current: Current::new(Shared::new(verifier, routes, names, source, guards, (listeners, pseudonyms))),
        })
    }
}

impl<V> fmt::Debug for JVerifyBuilder<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JVerifyBuilder").field("rules", &self.rules).finish_non_exhaustive()
    }
}
