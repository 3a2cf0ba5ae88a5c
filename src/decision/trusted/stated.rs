//! Converts what a layer has written about its decision back into the decision.

use std::sync::Arc;

use super::{
    error::TrustedHeadersError,
    words::{self, Word},
};
use crate::{
    check_kind::CheckKind,
    decision::{
        Decision, DecisionReason, Inner, Origin,
        action::{Action, Level},
        applied::Applied,
    },
    denial::DenialReason,
    headers::Header,
    phone::Phone,
    verdict::{Class, Risk, Verdict},
};

/// The unverified decisions that count as verified.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a separate switch")]
pub(crate) struct Accepts {
    pub(crate) sandbox: bool,
    pub(crate) not_guarded: bool,
    pub(crate) not_asked: bool,
}

/// What a layer in another process has written about its decision, in words.
pub(crate) struct Stated<'s> {
    pub(crate) word: &'s str,
    pub(crate) reason: Option<&'s str>,
    pub(crate) level: Option<&'s str>,
    pub(crate) score: Option<u16>,
    pub(crate) tags: Vec<Box<str>>,
    pub(crate) checks: Vec<&'s str>,
    /// The id of each check. `None` if the ids are not known.
    pub(crate) ids: Option<Vec<Option<&'s str>>>,
    pub(crate) phone: Option<&'s str>,
    pub(crate) is_sandbox: bool,
    pub(crate) mode: Option<&'s str>,
}

// === impl Stated ===

impl Stated<'_> {
    /// Returns the decision.
    ///
    /// # Errors
    ///
    /// The layer does not write such values.
    pub(crate) fn decide(self, accepts: Accepts) -> Result<Decision, TrustedHeadersError> {
        let word = Word::parse(self.word).ok_or(TrustedHeadersError::invalid(Header::Decision))?;
        let phone = parsed(Header::Phone, self.phone, Phone::parse)?;
        let applied = parsed(Header::Mode, self.mode, words::mode)?;
        let unasked = match word {
            Word::NotGuarded => Some((DecisionReason::NotGuarded, accepts.not_guarded)),
            Word::NotAsked => Some((DecisionReason::NotAsked, accepts.not_asked)),
            Word::Allow | Word::Flag | Word::Unverified | Word::WouldDeny => None,
        };
        if let Some((reason, is_accepted)) = unasked {
            return match phone {
                Some(_) => Err(TrustedHeadersError::contradictory(Header::Phone)),
                None => Ok(unverified(reason, is_accepted, applied)),
            };
        }

        let checks = words::kinds(&self.checks)?;
        let ids = self.ids.filter(|_| !checks.is_empty()).map(|ids| words::ids(&ids, checks.len())).transpose()?;
        let score = self.score.map(words::score).transpose()?;
        // A score without its level is not a low risk.
        let level = parsed(Header::RiskLevel, self.level, words::level)?.or(score.map(|_| Level::Unknown));
        let (reason, would_deny) = if word == Word::WouldDeny {
            if applied == Some(Applied::Enforced) {
                return Err(TrustedHeadersError::contradictory(Header::Mode));
            }
            if phone.is_some() {
                return Err(TrustedHeadersError::contradictory(Header::Phone));
            }
            let reason = parsed(Header::Reason, self.reason, words::denial_reason)?;
            (DecisionReason::WouldDeny, Some(reason.unwrap_or(DenialReason::Verdict(Class::Unknown))))
        } else {
            let reason = parsed(Header::Reason, self.reason, words::reason)?;
            let fell_back = phone.is_none() && (checks.is_empty() || checks.contains(&CheckKind::Captcha));
            (reason.unwrap_or_else(|| word.usual_reason(level, fell_back)), None)
        };
        if !word.has(reason) {
            return Err(TrustedHeadersError::contradictory(Header::Reason));
        }
        let proves_phone = |kind: &CheckKind| matches!(kind, CheckKind::Number | CheckKind::OneTap);
        let proves_none = !checks.is_empty() && !checks.iter().any(proves_phone);
        if phone.is_some() && (proves_none || reason == DecisionReason::FallbackCaptcha) {
            return Err(TrustedHeadersError::contradictory(Header::Phone));
        }
        let is_played = self.is_sandbox && !accepts.sandbox;
        let reason = if is_played && reason.is_verified() { DecisionReason::Sandbox } else { reason };
        let is_verified = reason.is_verified();
        let phone = phone.filter(|_| !is_played);

        let risk_at = words::risk_at(&checks);
        let risk = match (score, level) {
            (Some(score), _) => Risk::Known { score, tags: self.tags },
            (None, Some(_)) => Risk::Unknown,
            (None, None) => Risk::NotAsked,
        };
        let verdicts = checks.iter().enumerate().map(|(at, &kind)| {
            let is_unanswered = kind == CheckKind::Risk && score.is_none();
            let class = if is_verified && !is_unanswered { Class::Passed } else { Class::Unknown };
            let mut verdict = Verdict::new(kind, class);
            if let Some(id) = ids.as_ref().and_then(|ids| ids.get(at)?.clone()) {
                verdict = verdict.with_id(id);
            }
            if Some(at) == risk_at {
                verdict = verdict.with_risk(risk.clone());
            }
            if let Some(phone) = phone.filter(|_| kind == CheckKind::OneTap) {
                verdict = verdict.with_phone(phone);
            }
            if self.is_sandbox { verdict.with_sandbox_mark() } else { verdict }
        });
        Ok(Decision(Arc::new(Inner {
            action: match word {
                Word::Allow if is_verified => Action::Allow,
                Word::WouldDeny => Action::Deny,
                _ => Action::Flag,
            },
            reason,
            is_verified,
            level,
            score,
            phone,
            forwards_phone: phone.is_some(),
            is_sandbox: self.is_sandbox,
            verdicts: verdicts.collect(),
            would_deny,
            applied,
            policy: None,
            assertion: None,
            origin: Origin::One(None),
        })))
    }
}

/// A decision for a request without checks.
fn unverified(reason: DecisionReason, is_accepted: bool, applied: Option<Applied>) -> Decision {
    Decision(Arc::new(Inner {
        action: if is_accepted { Action::Allow } else { Action::Flag },
        reason,
        is_verified: is_accepted,
        level: None,
        score: None,
        phone: None,
        forwards_phone: false,
        is_sandbox: false,
        verdicts: Vec::new(),
        would_deny: None,
        applied,
        policy: None,
        assertion: None,
        origin: Origin::One(None),
    }))
}

/// A value, if there is one.
fn parsed<T>(
    header: Header,
    value: Option<&str>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, TrustedHeadersError> {
    value.map(|value| parse(value).ok_or(TrustedHeadersError::invalid(header))).transpose()
}
