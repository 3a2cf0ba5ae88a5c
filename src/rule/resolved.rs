//! The settings that hold for a rule: its own, then the layer's, then the defaults.

use std::{sync::Arc, time::Duration};

use super::{limits, mode::Mode, settings::Overrides};
#[cfg(feature = "grpc-descriptors")]
use crate::proof::Descriptors;
use crate::{
    body::{self, Budget},
    denial::Respond,
    error::ConfigError,
    judge::{self, Bulkhead, LEAST_LEFT},
    phone::PhoneGrammar,
    proof::{GROWTH, Media},
    reading,
};

/// What holds for one rule.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) reading: reading::Settings,
    pub(crate) judge: judge::Settings,
    pub(crate) phone_grammar: PhoneGrammar,
    pub(crate) forward_phone: bool,
    pub(crate) pin_phone: bool,
    /// `None`: as the rule's media types say.
    pub(crate) grpc_answers: Option<bool>,
    pub(crate) respond: Option<Respond>,
}

/// What all rules of a layer share, but for those that have their own.
pub(crate) struct Shares {
    bulkhead: Arc<Bulkhead>,
    buffered: Budget,
    #[cfg(feature = "grpc-descriptors")]
    descriptors: Option<Descriptors>,
}

/// Beyond this a deadline is a mistake, and could not be added to a clock.
const LONGEST: Duration = Duration::from_secs(3600);

const DEADLINE: Duration = Duration::from_secs(5);
const IN_FLIGHT: usize = 256;
const BODY_LIMIT: usize = 64 * 1024;
const BODY_DEADLINE: Duration = Duration::from_secs(5);
const BUFFERED: usize = 64 * 1024 * 1024;

// === impl Shares ===

impl Shares {
    /// # Errors
    ///
    /// As [`Settings::resolve`].
    pub(crate) fn new(layer: &Overrides) -> Result<Self, ConfigError> {
        Ok(Self {
            bulkhead: limits::places(layer.in_flight.unwrap_or(IN_FLIGHT))?,
            buffered: Budget::new(layer.buffered.unwrap_or(BUFFERED))?,
            #[cfg(feature = "grpc-descriptors")]
            descriptors: layer.descriptors.as_ref().map(Descriptors::parse).transpose()?,
        })
    }
}

// === impl Settings ===

impl Settings {
    /// A rule's own, then the layer's, then the default.
    ///
    /// # Errors
    ///
    /// Names the setting that cannot stand: a limit of zero, a deadline of a second or less, bands that make no sense.
    pub(crate) fn resolve(rule: &Overrides, layer: &Overrides, shares: &Shares) -> Result<Self, ConfigError> {
        let policy = rule.policy.as_ref().or(layer.policy.as_ref()).cloned().unwrap_or_default();
        policy.validate()?;
        let deadline = rule.deadline.or(layer.deadline).unwrap_or(DEADLINE);
        if !(LEAST_LEFT..=LONGEST).contains(&deadline) || deadline == LEAST_LEFT {
            return Err(limits::duration(
                "deadline",
                deadline,
                "more than 1 s, or no check is begun, and at most an hour",
            ));
        }
        let body_deadline = rule.body_deadline.or(layer.body_deadline).unwrap_or(BODY_DEADLINE);
        if body_deadline.is_zero() {
            return Err(limits::duration("body_deadline", body_deadline, "no body arrives in no time"));
        }
        let client_ip = rule.client_ip.as_ref().or(layer.client_ip.as_ref()).cloned();
        if let Some(client_ip) = &client_ip {
            client_ip.validate()?;
        }
        let send_client_ip = rule.send_client_ip.or(layer.send_client_ip).unwrap_or(false);
        if send_client_ip && client_ip.is_none() {
            return Err(ConfigError::unshown("send_client_ip", "`client_ip` must say where the address is found"));
        }
        let body_limit = rule.body_limit.or(layer.body_limit).unwrap_or(BODY_LIMIT);
        if body_limit == 0 {
            return Err(limits::zero("body_limit"));
        }
        let canonical_body = rule.canonical_body.or(layer.canonical_body).unwrap_or(false);
        let decode = rule.decode.as_ref().or(layer.decode.as_ref()).cloned().unwrap_or_default();
        let times = if canonical_body { GROWTH } else { 1 + usize::from(decode.hands_on_encoded()) };
        Budget::check(rule.buffered.or(layer.buffered).unwrap_or(BUFFERED), body_limit, times)?;
        let accept = rule.accept.as_ref().or(layer.accept.as_ref()).cloned();
        if accept.as_ref().is_some_and(Vec::is_empty) {
            return Err(ConfigError::unshown("accept", "a rule that accepts no media type refuses everything"));
        }
        accept.iter().flatten().try_for_each(Media::validate)?;
        let extractor = rule.extractor.as_ref().or(layer.extractor.as_ref()).cloned();
        if let Some(extractor) = &extractor {
            extractor.validate()?;
        }
        Ok(Self {
            mode: rule.mode.or(layer.mode).unwrap_or_default(),
            reading: reading::Settings {
                limits: body::Limits {
                    bytes: body_limit,
                    deadline: body_deadline,
                    budget: rule.buffered.map_or_else(|| Ok(shares.buffered.clone()), Budget::new)?,
                },
                accept: accept.unwrap_or_else(|| vec![Media::Json, Media::Form]),
                decode,
                extractor,
                other_phones: rule.other_phones.clone().unwrap_or_default(),
                canonical_body,
                ignore_query: rule.ignore_query.or(layer.ignore_query).unwrap_or(false),
                #[cfg(feature = "grpc")]
                grpc: reading::grpc::Settings {
                    client_streaming: rule.client_streaming.or(layer.client_streaming).unwrap_or(false),
                    #[cfg(feature = "grpc-descriptors")]
                    descriptors: match &rule.descriptors {
                        Some(bytes) => Some(Descriptors::parse(bytes)?),
                        None => shares.descriptors.clone(),
                    },
                },
            },
            judge: judge::Settings {
                policy,
                deadline,
                bulkhead: rule.in_flight.map_or_else(|| Ok(Arc::clone(&shares.bulkhead)), limits::places)?,
                client_ip,
                send_client_ip,
                ex_id_from_request_id: rule.ex_id_from_request_id.or(layer.ex_id_from_request_id).unwrap_or(false),
            },
            phone_grammar: rule.phone_grammar.or(layer.phone_grammar).unwrap_or_default(),
            forward_phone: rule.forward_phone.or(layer.forward_phone).unwrap_or(false),
            pin_phone: rule.pin_phone.or(layer.pin_phone).unwrap_or(false),
            grpc_answers: rule.grpc_answers.or(layer.grpc_answers),
            respond: rule.respond.as_ref().or(layer.respond.as_ref()).cloned(),
        })
    }

    /// Whether the proven phone takes the place of the body's.
    pub(super) fn pins(&self) -> bool {
        self.pin_phone || self.reading.canonical_body
    }
}
