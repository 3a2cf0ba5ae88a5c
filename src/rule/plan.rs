//! A compiled ask: turns the values of a request's fields into checks.

use std::sync::Arc;

use super::ask::{self, Ask};
use crate::{
    check::{Channel, Check},
    check_kind::CheckKind,
    decision::Fallback,
    denial::{DenialReason, Refusal},
    error::ConfigError,
    judge::{self, Bindings, Planned, Presented},
    phone::Phone,
    phone_grammar::PhoneGrammar,
    proof::{Field, Role, Value, Values},
    reading::Fields,
    secret::Secret,
};

/// An ask whose fields are indices.
#[derive(Debug)]
pub(super) struct AskPlan {
    steps: Vec<Vec<Leaf>>,
    /// The additional captcha that a risk or a fallback may require.
    step_up: Option<CaptchaLeaf>,
}

#[derive(Debug)]
enum Leaf {
    Number { channel: Channel, token: usize, phone: usize, country_code: Option<usize>, with_risk: bool },
    Captcha(CaptchaLeaf),
    OneTap { channel: Channel, login_token: usize, phone: usize, with_risk: bool },
}

#[derive(Debug)]
struct CaptchaLeaf {
    content: usize,
    bindings: Option<Arc<Bindings>>,
}

// === impl AskPlan ===

impl AskPlan {
    /// # Errors
    ///
    /// `rule.ask`, if a step has no proof, the same kind of proof is required twice (its token works only once) or two
    /// parts of a proof share a field. `policy.on`, if the policy accepts a captcha and the rule reads none. `used_types`,
    /// `bind_client_ip`, if they are invalid.
    pub(super) fn compile(ask: &Ask, settings: &judge::Settings, fields: &mut Fields) -> Result<Self, ConfigError> {
        let policy = &settings.policy;
        ask.bindings().try_for_each(|bindings| bindings.validate(settings.client_ip.is_some()))?;
        if ask.steps.is_empty() || ask.steps.iter().any(|step| step.proofs.is_empty()) {
            return Err(ConfigError::unshown("rule.ask", "a rule that requires no proof guards nothing"));
        }
        let kinds: Vec<_> = ask.proofs().map(std::mem::discriminant).collect();
        if kinds.iter().enumerate().any(|(at, kind)| kinds.iter().skip(at + 1).any(|other| other == kind)) {
            return Err(ConfigError::unshown(
                "rule.ask",
                "the same kind of proof is required twice, but its token can be used only once",
            ));
        }
        let mut steps = Vec::with_capacity(ask.steps.len());
        for step in &ask.steps {
            let mut leaves =
                step.proofs.iter().map(|proof| Leaf::compile(proof, fields)).collect::<Result<Vec<_>, _>>()?;
            // A captcha first: it costs nothing, and keeps strangers from spending a phone's tries.
            leaves.sort_by_key(|leaf| !matches!(leaf, Leaf::Captcha(_)));
            steps.push(leaves);
        }
        let asks_captcha = ask.proofs().any(|proof| matches!(proof, ask::Proof::Captcha(_)));
        let mut set = ask.proofs().filter_map(|proof| match proof {
            ask::Proof::Number(ask::Number { step_up, .. }) | ask::Proof::OneTap(ask::OneTap { step_up, .. }) => {
                Some(step_up)
            }
            ask::Proof::Captcha(_) => None,
        });
        if let Some(first) = set.next() {
            if set.any(|other| other != first) {
                return Err(ConfigError::unshown(
                    "rule.ask",
                    "all proofs of a rule must set the same step-up captcha, scene, types and prefix",
                ));
            }
            if asks_captcha && *first != ask::StepUp::default() {
                return Err(ConfigError::unshown(
                    "rule.ask",
                    "the rule already requires a captcha, which also serves as the step-up: set scene, types and prefix there",
                ));
            }
        }
        let step_up = (policy.can_require_captcha() && !asks_captcha)
            .then(|| ask.proofs().find_map(step_up_captcha))
            .flatten()
            .map(|(field, is_set, bindings)| {
                let content = if is_set { fields.index(&field) } else { fields.index_optional(&field) };
                fields.give(content, Role::Login);
                CaptchaLeaf { content, bindings: shared(bindings) }
            });
        let asks_more = ask.proofs().any(|proof| !matches!(proof, ask::Proof::Captcha(_)));
        if policy.has_fallback(Fallback::Captcha) && asks_more && !asks_captcha && step_up.is_none() {
            let problem = "the rule reads no captcha that could be accepted instead: set `step_up_captcha`";
            return Err(ConfigError::new("policy.on", Fallback::Captcha.as_str(), problem));
        }
        Ok(Self { steps, step_up })
    }

    /// The checks to run, in order, and the pass if it takes the place of one. All proofs are read before the first is spent.
    pub(super) fn checks(
        &self,
        values: &Values<'_>,
        grammar: PhoneGrammar,
        mut pass: Option<Secret>,
    ) -> Result<(Vec<Planned>, Option<Box<Presented>>), Refusal> {
        let mut checks: Vec<Planned> = Vec::with_capacity(2);
        let mut presented = None;
        for step in &self.steps {
            let before = checks.len();
            for leaf in step {
                checks.extend(leaf.check(values, grammar)?);
            }
            let mut is_proven = checks.len() > before;
            // A fresh proof of a phone is used instead, and the pass can be used later.
            let is_fresh = || checks.iter().skip(before).any(|it| it.check.kind() != CheckKind::Captcha);
            if pass.is_some()
                && let Some((phone, with_risk)) = step.iter().find_map(Leaf::as_number)
                && !is_fresh()
                && let Some(text) = pass.take()
            {
                let Some(phone) = phone_at(values, phone, grammar)? else {
                    return Err(Refusal::new(DenialReason::ProofMissing).with_detail("a pass without a phone"));
                };
                presented = Some(Box::new(Presented { text, phone, with_risk }));
                is_proven = true;
            }
            if !is_proven {
                return Err(Refusal::new(DenialReason::ProofMissing).with_detail("no proof that the rule asks for"));
            }
        }
        Ok((checks, presented))
    }

    /// The fields that may hold the phone of a proof that is present.
    pub(super) fn phones(&self, values: &Values<'_>, has_pass: bool) -> impl Iterator<Item = usize> {
        self.steps.iter().flatten().filter_map(move |leaf| match leaf {
            Leaf::Number { phone, .. } if has_pass => Some(*phone),
            Leaf::Number { token, phone, .. } | Leaf::OneTap { login_token: token, phone, .. } => {
                values.get(*token).map(|_| *phone)
            }
            Leaf::Captcha(_) => None,
        })
    }

    /// The captcha in the request, in case a risk requires it.
    pub(super) fn step_up(&self, values: &Values<'_>) -> Result<Option<Box<Planned>>, Refusal> {
        self.step_up.as_ref().map_or(Ok(None), |captcha| captcha.check(values)).map(|captcha| captcha.map(Box::new))
    }
}

/// The field of the captcha that a risk may require: as set, or in the body if the proof is there. The flag says whether it
/// was set.
fn step_up_captcha(proof: &ask::Proof) -> Option<(Field, bool, &Bindings)> {
    let (step_up, in_body) = match proof {
        ask::Proof::Number(number) => (&number.step_up, number.token.is_body() || number.phone.is_body()),
        ask::Proof::OneTap(one_tap) => (&one_tap.step_up, one_tap.login_token.is_body()),
        ask::Proof::Captcha(_) => return None,
    };
    let field = step_up.captcha.clone().or_else(|| in_body.then(|| Field::body("/captchaContent")))?;
    Some((field, step_up.captcha.is_some(), &step_up.bindings))
}

/// The bindings, if there are any: most captchas have none.
fn shared(bindings: &Bindings) -> Option<Arc<Bindings>> {
    (*bindings != Bindings::default()).then(|| Arc::new(bindings.clone()))
}

// === impl Leaf ===

impl Leaf {
    /// For a number check: the field of the phone, and whether its risk is asked for.
    fn as_number(&self) -> Option<(usize, bool)> {
        match self {
            Self::Number { phone, with_risk, .. } => Some((*phone, *with_risk)),
            Self::Captcha(_) | Self::OneTap { .. } => None,
        }
    }

    fn compile(proof: &ask::Proof, fields: &mut Fields) -> Result<Self, ConfigError> {
        let distinct = |one: &Field, other: &Field| {
            (one == other)
                .then(|| ConfigError::new("rule.ask", one.to_string(), "two parts of a proof are in one field"))
                .map_or(Ok(()), Err)
        };
        Ok(match proof {
            ask::Proof::Number(number) => {
                distinct(&number.token, &number.phone)?;
                if let Some(country_code) = &number.country_code {
                    distinct(&number.token, country_code)?;
                    distinct(&number.phone, country_code)?;
                }
                Self::Number {
                    channel: number.channel,
                    token: fields.index(&number.token),
                    phone: fields.index_as(&number.phone, Role::Phone),
                    country_code: number.country_code.as_ref().map(|field| fields.index_as(field, Role::Context)),
                    with_risk: number.with_risk,
                }
            }
            ask::Proof::Captcha(captcha) => Self::Captcha(CaptchaLeaf {
                content: fields.index_as(&captcha.content, Role::Login),
                bindings: shared(&captcha.bindings),
            }),
            ask::Proof::OneTap(one_tap) => {
                distinct(&one_tap.login_token, &one_tap.phone)?;
                Self::OneTap {
                    channel: one_tap.channel,
                    login_token: fields.index_as(&one_tap.login_token, Role::Login),
                    // Optional, unless the user has set the field.
                    phone: {
                        let phone = if one_tap.phone == Field::body("/phone") {
                            fields.index_optional(&one_tap.phone)
                        } else {
                            fields.index(&one_tap.phone)
                        };
                        fields.give(phone, Role::Phone);
                        phone
                    },
                    with_risk: one_tap.with_risk,
                }
            }
        })
    }

    /// The check for these values; `None` if the proof is absent.
    fn check(&self, values: &Values<'_>, grammar: PhoneGrammar) -> Result<Option<Planned>, Refusal> {
        match self {
            Self::Captcha(captcha) => captcha.check(values),
            Self::Number { channel, token, phone, country_code, with_risk } => {
                if country_code.and_then(|index| values.get(index)).is_some_and(|code| !is_mainland(code, grammar)) {
                    return Err(malformed("a country code other than 86"));
                }
                let Some(token) = text_at(values, *token)? else {
                    // A phone alone proves nothing, so its spelling does not matter.
                    return Ok(None);
                };
                let phone = phone_at(values, *phone, grammar)?;
                let Some(phone) = phone else {
                    return Err(Refusal::new(DenialReason::ProofMissing).with_detail("a token without a phone"));
                };
                let check = Check::number(token, phone).with_channel(*channel);
                Ok(Some(Planned { check, bindings: None, claimed: Some(phone), with_risk: *with_risk }))
            }
            Self::OneTap { channel, login_token, phone, with_risk } => {
                let Some(login_token) = text_at(values, *login_token)? else { return Ok(None) };
                let claimed = phone_at(values, *phone, grammar)?;
                let check = Check::one_tap(login_token).with_channel(*channel);
                Ok(Some(Planned { check, bindings: None, claimed, with_risk: *with_risk }))
            }
        }
    }
}

// === impl CaptchaLeaf ===

impl CaptchaLeaf {
    fn check(&self, values: &Values<'_>) -> Result<Option<Planned>, Refusal> {
        Ok(text_at(values, self.content)?.map(|content| Planned {
            check: Check::captcha(content),
            bindings: self.bindings.clone(),
            claimed: None,
            with_risk: false,
        }))
    }
}

fn text_at(values: &Values<'_>, index: usize) -> Result<Option<Secret>, Refusal> {
    match values.get(index) {
        None => Ok(None),
        Some(value) if value.begins_with_mark() => Err(malformed("a byte order mark at the beginning of a value")),
        Some(Value::Text(text)) => Ok(Some(Secret::from(text.as_ref()))),
        Some(Value::Integer(_)) => Err(malformed("a number where a text is expected")),
    }
}

pub(super) fn phone_at(values: &Values<'_>, index: usize, grammar: PhoneGrammar) -> Result<Option<Phone>, Refusal> {
    let phone = match values.get(index) {
        None => return Ok(None),
        Some(Value::Text(text)) => grammar.parse(text),
        Some(Value::Integer(number)) => grammar.parse(&number.to_string()),
    };
    phone.map(Some).ok_or_else(|| malformed("a phone in a spelling that is not accepted"))
}

fn is_mainland(country_code: &Value<'_>, grammar: PhoneGrammar) -> bool {
    match country_code {
        Value::Text(text) => grammar.is_mainland(text),
        Value::Integer(number) => *number == 86,
    }
}

fn malformed(detail: &'static str) -> Refusal {
    Refusal::new(DenialReason::ProofMalformed).with_detail(detail)
}
