//! Invalid rules and settings of a layer.

mod fields;
mod rules;
mod settings;

use tower_jverify::{ConfigError, JVerifyBuilder, JVerifyLayer, Rule, number};

use crate::support::Verifier;

type Builder = JVerifyBuilder<Verifier>;

fn error(set: impl FnOnce(Builder) -> Builder) -> Option<ConfigError> {
    set(JVerifyLayer::builder(Verifier::passing())).build().err()
}

fn of_rules(rules: impl IntoIterator<Item = Rule>) -> Option<ConfigError> {
    error(|builder| rules.into_iter().fold(builder, JVerifyBuilder::rule))
}

fn login() -> Rule {
    Rule::post("/login", number())
}
