//! Putting a layer together, and refusing what cannot stand.

use std::fmt;

use super::{JVerifyLayer, Shared};
use crate::{
    ConfigError, Rule,
    headers::{Names, USUAL},
    rule::{Overrides, Routes, setting_methods},
};

/// Builds a [`JVerifyLayer`]. What is set here holds for every rule that does not set it for itself.
///
/// A setting without a value (`forward_phone()`, `ignore_query()`) only switches on: what must not hold for some rule is
/// set on the others, not here.
#[must_use = "a builder guards nothing until it is built"]
pub struct JVerifyBuilder<V> {
    verifier: V,
    rules: Vec<Rule>,
    header_prefix: Box<str>,
    foreign_backend: bool,
    overrides: Overrides,
}

// === impl JVerifyBuilder ===

impl<V> JVerifyBuilder<V> {
    pub(super) fn new(verifier: V) -> Self {
        Self {
            verifier,
            rules: Vec::new(),
            header_prefix: USUAL.into(),
            foreign_backend: false,
            overrides: Overrides::default(),
        }
    }

    /// Adds a rule. The order of rules never matters.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Refuses, with 400, what PHP, Rails, Java or Windows behind us may read as a guarded path: an extension
    /// (`/login.json`), path-info (`/login.php/x`), a front controller (`/index.php/login`), a trailing dot. Off by default; for
    /// a proxy in front of a backend of another language. A path that a rule names exactly is what the rule says.
    ///
    /// Belongs to the layer: it decides which rule a request has.
    pub fn foreign_backend(mut self) -> Self {
        self.foreign_backend = true;
        self
    }

    /// What the risk headers' names start with, and what is removed from every request. Default: `x-jverify`.
    ///
    /// Belongs to the layer: requests that no rule matches are stripped too.
    pub fn header_prefix(mut self, prefix: impl Into<Box<str>>) -> Self {
        self.header_prefix = prefix.into();
        self
    }

    setting_methods!();

    /// Builds the layer.
    ///
    /// # Errors
    ///
    /// Names the first setting that cannot stand: no rule at all, a path that is no canonical pattern, two rules for the
    /// same request, a field that is none, a limit of zero, a deadline of a second or less, bands that make no sense.
    pub fn build(self) -> Result<JVerifyLayer<V>, ConfigError> {
        let names = Names::new(&self.header_prefix)?;
        let routes = Routes::compile(&self.rules, &self.overrides, &names, self.foreign_backend)?;
        Ok(JVerifyLayer { shared: Shared::new(self.verifier, routes, names, self.overrides.respond) })
    }
}

impl<V> fmt::Debug for JVerifyBuilder<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JVerifyBuilder").field("rules", &self.rules).finish_non_exhaustive()
    }
}
