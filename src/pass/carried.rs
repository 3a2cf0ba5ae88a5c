//! What a pass carries: the answer of a number check, with its risk.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::{
    check_kind::CheckKind,
    verdict::{Class, Risk, Verdict},
};

/// A number check that passed, and the chain of its passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(super) has_risk_check: bool,
    /// The highest score.
    pub(super) score: Option<u16>,
    /// Whether a risk was asked for and not returned.
    pub(super) is_unknown: bool,
    pub(super) tags: Vec<Box<str>>,
    /// The verifier's id of the number check.
    pub(super) id: Option<Box<str>>,
    pub(super) is_sandbox: bool,
    pub(crate) chain: Chain,
}

/// The passes that follow one number check, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    /// When the number check was asked, in microseconds since 1970.
    pub(super) checked: u64,
    /// When the first pass ends, in seconds since 1970. `None` before it is issued.
    pub(super) ends: Option<u64>,
    /// How many of them followed an answer of the application.
    pub(crate) retries: u8,
    /// The id of the pass that was read.
    pub(super) jti: Box<str>,
}

/// Why a pass is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "pass"), allow(dead_code))]
pub(crate) enum Unread {
    Invalid,
    Expired,
}

// === impl Carried ===

impl Carried {
    /// Converts these verdicts. `None` if no number check passed, or if a pass cannot carry everything that they contain.
    pub(crate) fn of(verdicts: &[Verdict], chain: Chain) -> Option<Self> {
        Self::summed(verdicts, chain).filter(Self::is_whole)
    }

    /// Whether [`Carried::verdicts`] contains everything that this contains.
    pub(super) fn is_whole(&self) -> bool {
        Self::summed(&self.verdicts(), self.chain.clone()).as_ref() == Some(self)
    }

    fn summed(verdicts: &[Verdict], chain: Chain) -> Option<Self> {
        let number = verdicts.iter().find(|verdict| verdict.is_pass_of(CheckKind::Number))?;
        let of_number = || verdicts.iter().filter(|it| matches!(it.kind(), CheckKind::Number | CheckKind::Risk));
        let mut tags: Vec<Box<str>> = Vec::new();
        for verdict in of_number() {
            if let Risk::Known { tags: more, .. } = verdict.risk() {
                tags.extend(more.iter().cloned());
            }
        }
        tags.sort();
        tags.dedup();
        Some(Self {
            has_risk_check: of_number().any(|verdict| verdict.kind() == CheckKind::Risk),
            score: of_number().filter_map(|verdict| verdict.risk().score()).max(),
            is_unknown: of_number().any(|verdict| *verdict.risk() == Risk::Unknown),
            tags,
            id: number.id().map(Into::into),
            is_sandbox: of_number().any(Verdict::is_sandbox),
            chain,
        })
    }

    /// Whether it carries the answer of a risk query.
    pub(crate) fn has_risk_check(&self) -> bool {
        self.has_risk_check
    }

    /// The verdicts. A policy decides about them as it decided about the original ones.
    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
        let known = match self.score {
            Some(score) => Risk::from_score(score.into(), self.tags.clone()),
            None => Risk::NotAsked,
        };
        let (of_number, of_query) = match (self.has_risk_check, self.score, self.is_unknown) {
            (false, _, false) => (known, None),
            (false, None, true) => (Risk::Unknown, None),
            (_, Some(_), true) => (known, Some(Risk::Unknown)),
            (true, Some(_), false) => (Risk::NotAsked, Some(known)),
            // A risk query without an answer has an unknown risk.
            (true, None, _) => (Risk::NotAsked, Some(Risk::Unknown)),
        };
        let mark = |verdict: Verdict| if self.is_sandbox { verdict.with_sandbox_once_mark() } else { verdict };
        let number = Verdict::new(CheckKind::Number, Class::Passed).with_risk(of_number);
        let number = match &self.id {
            Some(id) => number.with_id(&**id),
            None => number,
        };
        let query = of_query.map(|risk| Verdict::new(CheckKind::Risk, Class::Passed).with_risk(risk));
        std::iter::once(number).chain(query).map(mark).collect()
    }
}

// === impl Chain ===

impl Chain {
    /// The chain of a number check that is asked at this time.
    pub(crate) fn since(time: SystemTime) -> Self {
        Self { checked: micros(time), ..Self::default() }
    }

    /// Whether the number check was asked after this time.
    pub(crate) fn is_after(&self, time: SystemTime) -> bool {
        self.checked > micros(time)
    }

    /// When the number check was asked, in whole seconds since 1970.
    #[cfg_attr(not(feature = "pass"), allow(dead_code))]
    pub(super) fn checked_seconds(&self) -> u64 {
        self.checked / MICROS
    }

    /// The id, which is claimed, so that the pass works once.
    pub(crate) fn jti(&self) -> &str {
        &self.jti
    }
}

/// Microseconds in a second.
const MICROS: u64 = 1_000_000;

fn micros(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}
