//! The values of the headers that the layer writes.

use percent_encoding::percent_decode_str;

use super::error::TrustedHeadersError;
use crate::{
    check_kind::CheckKind,
    decision::{
        DecisionReason,
        action::{Action, Level},
        applied::Applied,
        headers::{NOT_ASKED, NOT_GUARDED, UNVERIFIED, WOULD_DENY},
    },
    denial::DenialReason,
    headers::Header,
    opaque::Opaque,
    verdict::Risk,
};

/// The value of the decision header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Allow,
    Flag,
    Unverified,
    NotGuarded,
    NotAsked,
    WouldDeny,
}

// === impl Word ===

impl Word {
    pub(super) fn parse(word: &str) -> Option<Self> {
        const ALLOW: &str = Action::Allow.as_str();
        const FLAG: &str = Action::Flag.as_str();
        match word {
            ALLOW => Some(Self::Allow),
            FLAG => Some(Self::Flag),
            UNVERIFIED => Some(Self::Unverified),
            NOT_GUARDED => Some(Self::NotGuarded),
            NOT_ASKED => Some(Self::NotAsked),
            WOULD_DENY => Some(Self::WouldDeny),
            _ => None,
        }
    }

    /// Whether the layer writes this reason together with this word.
    pub(super) fn has(self, reason: DecisionReason) -> bool {
        let word = match reason {
            DecisionReason::Verified => Self::Allow,
            DecisionReason::Risk
            | DecisionReason::RiskUnknown
            | DecisionReason::SteppedUp
            | DecisionReason::FallbackCaptcha => Self::Flag,
            DecisionReason::Unavailable | DecisionReason::Sandbox => Self::Unverified,
            DecisionReason::NotGuarded => Self::NotGuarded,
            DecisionReason::NotAsked => Self::NotAsked,
            DecisionReason::WouldDeny => Self::WouldDeny,
        };
        self == word
    }

    /// The reason if the header with the reason is missing. `fell_back`: a captcha may have taken the place of another check.
    pub(super) fn usual_reason(self, level: Option<Level>, fell_back: bool) -> DecisionReason {
        match self {
            Self::Allow => DecisionReason::Verified,
            Self::Flag if fell_back => DecisionReason::FallbackCaptcha,
            Self::Flag if level == Some(Level::Unknown) => DecisionReason::RiskUnknown,
            Self::Flag => DecisionReason::Risk,
            Self::Unverified => DecisionReason::Unavailable,
            Self::NotGuarded => DecisionReason::NotGuarded,
            Self::NotAsked => DecisionReason::NotAsked,
            Self::WouldDeny => DecisionReason::WouldDeny,
        }
    }
}

// === values ===

pub(super) fn kinds(words: &[&str]) -> Result<Vec<CheckKind>, TrustedHeadersError> {
    const ALL: [CheckKind; 4] = [CheckKind::Number, CheckKind::Captcha, CheckKind::OneTap, CheckKind::Risk];
    let kind = |word: &&str| {
        ALL.into_iter().find(|kind| kind.as_str() == *word).ok_or(TrustedHeadersError::invalid(Header::Checks))
    };
    words.iter().map(kind).collect()
}

/// The ids of this number of checks.
pub(super) fn ids(ids: &[Option<&str>], checks: usize) -> Result<Vec<Option<Opaque>>, TrustedHeadersError> {
    let id = |id: Option<&str>| match id {
        None => Ok(None),
        Some(id) => Opaque::of_encoded(id).map(Some).ok_or(TrustedHeadersError::invalid(Header::Id)),
    };
    let ids: Vec<Option<Opaque>> = ids.iter().copied().map(id).collect::<Result<_, _>>()?;
    if ids.len() == checks { Ok(ids) } else { Err(TrustedHeadersError::contradictory(Header::Id)) }
}

/// The index of the check that returned the risk, if it can be known.
pub(super) fn risk_at(checks: &[CheckKind]) -> Option<usize> {
    let last = |wanted: fn(&CheckKind) -> bool| checks.iter().rposition(wanted);
    last(|kind| *kind == CheckKind::Risk)
        .or_else(|| last(|kind| matches!(kind, CheckKind::Number | CheckKind::OneTap)))
        .or_else(|| checks.len().checked_sub(1))
}

/// The decimal digits of a score.
pub(super) fn number(text: &str) -> Result<u16, TrustedHeadersError> {
    let number = text.parse().ok().filter(|number: &u16| number.to_string() == text);
    number.ok_or(TrustedHeadersError::invalid(Header::RiskScore))
}

pub(super) fn score(score: u16) -> Result<u16, TrustedHeadersError> {
    Some(score).filter(|score| *score <= Risk::HIGHEST).ok_or(TrustedHeadersError::invalid(Header::RiskScore))
}

pub(super) fn level(word: &str) -> Option<Level> {
    let all = [Level::Low, Level::Medium, Level::Elevated, Level::High, Level::Unknown];
    all.into_iter().find(|level| level.as_str() == word)
}

pub(super) fn mode(word: &str) -> Option<Applied> {
    Applied::ALL.into_iter().find(|applied| applied.as_str() == word)
}

/// Why a request would have been refused.
pub(super) fn denial_reason(word: &str) -> Option<DenialReason> {
    DenialReason::all().find(|reason| reason.as_str() == word)
}

pub(super) fn reason(word: &str) -> Option<DecisionReason> {
    let all = [
        DecisionReason::Verified,
        DecisionReason::Risk,
        DecisionReason::RiskUnknown,
        DecisionReason::SteppedUp,
        DecisionReason::FallbackCaptcha,
        DecisionReason::Unavailable,
        DecisionReason::Sandbox,
    ];
    all.into_iter().find(|reason| reason.as_str() == word)
}

pub(super) fn tags(list: &str) -> Result<Vec<Box<str>>, TrustedHeadersError> {
    let tag = |tag: &str| {
        percent_decode_str(tag)
            .decode_utf8()
            .map(Into::into)
            .map_err(|_| TrustedHeadersError::invalid(Header::RiskTags))
    };
    list.split(',').map(tag).collect()
}
