//! Judges requests in shadow, which pass whatever the judgement is.
//!
//! The application waits only for a short time. If the judgement is not finished by then, it moves into a task with its permit,
//! claims and remaining checks, and is finished there for the record.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use http::request::Parts;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
use tower::BoxError;
use tower_service::Service;

use super::{report::report, shared::Shared};
use crate::{
    check::Check,
    decision::{Applied, Decision},
    denial::{DenialReason, Refusal},
    judge::{Evidence, Judgement, Plan},
    log::CurrentSpan,
    observe::Outcome,
    rule::{Group, Meant, RuleState},
    verdict::Verdict,
};

/// The state of a judgement when the request is passed on.
pub(super) enum ShadowResult {
    InTime(Judgement),
    /// A task finishes and reports the judgement.
    Late(StopOnDrop),
}

/// Is held until the inner service has answered. If it is dropped earlier, because the client left, the checks of the request
/// that have not started are stopped.
pub(super) struct StopOnDrop(oneshot::Sender<()>);

type Judging = Pin<Box<dyn Future<Output = Judgement> + Send>>;

// === impl StopOnDrop ===

impl StopOnDrop {
    /// Reports that the inner service has answered, so that the checks go on.
    #[cold]
    pub(super) fn answered(self) {
        // Sending fails if the task has ended.
        let _ = self.0.send(());
    }
}

/// The time until which a body may be read, if the request then passes although its body is not read. `None` if such a request is refused.
#[cold]
pub(super) fn until(group: &Group, parts: &Parts, meant: &Meant, began: Instant) -> Option<Instant> {
    let is_in_shadow = group.applied(None, parts, meant) == Applied::Shadow;
    group.shadow_deadline().filter(|_| is_in_shadow).map(|deadline| began + deadline)
}

/// Runs the checks of a request in shadow, until they are finished or the rule's `shadow_deadline` has passed.
#[cold]
pub(super) async fn judge<V>(
    shared: &Arc<Shared<V>>,
    rule: &Arc<RuleState>,
    plan: Plan,
    parts: &Parts,
    client_deadline: Option<Instant>,
    evidence: Evidence,
) -> ShadowResult
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
{
    if rule.settings.shadow.as_ref().is_some_and(|shadow| shadow.unasked) {
        return ShadowResult::InTime(Judgement { evidence, result: Ok(Decision::not_asked(None)) });
    }
    let until = rule
        .settings
        .shadow
        .as_ref()
        .map_or(evidence.stages().began(), |shadow| evidence.stages().began() + shadow.deadline);
    let unjudged = evidence.clone();
    let mut judging: Judging = {
        let (shared, rule) = (Arc::clone(shared), Arc::clone(rule));
        let asker = shared.asker(&rule, parts);
        Box::pin(async move {
            let (settings, mut evidence) = (&rule.settings.judge, evidence);
            let result = shared.judge.judge(&rule.name, settings, plan, asker, client_deadline, &mut evidence).await;
            Judgement { evidence, result }
        })
    };
    let in_time = timeout_at(until, poll_fn(|cx| poll(&mut judging, cx, &unjudged))).await;
    if let Ok(judgement) = in_time {
        if judgement.result.as_ref().is_ok_and(Decision::is_sandbox) {
            shared.judge.warn_of_sandbox(&rule.name, &rule.settings.judge, parts);
        }
        return ShadowResult::InTime(judgement);
    }
    let (stop_on_drop, left) = oneshot::channel();
    let finishing = finish(judging, unjudged, left, Arc::clone(shared), Arc::clone(rule));
    drop(tokio::spawn(CurrentSpan::get().around(finishing)));
    ShadowResult::Late(StopOnDrop(stop_on_drop))
}

/// Polls a judgement. If the clone of a verifier panics, the judgement is a refusal, and the request still passes.
fn poll(judging: &mut Judging, cx: &mut Context<'_>, unjudged: &Evidence) -> Poll<Judgement> {
    catch_unwind(AssertUnwindSafe(|| judging.as_mut().poll(cx))).unwrap_or_else(|_| {
        let result = Err(Refusal::new(DenialReason::Panicked));
        Poll::Ready(Judgement { evidence: unjudged.clone(), result })
    })
}

/// Finishes and reports a judgement. If the client leaves, the judgement is dropped. A check that has started then
/// continues in a task, which reports it.
fn finish<V>(
    mut judging: Judging,
    unjudged: Evidence,
    left: oneshot::Receiver<()>,
    shared: Arc<Shared<V>>,
    rule: Arc<RuleState>,
) -> impl Future<Output = ()> + Send
where
    V: Send + Sync + 'static,
{
    // Before the first poll, so that a shutdown waits for it from now on.
    let running = shared.judge.abandoned().enter();
    async move {
        let judged = {
            let mut left = pin!(left);
            let mut is_answered = false;
            poll_fn(|cx| {
                if let Poll::Ready(judgement) = poll(&mut judging, cx, &unjudged) {
                    return Poll::Ready(Some(judgement));
                }
                if !is_answered && let Poll::Ready(answered) = left.as_mut().poll(cx) {
                    is_answered = answered.is_ok();
                    if !is_answered {
                        return Poll::Ready(None);
                    }
                }
                Poll::Pending
            })
            .await
        };
        // Before `running` is dropped, so that a shutdown waits for this too.
        drop(judging);
        if let Some(Judgement { evidence, result }) = judged {
            let evidence = evidence.late();
            match &result {
                Ok(decision) => report(&shared.observers, &rule, Outcome::Passed(decision), &evidence),
                Err(refusal) => report(&shared.observers, &rule, Outcome::Denied(refusal), &evidence),
            }
        }
        drop(running);
    }
}
