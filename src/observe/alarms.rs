//! Limits how often an alarm is raised.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{decided::Decided, share::Share};
use crate::verdict::{Class, Verdict};

/// Limits the alarms of each class: a wrong key fails every login, and one line is enough.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    account: Alarm,
    misconfigured: Alarm,
    unknown: Alarm,
    quota: Alarm,
    malformed: Alarm,
    sandbox: Alarm,
    store_full: Alarm,
    store_local: Alarm,
    unknown_client: Alarm,
    /// The share of answers that report a malformed request.
    share: Share,
}

/// The subject of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlarmKind {
    Account,
    Misconfigured,
    Unknown,
    Quota,
    Malformed,
    Sandbox,
    PassRatioCollapsed,
    MisconfiguredApp,
    StoreFull,
    StoreLocal,
    Budget,
}

/// The time of the last alarm, in seconds since the layer was built; 0 for never.
#[derive(Debug, Default)]
pub(super) struct Alarm(AtomicU64);

/// The minimum time between two alarms of one class.
const QUIET: Duration = Duration::from_secs(60);

// === impl Alarms ===

impl Alarms {
    /// Counts the answers to the checks of a request. Returns what to do, if an alarm is due.
    pub(super) fn due(&self, decided: &Decided<'_>) -> Option<(AlarmKind, &'static str)> {
        let (verdicts, began) = (decided.verdicts, decided.stages.began());
        let most_are_malformed = verdicts.iter().fold(false, |most, verdict| self.count(verdict, began) | most);
        verdicts.iter().find_map(|verdict| self.due_for(verdict, most_are_malformed))
    }

    /// Counts a verifier's answer. Returns whether most answers now report a malformed request.
    fn count(&self, verdict: &Verdict, now: Instant) -> bool {
        verdict.has_code() && self.share.add(verdict.class() == Class::Invalid, now)
    }

    /// Whether the alarm for a client that is not on this host and passed by the sandbox is due.
    pub(super) fn is_sandbox_due(&self) -> bool {
        self.is_due(&self.sandbox)
    }

    /// Whether the alarm for a full store is due.
    pub(super) fn is_store_full_due(&self) -> bool {
        self.is_due(&self.store_full)
    }

    /// Whether the alarm for a Redis that does not answer is due.
    pub(super) fn is_store_local_due(&self) -> bool {
        self.is_due(&self.store_local)
    }

    /// Whether the alarm for a client without an address is due.
    pub(super) fn is_unknown_client_due(&self) -> bool {
        self.is_due(&self.unknown_client)
    }

    /// What to do about this verdict, if its class needs an operator and its alarm is due. A single malformed proof is the
    /// client's fault; if most are malformed, the configuration is wrong.
    fn due_for(&self, verdict: &Verdict, most_are_malformed: bool) -> Option<(AlarmKind, &'static str)> {
        let (kind, alarm, usual) = match verdict.class() {
            Class::Account => (
                AlarmKind::Account,
                &self.account,
                "the verifier's account is refused: top up its balance, or enable the product",
            ),
            Class::Misconfigured => (
                AlarmKind::Misconfigured,
                &self.misconfigured,
                "the verifier's set-up is refused: check its keys and secrets",
            ),
            Class::Unknown => (
                AlarmKind::Unknown,
                &self.unknown,
                "the verifier answered with a code, or failed with an error, that is not classified: look it up",
            ),
            Class::Quota => (AlarmKind::Quota, &self.quota, verdict.advice()?),
            Class::Invalid if most_are_malformed => (
                AlarmKind::Malformed,
                &self.malformed,
                "the verifier refuses most questions as malformed: check in which fields the rules read proofs",
            ),
            Class::Passed
            | Class::Rejected
            | Class::Stale
            | Class::Inconclusive
            | Class::Throttled
            | Class::Invalid
            | Class::Unavailable
            | Class::Unreadable => return None,
        };
        self.is_due(alarm).then_some((kind, verdict.advice().unwrap_or(usual)))
    }

    fn is_due(&self, alarm: &Alarm) -> bool {
        // Starts at one, because zero means "never".
        alarm.is_due(self.share.began().elapsed().as_secs().saturating_add(1))
    }
}

// === impl AlarmKind ===

impl AlarmKind {
    pub(super) const ALL: [Self; 11] = [
        Self::Account,
        Self::Misconfigured,
        Self::Unknown,
        Self::Quota,
        Self::Malformed,
        Self::Sandbox,
        Self::PassRatioCollapsed,
        Self::MisconfiguredApp,
        Self::StoreFull,
        Self::StoreLocal,
        Self::Budget,
    ];

    /// The word in labels.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Misconfigured => "misconfigured",
            Self::Unknown => "unknown",
            Self::Quota => "quota",
            Self::Malformed => "malformed",
            Self::Sandbox => "sandbox",
            Self::PassRatioCollapsed => "pass_ratio_collapsed",
            Self::MisconfiguredApp => "misconfigured_app",
            Self::StoreFull => "store_full",
            Self::StoreLocal => "store_local",
            Self::Budget => "budget",
        }
    }
}

// === impl Alarm ===

impl Alarm {
    /// `now`: in seconds, like the stored time.
    pub(super) fn is_due(&self, now: u64) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        (last == 0 || now.saturating_sub(last) >= QUIET.as_secs())
            && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
