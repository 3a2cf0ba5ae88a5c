//! Asking: the bulkhead, the one deadline, and one check after the other.

use std::{
    future::poll_fn,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderName, request::Parts};
use tokio::time::{Instant, timeout_at};
use tower::BoxError;
use tower_service::Service;

use super::{
    abandoned::Abandoned,
    bulkhead::{Client, Full, Permit},
    call::{Call, Place},
    evidence::Evidence,
    planned::{Plan, Planned},
    settings::{LEAST_LEFT, Settings},
};
use crate::{
    check::{AskedBy, Check},
    check_kind::CheckKind,
    decision::Objection,
    denial::{DenialReason, Refusal},
    ex_id::ExId,
    failure::Failure,
    headers::only,
    observe::Observers,
    verdict::{Class, Risk, Verdict},
};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// With what a layer asks.
pub(super) struct Means<'q, V> {
    pub(super) verifier: &'q V,
    pub(super) observers: &'q Arc<Observers>,
    pub(super) abandoned: &'q Arc<Abandoned>,
}

/// The questions of one request, under one permit and one deadline.
pub(super) struct Questions<'q, V> {
    means: Means<'q, V>,
    /// The rule's name.
    rule: &'q Arc<str>,
    settings: &'q Settings,
    /// When a check is ended.
    deadline: Instant,
    /// When the client gives up, if that is sooner.
    clients: Option<Instant>,
    ip: Option<IpAddr>,
    ex_id: Option<ExId>,
    /// Of the plan, once there is one.
    asked_by: Option<Arc<AskedBy>>,
    evidence: &'q mut Evidence,
    /// Gone once a check has been abandoned, which ends the request.
    permit: Option<Permit>,
}

// === impl Questions ===

impl<'q, V> Questions<'q, V> {
    /// # Errors
    ///
    /// [`DenialReason::Overloaded`], at once, when the bulkhead is full or the client holds its share of it;
    /// [`DenialReason::Panicked`], when a user's closure of `client_ip` does.
    pub(super) fn new(
        means: Means<'q, V>,
        rule: &'q Arc<str>,
        settings: &'q Settings,
        client_deadline: Option<Instant>,
        parts: &Parts,
        evidence: &'q mut Evidence,
    ) -> Result<Self, Refusal> {
        // Before the clock and the permit: it may be a closure of the user's.
        let find = AssertUnwindSafe(|| settings.client_ip.as_ref().map(|client_ip| client_ip.find(parts)));
        let found = catch_unwind(find).map_err(|_| Refusal::new(DenialReason::Panicked))?;
        let permit = settings.bulkhead.enter(found.map(Client::at)).map_err(|full| {
            let refusal = Refusal::new(DenialReason::Overloaded);
            match full {
                Full::All => refusal,
                Full::Share => refusal.with_detail("one client holds its share of `in_flight`"),
            }
        })?;
        let ex_id = settings.ex_id_from_request_id.then(|| request_id(parts)).flatten();
        let deadline = Instant::now() + settings.deadline;
        Ok(Self {
            means,
            rule,
            settings,
            deadline,
            clients: client_deadline.filter(|clients| *clients < deadline),
            ip: found.flatten().filter(|_| settings.send_client_ip),
            ex_id,
            asked_by: None,
            evidence,
            permit: Some(permit),
        })
    }
}

impl<V> Questions<'_, V>
where
    V: Service<Check, Response = Verdict> + Clone + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
{
    /// Asks in order. The first check that fails ends it; what comes after is not spent. The captcha that a risk asks for comes
    /// last.
    pub(super) async fn ask_all(&mut self, Plan { checks, step_up, asked_by }: Plan) -> Result<(), Refusal> {
        self.asked_by = Some(asked_by);
        for planned in checks {
            self.ask(planned).await?;
        }
        if self.settings.policy.settle(self.evidence.verdicts()) == Err(Objection::CaptchaRequired)
            && let Some(captcha) = step_up
        {
            self.ask(*captcha).await?;
        }
        Ok(())
    }

    /// Asks one check and reads its verdict; a risk query only follows a check that passed.
    async fn ask(&mut self, planned: Planned) -> Result<(), Refusal> {
        let Planned { check, scene, claimed, with_risk } = planned;
        let (kind, channel) = (check.kind(), check.channel());
        if let Some(claimed) = claimed {
            self.evidence.claimed(claimed);
        }
        let verdict = self.verdict(check).await?;
        if !verdict.class().is_pass() {
            let refusal = Refusal::of_verdict(&verdict);
            let opens = verdict.is_outage() && self.settings.policy.opens_for(verdict.class());
            self.evidence.heard(verdict);
            return if opens { Ok(()) } else { Err(refusal) };
        }
        let phone = match kind {
            CheckKind::Number => claimed,
            CheckKind::OneTap => verdict.phone(),
            CheckKind::Captcha | CheckKind::Risk => None,
        };
        let other_scene = scene.is_some_and(|scene| verdict.scene() != Some(&*scene));
        let other_phone = claimed.is_some_and(|claimed| phone != Some(claimed))
            || self.evidence.proven().is_some_and(|proven| phone.is_some_and(|phone| phone != proven));
        if other_scene || other_phone {
            self.evidence.heard(verdict.reclassed(Class::Rejected));
            return Err(Refusal::new(DenialReason::Mismatch));
        }
        self.evidence.heard(verdict);
        let Some(phone) = phone else { return Ok(()) };
        self.evidence.prove(phone);
        if with_risk {
            // Risk is context: a query that fails is no verdict on the client, and no low risk either.
            let query = Check::risk(phone).with_channel(channel);
            // What a client can bring about (a hurry, a flood) is no such failure: it would have its risk left out.
            let mut verdict = self.verdict(query).await?;
            if !verdict.class().is_pass() || *verdict.risk() == Risk::NotAsked {
                verdict = verdict.with_risk(Risk::Unknown);
            }
            self.evidence.heard(verdict);
        }
        Ok(())
    }

    /// The verifier's answer within the deadline, or what its [`Failure`] means.
    ///
    /// # Errors
    ///
    /// [`DenialReason::Overloaded`], when a limit of the user's between the layer and the verifier sheds load, or this process
    /// lacks what a call needs: clients can bring that about, so it is never an outage that a policy may open for.
    /// [`DenialReason::DeadlineExceeded`], for the same reason, when it was the client's deadline.
    async fn verdict(&mut self, check: Check) -> Result<Verdict, Refusal> {
        let kind = check.kind();
        let ex_id = self.ex_id.clone().unwrap_or_else(ExId::generate);
        let failed = |failure: Failure| failure.verdict(kind).answering(ex_id.clone());
        let too_late = |failure| {
            let refusal = Refusal::new(DenialReason::DeadlineExceeded);
            if self.clients.is_some() { Err(refusal) } else { Ok(failed(failure)) }
        };
        let nearer = self.clients.unwrap_or(self.deadline);
        // The first check has the whole deadline, which `build()` holds to more than this.
        let may_be_short = self.clients.is_some() || self.evidence.has_verdicts();
        if may_be_short && nearer.saturating_duration_since(Instant::now()) < LEAST_LEFT {
            // Begun now, it could spend the token and be given up on.
            return too_late(Failure::too_late());
        }
        let check = match self.ip {
            Some(ip) => check.with_ip(ip),
            None => check,
        };
        let Means { verifier, observers, abandoned } = &self.means;
        let (rule, evidence) = (self.rule, &*self.evidence);
        let place =
            Place { rule, account: &self.settings.account, evidence, permit: &mut self.permit, observers, abandoned };
        let mut waiting =
            Some((V::clone(verifier), check.with_ex_id(ex_id.clone()).with_asked_by(self.asked_by.clone())));
        let mut call = Call::new(kind, &ex_id, self.deadline, place);
        // Kept here, and not passed through each poll: an answer is large, and every move of it counts. A panic leaves none.
        let mut answer = None;
        let caught = |cx: &mut Context<'_>| {
            let poll = AssertUnwindSafe(|| {
                call.poll(cx, &mut waiting).map(|it| answer = Some(it.map_err(|e| Failure::of(&*e.into()))))
            });
            catch_unwind(poll).unwrap_or(Poll::Ready(()))
        };
        if timeout_at(nearer, poll_fn(caught)).await.is_err() {
            if self.clients.is_some() {
                call.abandon();
            } else {
                call.end();
            }
            return too_late(Failure::timeout());
        }
        drop(call);
        match answer {
            Some(Ok(verdict)) if verdict.kind() == kind => Ok(verdict.answering(ex_id)),
            Some(Ok(_)) => Ok(failed(Failure::other_kind())),
            None => Err(Refusal::new(DenialReason::Panicked)),
            Some(Err(failure)) if failure.is_overload => Err(Refusal::new(DenialReason::Overloaded)),
            Some(Err(failure)) => Ok(failed(failure)),
        }
    }
}

/// `x-request-id`, where there is exactly one and it can be an `exID`.
fn request_id(parts: &Parts) -> Option<ExId> {
    only(&parts.headers, &REQUEST_ID).ok().flatten().and_then(|id| ExId::parse(id.to_str().ok()?))
}
