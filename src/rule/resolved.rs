//! The resolved settings of a rule: from the rule, then from the layer, then from the defaults.

use std::{sync::Arc, time::Duration};

use super::{
    limited, limits, passes,
    settings::{Overrides, Values},
    shadow::Shadow,
};
use crate::{
    body::{self, Budget},
    decision::Fallback,
    denial::{self, Respond},
    error::ConfigError,
    judge::{self, Account, Bulkhead, Guards, LEAST_LEFT},
    pass::{Assertions, Keyring, Signer},
    phone_grammar::PhoneGrammar,
    proof::{Descriptors, Field, GROWTH, Media},
    reading,
};

/// The validated settings of one rule.
#[derive(Clone)]
pub(crate) struct Settings {
    /// `None`: the rule is enforced for all requests.
    pub(crate) shadow: Option<Arc<Shadow>>,
    /// Whether the application starts the checks.
    pub(crate) on_demand: bool,
    pub(crate) reading: reading::Settings,
    pub(crate) judge: judge::Settings,
    pub(crate) phone_grammar: PhoneGrammar,
    pub(crate) forward_phone: bool,
    pub(crate) pin_phone: bool,
    /// `None`: determined by the rule's media types.
    pub(crate) grpc_answers: Option<bool>,
    pub(crate) answers: Arc<denial::Settings>,
    /// Where a client sends its pass, if not in the usual header.
    pub(super) pass_field: Option<Field>,
    /// Signs assertions about the requests that pass.
    pub(crate) assertion: Option<Arc<Signer>>,
}

/// The resources that all rules of a layer share, except rules with separate ones.
pub(crate) struct Shares {
    account: Arc<Account>,
    guards: Guards,
    is_reload: bool,
    bulkhead: Arc<Bulkhead>,
    buffered: Budget,
    descriptors: Option<Descriptors>,
    /// For refusals without a known rule.
    pub(super) answers: Arc<denial::Settings>,
    passes: Option<Arc<Keyring>>,
    assertion: Option<Arc<Signer>>,
}

/// The account of a verifier without a named account.
const ACCOUNT: &str = "default";

/// A longer deadline is a mistake, and could not be added to a clock.
const LONGEST: Duration = Duration::from_secs(3600);

// === impl Shares ===

impl Shares {
    /// # Errors
    ///
    /// As [`Settings::resolve`].
    pub(crate) fn new(layer: &Overrides, guards: &Guards, is_reload: bool) -> Result<Self, ConfigError> {
        let values = Values::of(&Overrides::default(), layer);
        Ok(Self {
            bulkhead: limits::places(guards, None, values.in_flight)?,
            account: guards.account(&limits::account(layer.account.as_deref().unwrap_or(ACCOUNT))?),
            guards: guards.clone(),
            is_reload,
            buffered: guards.budget(None, values.buffered)?,
            descriptors: values.descriptors.as_ref().map(Descriptors::parse).transpose()?,
            answers: Arc::new(answers(&values, layer.respond.as_ref())?),
            passes: passes::of_layer(layer)?,
            assertion: signer(values.assertion.as_ref())?,
        })
    }
}

// === impl Settings ===

impl Settings {
    /// Takes each value from the rule, then from the layer, then from the defaults. `name`: the rule's name.
    ///
    /// # Errors
    ///
    /// Names the invalid setting: a limit of zero, a deadline of a second or less, inconsistent bands.
    pub(crate) fn resolve(
        name: &str,
        rule: &Overrides,
        layer: &Overrides,
        shares: &Shares,
    ) -> Result<Self, ConfigError> {
        let values = Values::of(rule, layer);
        check(&values, shares)?;
        let answers = answers(&values, rule.respond.as_ref().or(layer.respond.as_ref()))?;
        limited::check(&rule.limits, &values)?;
        let passes = passes::resolve(rule, &values, shares.passes.as_ref(), &shares.guards, shares.is_reload)?;
        // A reload may bring rules that were built for other guards. Without a breaker no outage opens a rule.
        if values.policy.has_fallback(Fallback::Open) && !shares.guards.have_breakers() && !shares.is_reload {
            let problem = "guards `without_breaker` do not detect outages";
            return Err(ConfigError::new("policy.on", Fallback::Open.as_str(), problem));
        }
        let assertion = match &rule.assertion {
            Some(own) => signer(own.as_ref())?,
            None => shares.assertion.clone(),
        };
        if assertion.is_some() {
            Signer::check_rule(name)?;
        }
        Ok(Self {
            shadow: Shadow::resolve(&values, rule.on_demand)?.map(Arc::new),
            on_demand: rule.on_demand,
            reading: reading::Settings {
                limits: body::Limits {
                    bytes: values.body_limit,
                    deadline: values.body_deadline,
                    budget: rule
                        .buffered
                        .map_or_else(|| Ok(shares.buffered.clone()), |bytes| shares.guards.budget(Some(name), bytes))?,
                },
                accept: values.accept,
                decode: values.decode,
                extractor: values.extractor,
                other_phones: rule.other_phones.clone().unwrap_or_default(),
                canonical_body: values.canonical_body,
                ignore_query: values.ignore_query,
                grpc: reading::grpc::Settings {
                    client_streaming: values.client_streaming,
                    descriptors: match &rule.descriptors {
                        Some(Some(bytes)) => Some(Descriptors::parse(bytes)?),
                        Some(None) | None => shares.descriptors.clone(),
                    },
                },
            },
            judge: judge::Settings {
                policy: Arc::new(values.policy),
                deadline: values.deadline,
                bulkhead: rule.in_flight.map_or_else(
                    || Ok(Arc::clone(&shares.bulkhead)),
                    |places| limits::places(&shares.guards, Some(name), places),
                )?,
                account: account(name, rule, shares)?,
                verifier: rule.verifier.clone(),
                client_ip: values.client_ip,
                send_client_ip: values.send_client_ip,
                spend_key: values.spend_key,
                limits: rule.limits.iter().cloned().collect(),
                ex_id_from_request_id: values.ex_id_from_request_id,
                passes,
            },
            phone_grammar: values.phone_grammar,
            forward_phone: values.forward_phone,
            pin_phone: values.pin_phone,
            grpc_answers: values.grpc_answers,
            answers: Arc::new(answers),
            pass_field: values.pass_field,
            assertion,
        })
    }

    /// Whether the proven phone replaces the phone in the body.
    pub(super) fn pins(&self) -> bool {
        self.pin_phone || self.reading.canonical_body
    }
}

fn signer(assertions: Option<&Assertions>) -> Result<Option<Arc<Signer>>, ConfigError> {
    Ok(assertions.map(Signer::new).transpose()?.map(Arc::new))
}

/// The account that a rule's verifier spends from. A rule with a verifier has a separate account, so that its failures do
/// not affect other rules.
fn account(name: &str, rule: &Overrides, shares: &Shares) -> Result<Arc<Account>, ConfigError> {
    match (&rule.account, &rule.verifier) {
        (None, None) => Ok(Arc::clone(&shares.account)),
        // A configured account cannot contain a space.
        (None, Some(_)) => Ok(shares.guards.account(&format!("rule {name}").into())),
        (Some(account), Some(_)) => Ok(shares.guards.account(&limits::account(account)?)),
        (Some(account), None) => {
            let problem = "a rule without a `verifier` spends from the layer's account";
            Err(ConfigError::new("account", &**account, problem))
        }
    }
}

/// How refusals are answered.
fn answers(values: &Values, respond: Option<&Respond>) -> Result<denial::Settings, ConfigError> {
    let Values { cors, denial_page, problem_types, .. } = values;
    denial::Settings::new(respond.cloned(), cors.as_deref(), denial_page.as_deref(), problem_types.clone())
}

/// Refuses invalid values.
fn check(values: &Values, shares: &Shares) -> Result<(), ConfigError> {
    values.policy.validate()?;
    if !(LEAST_LEFT..=LONGEST).contains(&values.deadline) || values.deadline == LEAST_LEFT {
        let problem = "must be more than 1 s, because no check starts with less left, and at most an hour";
        return Err(limits::duration("deadline", values.deadline, problem));
    }
    // A reload may contain rules that were built for other guards. Their checks are then refused instead of started too late.
    if values.deadline <= LEAST_LEFT + shares.guards.longest_wait() && !shares.is_reload {
        let problem = "must be more than 1 s and the `deadline` of Redis together, because no check starts with less than 1 s left";
        return Err(limits::duration("deadline", values.deadline, problem));
    }
    if values.body_deadline.is_zero() {
        return Err(limits::duration("body_deadline", values.body_deadline, "must be more than zero"));
    }
    if let Some(client_ip) = &values.client_ip {
        client_ip.validate()?;
    }
    if values.send_client_ip && values.client_ip.is_none() {
        return Err(ConfigError::unshown("send_client_ip", "requires `client_ip`, which finds the address"));
    }
    if values.body_limit == 0 {
        return Err(limits::zero("body_limit"));
    }
    let times = if values.canonical_body { GROWTH } else { 1 + usize::from(values.decode.hands_on_encoded()) };
    Budget::check(values.buffered, values.body_limit, times)?;
    if values.accept.is_empty() {
        return Err(ConfigError::unshown("accept", "a rule that accepts no media type refuses everything"));
    }
    values.accept.iter().try_for_each(Media::validate)?;
    values.decode.validate()?;
    reading::grpc::validate(values.client_streaming)?;
    values.extractor.as_ref().map_or(Ok(()), crate::proof::Extractor::validate)
}
