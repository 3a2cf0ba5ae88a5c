//! The results of a request's checks.

use tokio::time::Instant;

use super::{client::Client, pass_context::PassContext};
use crate::{
    decision::{Applied, Policy},
    ex_id::ExId,
    observe::{Decided, Observers, Outcome, Stages},
    phone::Phone,
    verdict::Verdict,
};

/// The verdicts so far, each with the id of its check, and the phone that they prove. It is owned, because an abandoned check
/// takes it along.
#[derive(Clone)]
pub(crate) struct Evidence {
    verdicts: Vec<Verdict>,
    /// The phone that a check has proven.
    proven: Option<Phone>,
    /// The phone for the event: as the client claims it, later as it was proven.
    about: Option<Phone>,
    /// The client, if clients are identified. Used only for the record.
    client: Option<Client>,
    stages: Stages,
    /// Whether a refusal is enforced. Used only for the record.
    applied: Applied,
    /// Whether the request was passed on before it was judged. Used only for the record.
    is_late: bool,
    /// The earlier check of a proof of this request.
    replays: Option<ExId>,
    /// `None` for a rule without passes.
    pass_context: Option<Box<PassContext>>,
}

// === impl Evidence ===

impl Evidence {
    /// Creates empty evidence for a request that starts now.
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
            pass_context: None,
        }
    }

    /// Sets the context of a pass that may follow the request.
    pub(super) fn set_pass_context(&mut self, pass_context: Option<Box<PassContext>>) {
        self.pass_context = pass_context;
    }

    pub(super) fn pass_context(&self) -> Option<&PassContext> {
        self.pass_context.as_deref()
    }

    pub(super) fn pass_context_mut(&mut self) -> Option<&mut PassContext> {
        self.pass_context.as_deref_mut()
    }

    pub(super) fn add_verdict(&mut self, verdict: Verdict) {
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

    /// Marks the request as in shadow: it passes in every case.
    pub(crate) fn in_shadow(mut self) -> Self {
        self.pass_in_shadow();
        self
    }

    /// As [`Evidence::in_shadow`], in place.
    pub(crate) fn pass_in_shadow(&mut self) {
        self.applied = Applied::Shadow;
    }

    pub(crate) fn applied(&self) -> Applied {
        self.applied
    }

    /// Marks that the request was passed on before it was judged.
    pub(crate) fn late(mut self) -> Self {
        self.is_late = true;
        self
    }

    pub(crate) fn about(&self) -> Option<Phone> {
        self.about
    }

    /// Records that the checks of this client can start.
    pub(super) fn judge_from(&mut self, now: Instant, client: Option<Client>) {
        self.stages.judge_from(now);
        self.client = client;
    }

    /// Records that the layer has finished with the request now.
    pub(crate) fn ended(mut self) -> Self {
        self.stages.end_now();
        self
    }

    pub(crate) fn stages(&self) -> Stages {
        self.stages
    }

    /// The record of a request with this outcome. `rule` and `account` are names, if they are known.
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
