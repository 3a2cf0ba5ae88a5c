//! A judgement that waits for the application: the state of a request that was passed on before its checks.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use http::request::Parts;
use tokio::time::Instant;
use tower::BoxError;
use tower_service::Service;

use super::{
    prove::{Answer, Prove, Recipient, Unasked},
    report::report,
    shared::Shared,
};
use crate::{
    check::Check,
    decision::Asked,
    denial::{DenialReason, Refusal},
    judge::{Evidence, Plan},
    observe::Outcome,
    rule::RuleState,
    verdict::Verdict,
};

/// The checks of a request that is passed on before they start.
pub(super) struct Later<V> {
    shared: Arc<Shared<V>>,
    rule: Arc<RuleState>,
    plan: Plan,
    asked: Option<Asked>,
    client_deadline: Option<Instant>,
    grpc_answers: bool,
}

// === impl Later ===

impl<V> Later<V>
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
{
    /// Cold: a rule that is not on demand must not pay for rules that are.
    #[cold]
    pub(super) fn new(
        shared: &Arc<Shared<V>>,
        rule: &Arc<RuleState>,
        plan: Plan,
        asked: Option<Asked>,
        client_deadline: Option<Instant>,
        grpc_answers: bool,
    ) -> Self {
        Self { shared: Arc::clone(shared), rule: Arc::clone(rule), plan, asked, client_deadline, grpc_answers }
    }

    /// Writes the head of a request whose checks wait, and inserts the [`Prove`] that starts them.
    #[cold]
    pub(super) fn hand_on(self, evidence: Evidence, parts: &mut Parts) {
        let (shared, rule, asked) = (Arc::clone(&self.shared), Arc::clone(&self.rule), self.asked.clone());
        shared.strip(&mut parts.headers);
        let mut head = parts.clone();
        head.extensions.remove::<Prove>();
        let recipient = Arc::new(Recipient {
            rule: Arc::clone(&rule.name),
            answers: Arc::clone(&rule.settings.answers),
            head,
            grpc_answers: self.grpc_answers,
        });
        let judging = Box::pin(self.judge(Arc::clone(&recipient)));
        let (observers, abandoned) = (Arc::clone(&shared.observers), Arc::clone(shared.judge.abandoned()));
        Prove::hand_on(&mut parts.extensions, recipient, Unasked { judging, rule, observers, abandoned, evidence });
        shared.not_asked(parts, asked);
    }

    /// Runs the checks, judges and reports, as the layer does for other requests before it passes them on. The deadline
    /// starts now.
    async fn judge(self, recipient: Arc<Recipient>) -> Answer {
        let Self { shared, rule, plan, asked, client_deadline, .. } = self;
        let settings = &rule.settings.judge;
        let mut evidence = Evidence::new();
        let result = {
            let asker = shared.asker(&rule, &recipient.head);
            let mut judging =
                pin!(shared.judge.judge(&rule.name, settings, plan, asker, client_deadline, &mut evidence));
            // The clone of a verifier may panic: see `flow`.
            poll_fn(|cx| {
                let polled = catch_unwind(AssertUnwindSafe(|| judging.as_mut().poll(cx)));
                polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
            })
            .await
        };
        let result = result.unwrap_or_else(|| {
            evidence = Evidence::new();
            Err(Refusal::new(DenialReason::Panicked))
        });
        match result.map(|decision| decision.answering(asked)) {
            Ok(decision) => {
                if decision.is_sandbox() {
                    shared.judge.warn_of_sandbox(&rule.name, settings, &recipient.head);
                }
                report(&shared.observers, &rule, Outcome::Passed(&decision), &evidence);
                Ok(decision)
            }
            Err(refusal) => {
                report(&shared.observers, &rule, Outcome::Denied(&refusal), &evidence);
                let pass = match refusal.reason() {
                    DenialReason::CaptchaRequired => shared.pass_to_step_up(&rule, &evidence),
                    _ => None,
                };
                Err(recipient.deny_with(&refusal, evidence.verdicts(), evidence.about(), pass).await)
            }
        }
    }
}
