//! The limits of spending: for a client, for a client and a phone, for a rule, and for an account.
//!
//! # Threats
//!
//! A forged proof costs its sender nothing and the account a call. So each client is limited once the settings identify clients. The
//! connection's peer is never taken for the client: behind a proxy, all clients have the same peer. No limit is for a phone alone,
//! because a stranger could then lock out the phone's owner.
//!
//! A request with a pass counts for its client and not for the phone, because no number check is sent. One pass allows at most one
//! captcha check, and one number check, which counts for the phone, allows at most four passes.
//!
//! A request counts before its proof is claimed, and stays counted even if it is refused later. The limits of a client apply before
//! those of the account: a client above its limit does not use up the account's.

use super::{
    account::Account,
    account_limits::AccountLimits,
    ledger::{InMemory, Ledger, RedisRequests},
    limit::Limit,
    planned::Plan,
    sender::Spender,
};
use crate::{
    denial::{DenialReason, Refusal},
    observe::{BudgetMark, By, Observers},
    phone::Phone,
    store::{Purpose, Rate, Redis, RedisWait, Subject, Taken},
};

/// The subjects for which one request is counted.
pub(super) struct Spending<'s> {
    pub(super) account: &'s Account,
    pub(super) observers: &'s Observers,
    /// The rule's name.
    pub(super) rule: &'s str,
    pub(super) limits: &'s [Limit],
    /// The client, if clients are identified.
    pub(super) spender: Option<&'s Spender>,
    /// Whether the request has a valid pass, so that no number check is sent for its phone.
    pub(super) has_pass: bool,
}

/// The part of a budget, in percent, at which the first event is written.
const SOFT: u128 = 80;

// === impl Spending ===

impl Spending<'_> {
    /// Counts a request.
    ///
    /// # Errors
    ///
    /// [`DenialReason::RateLimited`] for a limit of a client, [`DenialReason::AccountLimited`] and [`DenialReason::Budget`] for a limit
    /// of the account, and [`DenialReason::StoreDown`] if the request cannot be counted but must be.
    pub(super) fn spend(&self, plan: &Plan) -> Result<(), Refusal> {
        let mut memory = InMemory::new(self.account, self.observers);
        self.spend_of_client(plan, &mut memory)?;
        self.take_of_account(&mut memory)?;
        self.add_to_budget(plan, &mut memory)
    }

    /// As [`Spending::spend`], in Redis. The limits of the client are checked at the same time. The limits of the account follow, one
    /// after the other, because a request above a rate must not use up the budget.
    pub(super) async fn spend_in(&self, redis: &Redis, plan: &Plan, redis_wait: &mut RedisWait) -> Result<(), Refusal> {
        self.counted(redis, redis_wait, |ledger| self.spend_of_client(plan, ledger)).await?;
        self.counted(redis, redis_wait, |ledger| self.take_of_account(ledger)).await?;
        self.counted(redis, redis_wait, |ledger| self.add_to_budget(plan, ledger)).await
    }

    /// Runs the step once to collect its operations, and again with the answers.
    async fn counted(
        &self,
        redis: &Redis,
        redis_wait: &mut RedisWait,
        step: impl Fn(&mut dyn Ledger) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut requests = RedisRequests::new(redis, self.account.today());
        step(&mut requests)?;
        let mut replies = requests.send(self.account, redis_wait, self.observers).await;
        step(&mut replies)
    }

    fn spend_of_client(&self, plan: &Plan, ledger: &mut (impl Ledger + ?Sized)) -> Result<(), Refusal> {
        let AccountLimits { per_client, per_client_and_phone, .. } = self.account.limits();
        if let Some(spender) = self.spender {
            let mut octets = [0; 9];
            let [tag, who] = spender.parts(&mut octets);
            let account = self.account.name.as_bytes();
            if let Some(rate) = per_client {
                self.take_of_client(
                    ledger,
                    Purpose::ClientRate,
                    &[account, tag, who],
                    *rate,
                    "the client is over its rate",
                )?;
            }
            self.take_of_rule(ledger, plan, tag, who)?;
            if let Some(rate) = per_client_and_phone {
                for phone in plan.asked_about(self.has_pass) {
                    let parts = [account, tag, who, phone.as_str().as_bytes()];
                    self.take_of_client(
                        ledger,
                        Purpose::PhoneRate,
                        &parts,
                        *rate,
                        "the client is over its rate for this phone",
                    )?;
                }
            }
        }
        Ok(())
    }

    fn take_of_account(&self, ledger: &mut (impl Ledger + ?Sized)) -> Result<(), Refusal> {
        if let Some(rate) = self.account.limits().per_account
            && ledger.take(&Subject::new(Purpose::AccountRate, &[self.account.name.as_bytes()]), rate)? != Taken::Now
        {
            self.observers.saved(By::Spend);
            return Err(Refusal::new(DenialReason::AccountLimited));
        }
        Ok(())
    }

    fn add_to_budget(&self, plan: &Plan, ledger: &mut (impl Ledger + ?Sized)) -> Result<(), Refusal> {
        match (self.account.limits().daily_budget, plan.cost()) {
            (None, _) | (Some(_), 0) => Ok(()),
            (Some(budget), cost) => self.add(ledger, budget, cost),
        }
    }

    /// The limits of the rule.
    fn take_of_rule(
        &self,
        ledger: &mut (impl Ledger + ?Sized),
        plan: &Plan,
        tag: &[u8],
        who: &[u8],
    ) -> Result<(), Refusal> {
        let mut phones = plan.limited.iter();
        for (limit, number) in self.limits.iter().zip(0_u32..) {
            let (account, number) = (self.account.name.as_bytes(), number.to_le_bytes());
            let phone = limit.phone().and_then(|_| phones.next()).map_or("", Phone::as_str);
            // Counts of two rates cannot be compared. A limit that a reload changes starts again from zero.
            let [interval, window] = [limit.rate.interval(), limit.rate.window()].map(u64::to_le_bytes);
            let parts = [account, self.rule.as_bytes(), &number, &interval, &window, tag, who, phone.as_bytes()];
            self.take_of_client(
                ledger,
                Purpose::RuleRate,
                &parts,
                limit.rate,
                "the client is over a limit of the rule",
            )?;
        }
        Ok(())
    }

    fn take_of_client(
        &self,
        ledger: &mut (impl Ledger + ?Sized),
        purpose: Purpose,
        parts: &[&[u8]],
        rate: Rate,
        detail: &'static str,
    ) -> Result<(), Refusal> {
        match ledger.take(&Subject::new(purpose, parts), rate)? {
            Taken::Now => Ok(()),
            Taken::Wait(wait) => {
                self.observers.saved(By::Spend);
                Err(Refusal::new(DenialReason::RateLimited).with_detail(detail).with_retry_after(wait))
            }
        }
    }

    /// Adds to the account's sum of this day.
    fn add(&self, ledger: &mut (impl Ledger + ?Sized), budget: u64, cost: u64) -> Result<(), Refusal> {
        let account = &*self.account.name;
        let sum = ledger.add(&Subject::new(Purpose::Budget, &[account.as_bytes()]), cost)?;
        let before = sum.saturating_sub(cost);
        // Exactly one request of all instances crosses each mark.
        let is_soft = |sum: u64| u128::from(sum) * 100 >= u128::from(budget) * SOFT;
        if sum > budget {
            if before <= budget {
                self.observers.budget(account, BudgetMark::UsedUp, budget);
            }
            self.observers.saved(By::Budget);
            return Err(Refusal::new(DenialReason::Budget));
        }
        if is_soft(sum) && !is_soft(before) {
            self.observers.budget(account, BudgetMark::Soft, budget);
        }
        Ok(())
    }
}
