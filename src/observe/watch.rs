//! Watches one rule: the share of its passes, and whether its proofs are for another application.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    alarms::Alarm,
    ratio::{Change, Ratio},
    share::Share,
};
use crate::{check::Endpoint, verdict::Verdict};

/// The data of a rule for the observers.
pub(crate) struct Watched {
    pub(crate) name: Arc<str>,
    pub(crate) account: Arc<str>,
    /// Whether clients are identified.
    pub(crate) knows_clients: bool,
    /// Whether its requests may pass although they are refused.
    pub(crate) may_be_in_shadow: bool,
}

/// The watch of a rule.
pub(super) struct Watch {
    account: Arc<str>,
    /// `None` if clients are not identified.
    ratio: Option<Arc<Ratio>>,
    app: Arc<App>,
}

/// The share of an account's proofs that are forged, or were made for another application.
#[derive(Default)]
pub(super) struct App {
    share: Share,
    alarm: Alarm,
}

/// The findings of a watch.
#[derive(Default)]
pub(super) struct Found {
    pub(super) change: Option<Change>,
    pub(super) is_other_app: bool,
}

// === impl Watch ===

impl Watch {
    /// `ratio`: of the rule, if its clients are identified. `app`: of the account.
    pub(super) fn new(account: Arc<str>, ratio: Option<Arc<Ratio>>, app: Arc<App>) -> Self {
        Self { account, ratio, app }
    }

    pub(super) fn account(&self) -> &Arc<str> {
        &self.account
    }

    /// Counts a verifier's answer. A missing answer is not counted, because it says nothing about clients.
    pub(super) fn answered(&self, endpoint: Endpoint, verdict: &Verdict, client: Option<u64>, now: Instant) -> Found {
        if verdict.cause().is_some() {
            return Found::default();
        }
        let proves = endpoint != Endpoint::Risk;
        let ratio = self.ratio.as_ref().filter(|_| proves).zip(client);
        Found {
            change: ratio.and_then(|(ratio, client)| ratio.add(verdict.class().is_pass(), client, now)),
            is_other_app: verdict.has_code() && self.app.add(verdict.is_of_other_app(), now),
        }
    }
}

// === impl App ===

impl App {
    /// Returns whether the alarm is due: most proofs are for another application, and the last alarm is long enough ago.
    fn add(&self, is_of_other_app: bool, now: Instant) -> bool {
        self.share.add(is_of_other_app, now)
            && self.alarm.is_due(self.share.began().elapsed().as_secs().saturating_add(1))
    }
}
