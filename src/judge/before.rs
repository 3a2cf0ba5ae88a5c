//! The steps before a check: count the request, claim its proofs, enter the breaker and the bulkhead.

use tokio::time::Instant;

use super::{
    breaker::{Admission, state::Refused},
    bulkhead::Full,
    claim::{Claim, Unclaimed, lifetime},
    planned::Plan,
    questions::Questions,
    settings::Settings,
    spend::Spending,
};
use crate::{
    check::{Check, Endpoint},
    check_kind::CheckKind,
    denial::{DenialReason, Refusal},
    observe::By,
    store::Key,
};

impl<V> Questions<'_, V> {
    /// Counts the request. `has_pass`: whether a valid pass for it was read.
    pub(super) async fn spend(&mut self, plan: &Plan, has_pass: bool) -> Result<(), Refusal> {
        let Settings { account, limits, .. } = self.settings;
        let (observers, spender) = (self.means.observers, self.sender.spender.as_ref());
        let spending = Spending { account, observers, rule: self.rule, limits, spender, has_pass };
        let spent = match account.redis() {
            None => spending.spend(plan),
            Some(redis) => Box::pin(spending.spend_in(redis, plan, &mut self.redis_wait)).await,
        };
        spent.inspect_err(|_| {
            // No check was sent, so the record has the phone that the client claims.
            if let Some(phone) = plan.claimed().next() {
                self.evidence.claimed(phone);
            }
        })
    }

    /// Claims the proof of a later check.
    pub(super) fn claim_ahead(&mut self, check: &Check) -> Result<Option<Claim>, Refusal> {
        self.settings.account.key(check).map_or(Ok(None), |key| self.claim(check.kind(), key))
    }

    /// Claims in Redis the proofs that are claimed in memory.
    pub(super) async fn share(&mut self, claim: &mut Claim, check: &Check) -> Result<(), Refusal> {
        let (account, observers) = (&self.settings.account, self.means.observers);
        let Some((lifetime, name)) = lifetime(check.kind()).zip(account.name(check)) else { return Ok(()) };
        let Err(unclaimed) = claim.share(name, lifetime, &mut self.redis_wait, observers).await else { return Ok(()) };
        self.without(unclaimed)?;
        if claim.is_in_memory() { Ok(()) } else { self.without(Unclaimed::Store) }
    }

    /// What an unclaimed proof means for the request.
    pub(super) fn without(&mut self, unclaimed: Unclaimed) -> Result<(), Refusal> {
        let (policy, observers) = (self.settings.account.store_policy(), self.means.observers);
        match unclaimed {
            Unclaimed::Taken { by } => {
                observers.saved(By::Replay);
                self.evidence.replays(by);
                Err(Refusal::new(DenialReason::Replayed))
            }
            Unclaimed::Store => policy.without_answer((), observers),
            Unclaimed::Redis(error) => policy.without_redis(error, observers),
        }
    }

    /// Refuses the request before its first check is paid for, if the breaker of a later check would refuse that check.
    pub(super) fn look_ahead(&mut self, check: &Check) -> Result<(), Refusal> {
        let switch = self.settings.account.switch(check.endpoint());
        let Some(refused) = switch.and_then(|switch| switch.refusal()) else { return Ok(()) };
        let verdict = refused.verdict(check.kind()).answering(self.fresh_ex_id());
        let Some(refusal) = self.refusal_of(&verdict, check.endpoint()) else { return Ok(()) };
        self.means.observers.saved(By::Breaker);
        self.evidence.add_verdict(verdict);
        Err(refusal)
    }

    /// The claim on a proof: an earlier one of this request, or a new one. `None` if the proof is not claimed.
    pub(super) fn claim(&mut self, kind: CheckKind, key: Key) -> Result<Option<Claim>, Refusal> {
        if let Some(at) = self.claims.iter().position(|claim| claim.key == key) {
            return Ok(Some(self.claims.swap_remove(at)));
        }
        let settings = self.settings;
        let account = &settings.account;
        let Some(lifetime) = lifetime(kind).filter(|_| account.claims()) else { return Ok(None) };
        let claim = Claim::make(account, key, self.fresh_ex_id(), lifetime, self.means.observers);
        claim.map(Some).or_else(|unclaimed| self.without(unclaimed).map(|()| None))
    }

    /// The permission of the endpoint's breaker; `None` without a breaker.
    pub(super) fn enter(&self, endpoint: Endpoint, key: Option<Key>) -> Result<Option<Admission>, Refused> {
        let account = &self.settings.account;
        let Some((switch, key)) = account.switch(endpoint).zip(key) else { return Ok(None) };
        let left = || self.deadline.saturating_duration_since(Instant::now());
        let (admission, change) = switch.enter(key, self.sender.client, self.settings.deadline, left())?;
        if let Some(change) = change {
            account.report(endpoint, change, self.means.observers);
        }
        Ok(Some(admission))
    }

    /// A place of the bulkhead for all checks of the request.
    pub(super) fn take_permit(&mut self) -> Result<(), Refusal> {
        if self.permit.is_none() {
            let permit = self.settings.bulkhead.enter(self.sender.client).map_err(|full| {
                self.means.observers.saved(By::Bulkhead);
                let refusal = Refusal::new(DenialReason::Overloaded);
                match full {
                    Full::All => refusal,
                    Full::Share => refusal.with_detail("the client already holds its share of `in_flight`"),
                }
            })?;
            self.permit = Some(permit);
        }
        Ok(())
    }
}
