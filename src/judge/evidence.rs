//! What the checks of a request have come to.

use tokio::time::Instant;

use super::client::Client;
use crate::{
    decision::{Applied, Policy},
    ex_id::ExId,
    observe::{Decided, Observers, Outcome, Stages},
    phone::Phone,
    verdict::Verdict,
};

/// The verdicts so far, each with the id of its check, and the phone that they prove. Owned: a check that outlives its
/// request takes it along.
#[derive(Clone)]
pub(crate) struct Evidence {
    verdicts: Vec<Verdict>,
    /// The phone that a check has proven.
    proven: Option<Phone>,
    /// The phone that this is about: as the client claims it, then as it was proven. For the event alone.
    about: Option<Phone>,
    /// The client, where it is known who the clients are. For the record alone.
    client: Option<Client>,
    stages: Stages,
    /// Whether a refusal is enforced. For the record alone.
    applied: Applied,
    /// Whether the request was passed on before it was judged. For the record alone.
    is_late: bool,
    /// The check that has asked about a proof of this request before.
    replays: Option<ExId>,
}

// === impl Evidence ===

impl Evidence {
    /// None yet, of a request that begins now.
    pub(crate) fn new() -> Self {
        Self {
            verdicts: Vec::new(),
            proven: None,
            about: None,
            client: None,
            stages: Stages::begin(),
            applied: Applied::Enforced,
            is_late: false,
            replays: None,
        }
    }

    pub(super) fn heard(&mut self, verdict: Verdict) {
        self.verdicts.push(verdict);
    }

    pub(super) fn claimed(&mut self, phone: Phone) {
        self.about = Some(phone);
    }

    pub(super) fn prove(&mut self, phone: Phone) {
        self.proven = Some(phone);
        self.about = Some(phone);
    }

    pub(super) fn replays(&mut self, first: Option<ExId>) {
        self.replays = first;
    }

    pub(super) fn proven(&self) -> Option<Phone> {
        self.proven
    }

    pub(crate) fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    pub(super) fn has_verdicts(&self) -> bool {
        !self.verdicts.is_empty()
    }

    pub(super) fn take_verdicts(&mut self) -> Vec<Verdict> {
        std::mem::take(&mut self.verdicts)
    }

    /// This and what follows is of a request that passes whatever comes of it.
    pub(crate) fn in_shadow(mut self) -> Self {
        self.applied = Applied::Shadow;
        self
    }

    pub(crate) fn applied(&self) -> Applied {
        self.applied
    }

    /// The request was passed on before it was judged.
    pub(crate) fn late(mut self) -> Self {
        self.is_late = true;
        self
    }

    pub(crate) fn about(&self) -> Option<Phone> {
        self.about
    }

    /// The checks of this client can start.
    pub(super) fn judge_from(&mut self, now: Instant, client: Option<Client>) {
        self.stages.judge_from(now);
        self.client = client;
    }

    /// The layer is finished with the request now.
    pub(crate) fn ended(mut self) -> Self {
        self.stages.end_now();
        self
    }

    pub(crate) fn stages(&self) -> Stages {
        self.stages
    }

    /// The record of a request that ended so. `rule` is its name, `account` that of its account, if they are known.
    #[inline]
    pub(crate) fn record<'d>(
        &'d self,
        observers: &'d Observers,
        (rule, account): (Option<&'d str>, Option<&'d str>),
        policy: Option<&'d Policy>,
        outcome: Outcome<'d>,
    ) -> Decided<'d> {
        let verdicts = match &outcome {
            Outcome::Passed(decision) => decision.verdicts(),
            Outcome::NotGuarded(_) | Outcome::Denied(_) | Outcome::Abandoned | Outcome::NotAsked => self.verdicts(),
        };
        Decided {
            rule,
            account,
            outcome,
            applied: self.applied,
            is_late: self.is_late,
            verdicts,
            phone: self.about,
            client: self.client.map(Client::octets),
            stages: self.stages,
            policy,
            pseudonyms: observers.pseudonyms(),
            first_ex_id: self.replays.as_ref(),
            inner_status: None,
        }
    }
}
