//! Where the pass of a request is.

use http::HeaderName;

use super::{
    ask::{Ask, Proof},
    presented::{InHeaders, TWO_PLACES, malformed},
    spec::Rule,
    state::RuleState,
};
use crate::{
    denial::Refusal,
    error::ConfigError,
    headers::{Header, Names, is_common},
    proof::{Field, Role, Value, Values},
    reading::Fields,
    secret::Secret,
};

/// Where the pass of a request is.
pub(super) enum PassAt {
    Header(HeaderName),
    /// The index of a field of the body.
    Body(usize),
}

// === impl PassAt ===

impl PassAt {
    /// Boxed, because few rules have passes. `None` for a rule without passes, or without a number check.
    ///
    /// # Errors
    ///
    /// `passes`, of a rule that cannot have any; `pass_field`.
    pub(super) fn compile(
        rule: &Rule,
        state: &RuleState,
        names: &Names,
        fields: &mut Fields,
    ) -> Result<Option<Box<Self>>, ConfigError> {
        if state.settings.judge.passes.is_none() {
            return Ok(None);
        }
        if !rule.ask.proofs().any(|proof| matches!(proof, Proof::Number(_))) {
            let is_own = rule.overrides.passes.as_ref().is_some_and(Option::is_some);
            let problem = "only number checks have passes, and the rule has none";
            return if is_own { Err(ConfigError::unshown("passes", problem)) } else { Ok(None) };
        }
        let usual = names.name(Header::Pass);
        let Some(field) = &state.settings.pass_field else { return Ok(Some(Box::new(Self::Header(usual.clone())))) };
        let refuse = |problem| Err(ConfigError::new("pass_field", field.to_string(), problem));
        if reads(&rule.ask, field) {
            return refuse("a part of a proof is in this field");
        }
        if let Some(name) = field.header_alone() {
            let Ok(name) = HeaderName::try_from(name) else { return refuse("not a header name") };
            if name != *usual && (names.covers(name.as_str().as_bytes()) || is_common(&name)) {
                return refuse("the header is removed from every request: it must be one that nothing else uses");
            }
            return Ok(Some(Box::new(Self::Header(name))));
        }
        if !field.is_body_alone() {
            return refuse("a pass is in one place: a header, or a field of the body");
        }
        Ok(Some(Box::new(Self::Body(fields.index_as(field, Role::Login)))))
    }

    /// The pass of a request. `None` if there is none.
    ///
    /// # Errors
    ///
    /// There are several, or it cannot be read.
    pub(super) fn pass(&self, values: &Values<'_>, in_headers: Option<&InHeaders>) -> Result<Option<Secret>, Refusal> {
        match self {
            Self::Header(name) => {
                in_headers.map_or(Ok(None), |headers| headers.only(name)).map(Option::<&Secret>::cloned)
            }
            Self::Body(index) => match values.get(*index) {
                None => Ok(None),
                Some(_) if in_headers.is_some() => Err(malformed(TWO_PLACES)),
                Some(Value::Integer(_)) => Err(malformed("a number where a pass is expected")),
                Some(Value::Text(text)) => Ok(Some(Secret::from(text.as_ref()))),
            },
        }
    }
}

fn reads(ask: &Ask, field: &Field) -> bool {
    ask.reads_no_phone_in(field) || ask.phones().any(|phone| phone == field)
}
