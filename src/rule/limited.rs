//! The limits of a rule: how often a client gets through to the application.

use super::{ask::Ask, plan::phone_at, settings::Values as SettingValues, spec::Rule};
use crate::{
    denial::{DenialReason, Refusal},
    error::ConfigError,
    judge::Limit,
    phone::Phone,
    phone_grammar::PhoneGrammar,
    proof::{Role, Values},
    reading::Fields,
};

/// The indices of the fields with the phones that limits count, in the order of the limits.
pub(super) struct Limited(Vec<usize>);

// === impl Rule ===

impl Rule {
    /// Limits how often a client reaches what the application itself pays for, such as an SMS. More requests are answered
    /// 429 `throttled` with `Retry-After`. A request counts before its checks start, even if it is refused later. Each call
    /// adds a limit, and all limits apply. Default: none.
    ///
    /// `client_ip` or `spend_key` identifies the client: without either, `build()` returns an error. The limit is stored
    /// under the rule's name in the [`Guards`](crate::Guards) of the layer: a reload keeps what is counted, unless it changes the
    /// rate or the limit's place among the rule's limits.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use tower_jverify::{ClientIp, Field, Limit, Rate, Rule, captcha};
    ///
    /// // The handler sends a code by SMS to the phone in the body.
    /// let rule = Rule::post("/sms", captcha())
    ///     .client_ip(ClientIp::forwarded(1))
    ///     .limit(Limit::per_client(Rate::new(20, Duration::from_secs(3600))))
    ///     .limit(Limit::per_client_and_phone(Rate::new(3, Duration::from_secs(600)), Field::body("/phone")));
    /// # let _ = rule;
    /// ```
    pub fn limit(mut self, limit: Limit) -> Self {
        self.overrides.limits.push(limit);
        self
    }
}

// === impl Limited ===

impl Limited {
    /// # Errors
    ///
    /// `rule.limit`, where the phone of a limit is in the field of something else: no request could ever pass.
    pub(super) fn compile(limits: &[Limit], ask: &Ask, fields: &mut Fields) -> Result<Self, ConfigError> {
        let phones = limits.iter().filter_map(Limit::phone);
        if let Some(field) = phones.clone().find(|field| ask.reads_no_phone_in(field)) {
            return Err(ConfigError::new(
                "rule.limit",
                field.to_string(),
                "this field holds a part of a proof that is not a phone",
            ));
        }
        Ok(Self(phones.map(|field| fields.index_as(field, Role::Phone)).collect()))
    }

    /// # Errors
    ///
    /// A phone is missing or malformed.
    pub(super) fn phones(&self, values: &Values<'_>, grammar: PhoneGrammar) -> Result<Vec<Phone>, Refusal> {
        let missing =
            || Refusal::new(DenialReason::ProofMissing).with_detail("no phone, which a limit of the rule counts");
        self.0.iter().map(|index| phone_at(values, *index, grammar)?.ok_or_else(missing)).collect()
    }
}

/// Refuses limits that cannot be counted.
///
/// # Errors
///
/// `rule.limit`.
pub(super) fn check(limits: &[Limit], values: &SettingValues) -> Result<(), ConfigError> {
    if !limits.is_empty() && values.client_ip.is_none() && values.spend_key.is_none() {
        return Err(ConfigError::unshown(
            "rule.limit",
            "requires `client_ip` or `spend_key`, which identifies clients",
        ));
    }
    limits.iter().try_for_each(Limit::validate)
}
