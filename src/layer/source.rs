//! The source of a layer: the rules and settings as they were set, stored so that a reload can compile them again.

use std::sync::Arc;

use http::HeaderName;

use crate::{
    error::ConfigError,
    foreign_backend::{ForeignBackend, Suspicion},
    headers::{Header, Names},
    judge::{ClientIp, Guards},
    log::event,
    pass::Signer,
    rule::{self, Overrides, Routes, Rule},
};

/// The path that is read in addition to the request's current path, for the log.
#[cfg_attr(not(feature = "tracing"), allow(dead_code))]
const ORIGINAL_PATH: &str = if cfg!(feature = "axum") { "axum's `OriginalUri`" } else { "not read" };

/// The rules and settings of a layer, as they were set.
pub(super) struct Source {
    pub(super) rules: Vec<Rule>,
    pub(super) header_prefix: Box<str>,
    pub(super) foreign: ForeignBackend,
    pub(super) overrides: Overrides,
    /// The guards that were set; `None`: the layer's guards.
    pub(super) guards: Option<Guards>,
}

// === impl Source ===

impl Source {
    /// `before`: the rules that these replace.
    ///
    /// # Errors
    ///
    /// Names the first invalid setting. A source that compiled once always compiles again.
    pub(super) fn compile(&self, guards: &Guards, before: Option<&Routes>) -> Result<(Routes, Names), ConfigError> {
        let names = Names::new(&self.header_prefix)?.before(&self.foreign)?;
        let mut hidden = rule::testers(&self.rules, &self.overrides);
        hidden.extend(self.pass_headers(&names).into_iter().filter(|name| !names.covers(name.as_str().as_bytes())));
        let names = names.hiding(hidden);
        let routes = Routes::compile(&self.rules, &self.overrides, &names, &self.foreign, guards, before)?;
        Ok((routes, names))
    }

    /// The headers that passes may be in.
    pub(super) fn pass_headers(&self, names: &Names) -> Vec<HeaderName> {
        rule::pass_headers(&self.rules, &self.overrides, names.name(Header::Pass))
    }

    /// Signs assertions about requests in shadow without a known rule.
    pub(super) fn signer(&self) -> Option<Arc<Signer>> {
        let signer = |assertions| Signer::new(assertions).expect("`compile` has accepted them");
        self.overrides.assertion.as_ref()?.as_ref().map(signer).map(Arc::new)
    }

    /// Logs the new layer. Called in `build()`, not when the first service is created, so that it is logged once, next to
    /// the client's first line and the error of a refused setting.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
    pub(super) fn log_start(&self, routes: &Routes, guards: &Guards) {
        let (original_path, peer) = (ORIGINAL_PATH, ClientIp::PEER);
        event!(
            INFO,
            accounts = ?routes.accounts(),
            "the layer is built; original path: {original_path}; `ClientIp::peer()` reads {peer}"
        );
        self.log(guards);
    }

    /// Logs the rules that replace `before`.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
    pub(super) fn log_reload(&self, before: &Routes, routes: &Routes, guards: &Guards) {
        let (added, removed) = (routes.names_beyond(before), before.names_beyond(routes));
        event!(
            INFO,
            accounts = ?routes.accounts(),
            added = added.join(", "),
            removed = removed.join(", "),
            "the layer is reloaded"
        );
        self.log(guards);
    }

    /// Logs the rules, the settings that weaken them, and the disabled classes of suspicion.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
    fn log(&self, guards: &Guards) {
        rule::log(&self.rules, &self.overrides, guards);
        if self.foreign == ForeignBackend::none() {
            return;
        }
        let off: Vec<&str> = self.foreign.switched_off().map(Suspicion::as_str).collect();
        if !off.is_empty() {
            event!(WARN, off = off.join(","), "`foreign_backend`: these classes of suspicion are switched off");
        }
        let own = [
            ("foreign_backend.keep_header", self.foreign.kept_headers()),
            ("foreign_backend.route_parameters", self.foreign.own_route_parameters().unwrap_or_default()),
        ];
        for (setting, names) in own.into_iter().filter(|(_, names)| !names.is_empty()) {
            event!(
                INFO,
                setting,
                names = names.join(", "),
                "this setting weakens what `foreign_backend` refuses or removes"
            );
        }
        if self.foreign.suspects(Suspicion::OtherMethod) {
            for rule in self.rules.iter().filter(|rule| rule.takes_a_captcha_alone_for_one_method()) {
                event!(
                    WARN,
                    rule = %rule,
                    "a captcha alone does not name a phone: a bare GET that carries a registration in its query passes this rule's \
                     path. If the backend reads the query, guard the path with `Rule::any_method`"
                );
            }
        }
    }
}
