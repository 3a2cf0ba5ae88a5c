//! Passes, which take the place of a number check that this client has passed before.
//!
//! # Threats
//!
//! A pass costs nothing to send, so everything that it says is checked before it counts: its signature, its purpose, and that it is for this
//! rule, account, phone, method and path. It is claimed in the store of the guards before the captcha is checked. If the store does not
//! answer, the pass is refused: a proof can be left to the verifier, which accepts it once, but only the store knows whether a pass was used.
//! For the same reason the memory accepts no pass whose number check is older than the memory.

use std::time::Duration;

use http::StatusCode;

use super::{
    claim::{Claim, Unclaimed},
    evidence::Evidence,
    pass_context::PassContext,
    planned::Presented,
    questions::Questions,
    settings::Settings,
};
use crate::{
    decision::{Applied, Decision},
    denial::{DenialReason, Refusal},
    observe::{By, PassEvent},
    pass::{Bound, Carried, Unread},
    phone::Phone,
    secret::Secret,
};

/// A number check after which the application may still refuse the request.
pub(crate) struct Retry {
    carried: Carried,
    phone: Phone,
    pass_context: PassContext,
}

/// How long a pass is claimed: longer than it is valid, even if the clocks of the instances differ.
const CLAIMED: Duration = Duration::from_secs(30 * 60);

/// How many passes in a row may follow answers of the application.
const RETRIES: u8 = 3;

// === impl Evidence ===

impl Evidence {
    /// The pass for a client that is to solve a captcha. `None` if no number check of this request has passed, or if the request
    /// came with a pass that can be used again. A pass that was used up is followed by another one with the same end.
    #[cold]
    pub(crate) fn pass_to_step_up(&self, rule: &str, settings: &Settings) -> Option<Secret> {
        let pass_context = self
            .pass_context()
            .filter(|pass_context| !pass_context.has_unspent() && self.applied() == Applied::Enforced)?;
        let carried = Carried::of(self.verdicts(), pass_context.chain())?;
        pass_context.issue(rule, settings, &carried, self.proven()?)
    }

    /// The data of the pass that is issued if the application refuses the request. `None` if no pass may be issued.
    #[cold]
    pub(crate) fn retry(&self, decision: &Decision, settings: &Settings) -> Option<Retry> {
        let retries = settings.passes.as_ref().is_some_and(|passes| !passes.retry.is_empty());
        let pass_context = self.pass_context().filter(|_| retries && decision.is_verified())?;
        let mut chain = pass_context.chain();
        chain.retries = chain.retries.saturating_add(1);
        if chain.retries > RETRIES {
            return None;
        }
        let carried = Carried::of(decision.verdicts(), chain)?;
        Some(Retry { carried, phone: self.proven()?, pass_context: pass_context.clone() })
    }
}

// === impl Retry ===

impl Retry {
    /// Issues the pass that follows this answer of the application.
    pub(crate) fn pass_after(&self, status: StatusCode, rule: &str, settings: &Settings) -> Option<Secret> {
        settings.passes.as_ref().filter(|passes| passes.retry.contains(&status))?;
        self.pass_context.issue(rule, settings, &self.carried, self.phone)
    }
}

impl<V> Questions<'_, V> {
    /// Reads what the pass of a request carries. Sends nothing and claims nothing.
    ///
    /// # Errors
    ///
    /// [`DenialReason::PassInvalid`], [`DenialReason::PassExpired`].
    #[cold]
    pub(super) fn read(&self, pass: &Presented) -> Result<Carried, Refusal> {
        let (settings, rule) = (self.settings, self.rule);
        let invalid = |detail| Refusal::new(DenialReason::PassInvalid).with_detail(detail);
        let Some((passes, pass_context)) = settings.passes.as_ref().zip(self.evidence.pass_context()) else {
            return Err(invalid("the rule accepts no passes"));
        };
        let read = |bound: &Bound<'_>| passes.ring.read(pass.text.expose(), bound, settings.account.now());
        let carried = pass_context.with_bound(rule, settings, pass.phone, read).map_err(|unread| match unread {
            Unread::Invalid => invalid("the pass is not valid for this rule, phone, method, path and client"),
            Unread::Expired => Refusal::new(DenialReason::PassExpired),
        })?;
        if pass.with_risk && !carried.has_risk_check() {
            return Err(invalid("the rule asks for a risk, which the pass does not carry"));
        }
        if settings.account.may_have_forgotten(|since| !carried.chain.is_after(since)) {
            return Err(invalid(
                "the number check is older than the memory, which cannot know whether the pass was used",
            ));
        }
        Ok(carried)
    }

    /// Claims a pass, if it was read, and adds its verdicts to the evidence. The policy treats them like those of a check.
    ///
    /// # Errors
    ///
    /// As [`Questions::read`]; [`DenialReason::PassUsed`]; [`DenialReason::PassInvalid`], if the store has no answer.
    pub(super) async fn accept(&mut self, phone: Phone, read: Result<Carried, Refusal>) -> Result<(), Refusal> {
        let claimed = match read {
            Ok(carried) => self.claim_pass(carried.chain.jti()).await.map(|claim| (carried, claim)),
            Err(refusal) => Err(refusal),
        };
        self.means.observers.pass(if claimed.is_ok() { PassEvent::Accepted } else { PassEvent::Refused });
        let (carried, claim) = claimed?;
        self.pass = Some(Box::new(claim));
        self.means.observers.saved(By::Pass);
        for verdict in carried.verdicts() {
            self.evidence.add_verdict(verdict);
        }
        if let Some(pass_context) = self.evidence.pass_context_mut() {
            pass_context.follow(carried.chain);
        }
        self.evidence.prove(phone);
        Ok(())
    }

    /// Claims a pass, in Redis if instances share one. A pass is claimed even if the guards do not claim the proofs of checks.
    async fn claim_pass(&mut self, jti: &str) -> Result<Claim, Refusal> {
        let (account, observers) = (&self.settings.account, self.means.observers);
        let refusal = |unclaimed| match unclaimed {
            Unclaimed::Taken { .. } => Refusal::new(DenialReason::PassUsed),
            Unclaimed::Store | Unclaimed::Redis(_) => Refusal::new(DenialReason::PassInvalid)
                .with_detail("the store does not answer, and nothing else knows whether the pass was used"),
        };
        let key = account.key_of_pass(jti);
        let mut claim = Claim::make(account, key, self.fresh_ex_id(), CLAIMED, observers).map_err(refusal)?;
        if let Some(name) = account.name_of_pass(jti) {
            Box::pin(claim.share(name, CLAIMED, &mut self.redis_wait, observers)).await.map_err(refusal)?;
        }
        Ok(claim)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        check_kind::CheckKind,
        decision::{Action, Level, Policy},
        pass::Chain,
        verdict::{Class, Risk, Verdict},
    };

    fn risk() -> impl Strategy<Value = Risk> {
        let known = (0..=Risk::HIGHEST, prop::collection::vec(0..4_u8, 0..3)).prop_map(|(score, tags)| {
            Risk::from_score(score.into(), tags.into_iter().map(|tag| format!("tag {tag}").into()).collect())
        });
        prop_oneof![Just(Risk::NotAsked), Just(Risk::Unknown), known]
    }

    fn action() -> impl Strategy<Value = Action> {
        prop::sample::select(vec![Action::Allow, Action::Flag, Action::StepUp, Action::Deny])
    }

    proptest! {
        #[test]
        fn a_policy_concludes_of_a_pass_what_it_concludes_of_the_checks(
            number in risk(),
            query in prop::option::of(risk().prop_filter("a query has an answer", |risk| *risk != Risk::NotAsked)),
            mut bands in prop::collection::vec(action(), 3),
            (unknown, tag) in (action(), action()),
            has_captcha: bool,
        ) {
            bands.sort();
            let policy = Policy::empty().unknown_risk(unknown).tag("tag 1", tag);
            let from = [(0, Level::Low), (300, Level::Medium), (600, Level::Elevated)];
            let policy = from.into_iter().zip(bands).fold(policy, |policy, ((from, level), action)| policy.band(from, level, action));
            let passed = |kind, risk| Verdict::new(kind, Class::Passed).with_risk(risk);
            let mut fresh = vec![passed(CheckKind::Number, number)];
            fresh.extend(query.map(|risk| passed(CheckKind::Risk, risk)));
            let mut carried = Carried::of(&fresh, Chain::default()).unwrap().verdicts();
            if has_captcha {
                let captcha = passed(CheckKind::Captcha, Risk::NotAsked);
                fresh.push(captcha.clone());
                carried.push(captcha);
            }
            prop_assert_eq!(policy.settle(&fresh), policy.settle(&carried));
            prop_assert_eq!(policy.level_for(&fresh), policy.level_for(&carried));
        }
    }
}
