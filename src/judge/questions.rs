//! Sends the checks of a request: the bulkhead, one deadline, and one check after the other.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll},
};

use tokio::time::{Instant, timeout_at};
use tower::BoxError;
use tower_service::Service;

use super::{
    bulkhead::Permit,
    call::{Call, Place},
    claim::Claim,
    evidence::Evidence,
    planned::{Plan, Planned},
    reservation::Reservation,
    running::Abandoned,
    sender::{Asker, Sender},
    settings::{LEAST_LEFT, Settings},
};
use crate::{
    check::{AskedBy, Check, Endpoint},
    check_kind::CheckKind,
    decision::{Fallback, Objection},
    denial::{DenialReason, Refusal},
    ex_id::ExId,
    failure::Failure,
    log::Stage,
    observe::{By, Observers},
    store::RedisWait,
    verdict::{Class, Risk, Verdict},
};

/// The means by which a layer sends checks.
pub(super) struct Means<'q, V> {
    pub(super) verifier: &'q V,
    pub(super) observers: &'q Arc<Observers>,
    pub(super) abandoned: &'q Arc<Abandoned>,
}

/// The checks of one request, under one permit and one deadline.
pub(super) struct Questions<'q, V> {
    pub(super) means: Means<'q, V>,
    /// The rule's name.
    pub(super) rule: &'q Arc<str>,
    pub(super) settings: &'q Settings,
    /// The time at which a check is ended.
    pub(super) deadline: Instant,
    /// When the client stops waiting, if that is earlier.
    pub(super) clients: Option<Instant>,
    pub(super) sender: Sender,
    pub(super) ex_id: Option<ExId>,
    /// The rule and the path's parameters. `None` until the plan is known.
    pub(super) asked_by: Option<Arc<AskedBy>>,
    pub(super) evidence: &'q mut Evidence,
    /// Whether the plan has a captcha, which a policy can accept instead of another check.
    pub(super) has_captcha: bool,
    /// Set from the first check on. `None` after a check has been abandoned, which ends the request.
    pub(super) permit: Option<Permit>,
    /// The time that the request has waited for Redis.
    pub(super) redis_wait: RedisWait,
    /// The proofs that this request has claimed and not checked yet.
    pub(super) claims: Vec<Claim>,
    /// The claim on the request's pass, until a check is sent.
    pub(super) pass: Option<Box<Claim>>,
}

// === impl Questions ===

impl<'q, V> Questions<'q, V> {
    /// Starts the deadline.
    pub(super) fn new(
        means: Means<'q, V>,
        rule: &'q Arc<str>,
        settings: &'q Settings,
        client_deadline: Option<Instant>,
        Asker { sender, ex_id, pass_context }: Asker,
        evidence: &'q mut Evidence,
    ) -> Self {
        let now = Instant::now();
        let deadline = now + settings.deadline;
        evidence.judge_from(now, sender.client);
        evidence.set_pass_context(pass_context);
        Self {
            means,
            rule,
            settings,
            deadline,
            clients: client_deadline.filter(|clients| *clients < deadline),
            sender,
            ex_id,
            asked_by: None,
            evidence,
            has_captcha: false,
            permit: None,
            redis_wait: RedisWait::default(),
            claims: Vec::new(),
            pass: None,
        }
    }
}

impl<V> Questions<'_, V>
where
    V: Service<Check, Response = Verdict> + Clone + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
{
    /// Sends the checks in order. The first check that fails without a fallback ends the sequence, and later proofs are not spent.
    /// The captcha that a risk or a fallback requires comes last.
    pub(super) async fn ask_all(&mut self, plan: Plan) -> Result<(), Refusal> {
        // Read before the request is counted, because no call is made for the phone of a valid pass.
        let read = plan.pass.as_ref().map(|pass| Box::new(self.read(pass)));
        self.spend(&plan, read.as_ref().is_some_and(|read| read.is_ok())).await?;
        self.has_captcha = plan.has_captcha();
        let Plan { checks, pass, step_up, asked_by, limited: _ } = plan;
        self.asked_by = Some(asked_by);
        if let Some((pass, read)) = pass.zip(read) {
            self.evidence.claimed(pass.phone);
            Box::pin(self.accept(pass.phone, *read)).await?;
        }
        // All proofs are claimed before the first check is billed. A single proof is claimed when it is checked.
        if checks.len() > 1 {
            for planned in &checks {
                if let Some(mut claim) = self.claim_ahead(&planned.check)? {
                    if claim.is_unshared() {
                        Box::pin(self.share(&mut claim, &planned.check)).await?;
                    }
                    self.claims.push(claim);
                }
            }
            checks.iter().try_for_each(|planned| self.look_ahead(&planned.check))?;
        }
        for planned in checks {
            self.ask(planned).await?;
        }
        if let Some(captcha) = step_up
            && self.settings.policy.settle(self.evidence.verdicts()) == Err(Objection::CaptchaRequired)
        {
            self.ask(*captcha).await?;
        }
        if let Some(pass) = &mut self.pass
            && self.settings.policy.settle(self.evidence.verdicts()).is_ok()
        {
            // The request passes, so its pass is used up. A refused request without a check releases its pass.
            pass.keep();
        }
        Ok(())
    }

    /// Sends one check and reads its verdict. A risk query follows only a check that passed.
    async fn ask(&mut self, planned: Planned) -> Result<(), Refusal> {
        let Planned { check, bindings, claimed, with_risk } = planned;
        let (kind, channel, endpoint) = (check.kind(), check.channel(), check.endpoint());
        if let Some(claimed) = claimed {
            self.evidence.claimed(claimed);
        }
        let verdict = self.verdict(check).await?;
        if !verdict.class().is_pass() {
            let refusal = self.refusal_of(&verdict, endpoint);
            self.evidence.add_verdict(verdict);
            return refusal.map_or(Ok(()), Err);
        }
        let phone = match kind {
            CheckKind::Number => claimed,
            CheckKind::OneTap => verdict.phone(),
            CheckKind::Captcha | CheckKind::Risk => None,
        };
        let unbound = bindings.and_then(|bindings| bindings.objection(&verdict, self.sender.address));
        let other_phone = claimed.is_some_and(|claimed| phone != Some(claimed))
            || self.evidence.proven().is_some_and(|proven| phone.is_some_and(|phone| phone != proven));
        if let Some(reason) = unbound.or(other_phone.then_some(DenialReason::Mismatch)) {
            self.evidence.add_verdict(verdict.reclassed(Class::Rejected));
            return Err(Refusal::new(reason));
        }
        self.evidence.add_verdict(verdict);
        let Some(phone) = phone else { return Ok(()) };
        self.evidence.prove(phone);
        if with_risk {
            // Risk is context: a failed query is neither a verdict on the client nor a low risk.
            let query = Check::risk(phone).with_channel(channel);
            // A failure that a client can cause (a short deadline, a flood) does not count as one: the client could avoid its risk.
            let mut verdict = self.verdict(query).await?;
            if !verdict.class().is_pass() || *verdict.risk() == Risk::NotAsked {
                verdict = verdict.with_risk(Risk::Unknown);
            }
            self.evidence.add_verdict(verdict);
        }
        Ok(())
    }

    /// The verifier's answer within the deadline, or what its [`Failure`] means.
    ///
    /// # Errors
    ///
    /// - [`DenialReason::Replayed`]: another request has used the proof.
    /// - [`DenialReason::StoreDown`]: the proof cannot be claimed.
    /// - [`DenialReason::Overloaded`]: the bulkhead is full, the client holds its share of it, a limit of the user's between the layer
    ///   and the verifier sheds load, or this process lacks what a call needs. Clients can cause these, so they are never an outage
    ///   that a policy may open for.
    /// - [`DenialReason::DeadlineExceeded`]: the client's deadline has passed. It is never an outage either.
    async fn verdict(&mut self, check: Check) -> Result<Verdict, Refusal> {
        let (kind, endpoint) = (check.kind(), check.endpoint());
        let settings = self.settings;
        let (account, clients) = (&settings.account, self.clients);
        let key = account.key(&check);
        let mut claim = key.map_or(Ok(None), |key| self.claim(kind, key))?;
        if let Some(claim) = claim.as_mut().filter(|claim| claim.is_unshared()) {
            Box::pin(self.share(claim, &check)).await?;
        }
        let ex_id = claim.as_ref().map_or_else(|| self.fresh_ex_id(), |claim| claim.ex_id.clone());
        let failed = |failure: Failure| failure.verdict(kind).answering(ex_id.clone());
        let too_late = |failure| {
            let refusal = Refusal::new(DenialReason::DeadlineExceeded);
            if clients.is_some() { Err(refusal) } else { Ok(failed(failure)) }
        };
        let nearer = clients.unwrap_or(self.deadline);
        // Without Redis the first check has the whole deadline, and `build()` ensures that it is longer than this.
        let may_be_short = self.clients.is_some() || self.evidence.has_verdicts() || account.redis().is_some();
        if may_be_short && nearer.saturating_duration_since(Instant::now()) < LEAST_LEFT {
            // A check that starts now could spend the token and be abandoned.
            return too_late(Failure::too_late());
        }
        let admission = match self.enter(endpoint, key) {
            Ok(admission) => admission,
            Err(refused) => {
                self.means.observers.saved(By::Breaker);
                return Ok(refused.verdict(kind).answering(ex_id));
            }
        };
        self.take_permit()?;
        let mut reservation = Some(Reservation::new(account, endpoint, admission, claim, self.pass.take()));
        let check = match self.sender.ip {
            Some(ip) => check.with_ip(ip),
            None => check,
        };
        let Means { verifier, observers, abandoned } = &self.means;
        let (rule, evidence) = (self.rule, &*self.evidence);
        let started = observers.start(&check, self.sender.client.as_ref());
        let span = Stage::check(started.endpoint().as_str());
        let place = Place {
            rule,
            account: &account.name,
            evidence,
            permit: &mut self.permit,
            reservation: &mut reservation,
            observers,
            abandoned,
        };
        let mut waiting =
            Some((V::clone(verifier), check.with_ex_id(ex_id.clone()).with_asked_by(self.asked_by.clone())));
        let mut call = span.within(|| Call::new(kind, &ex_id, self.deadline, started, place));
        // Stored here and not returned from each poll, because an answer is large and moving it is expensive. A panic leaves no answer.
        let mut answer = None;
        let caught = |cx: &mut Context<'_>| {
            let poll = || call.poll(cx, &mut waiting).map(|it| answer = Some(it.map_err(|e| Failure::of(&*e.into()))));
            catch_unwind(AssertUnwindSafe(|| span.within(poll))).unwrap_or(Poll::Ready(()))
        };
        let mut answered = if timeout_at(nearer, poll_fn(caught)).await.is_err() {
            if self.clients.is_some() {
                call.abandon();
            } else {
                call.end();
            }
            // If the verifier was never ready, a limit of the user's may be the reason, and clients may have reached it.
            too_late(if waiting.is_some() { Failure::too_late() } else { Failure::timeout() })
        } else {
            drop(call);
            match answer {
                Some(Ok(mut verdict)) if verdict.kind() == kind => {
                    verdict.answers(ex_id);
                    Ok(verdict)
                }
                Some(Ok(_)) => Ok(failed(Failure::other_kind())),
                None => {
                    // A call that has started may have been sent, and is counted.
                    if waiting.is_none() {
                        observers.answered(rule, &started, &mut failed(Failure::panic()));
                    }
                    Err(Refusal::new(DenialReason::Panicked))
                }
                Some(Err(failure)) if failure.is_overload => {
                    let verdict = failed(failure);
                    self.settle(reservation, &verdict);
                    return Err(Refusal::new(DenialReason::Overloaded));
                }
                Some(Err(failure)) => Ok(failed(failure)),
            }
        };
        // After a panic the reservation is dropped: the proof stays claimed, and the breaker counts nothing.
        if let Ok(verdict) = &mut answered {
            span.answered(verdict.class().as_str(), || verdict.code());
            observers.answered(rule, &started, verdict);
            self.settle(reservation, verdict);
        }
        answered
    }
}

impl<V> Questions<'_, V> {
    pub(super) fn fresh_ex_id(&self) -> ExId {
        self.ex_id.clone().unwrap_or_else(ExId::generate)
    }

    /// Why a verdict that is not a pass ends the request. `None` if the policy has a fallback for it: a captcha of this request,
    /// which must pass, or that the policy opens.
    pub(super) fn refusal_of(&self, verdict: &Verdict, endpoint: Endpoint) -> Option<Refusal> {
        match self.settings.policy.fallback_for(verdict) {
            Fallback::Open if self.is_open_for_an_outage(verdict, endpoint) => None,
            Fallback::Captcha if self.has_captcha => None,
            Fallback::Captcha => Some(Refusal::new(DenialReason::CaptchaRequired)),
            Fallback::Deny | Fallback::Open => Some(Refusal::of_verdict(verdict)),
        }
    }

    /// Counts the outcome of a check, and releases its proof if it can be used again.
    fn settle(&mut self, reservation: Option<Reservation>, verdict: &Verdict) {
        if let Some(reservation) = reservation {
            self.pass = reservation.settle(verdict, self.means.observers);
            if self.pass.is_none()
                && let Some(pass_context) = self.evidence.pass_context_mut()
            {
                pass_context.spend();
            }
        }
    }

    /// Whether a check has no answer because of an outage that the breaker has noticed. A check that was sent is never
    /// opened, because what a client sent may be the reason for the missing answer.
    fn is_open_for_an_outage(&self, verdict: &Verdict, endpoint: Endpoint) -> bool {
        let is_open = || self.settings.account.switch(endpoint).is_some_and(|switch| switch.is_open_for_an_outage());
        verdict.is_outage() && (verdict.is_by_breaker() || is_open())
    }
}
