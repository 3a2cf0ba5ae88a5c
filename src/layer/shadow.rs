//! Judges requests that pass whatever comes of it.
//!
//! The application waits only for a short time. What is not judged by then is judged in a task, for the record: the permit,
//! the claims and the rest of the checks move there with the judgement.

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

/// What a judgement has come to when the request must go on.
pub(super) enum Came {
    InTime(Judgement),
    /// A task finishes and reports it.
    Late(Leash),
}

/// Held until the inner service has answered. If it is dropped earlier, because the client left, the checks of the request
/// that have not started are stopped.
pub(super) struct Leash(oneshot::Sender<()>);

type Judging = Pin<Box<dyn Future<Output = Judgement> + Send>>;

// === impl Leash ===

impl Leash {
    /// The inner service has answered.
    #[cold]
    pub(super) fn answered(self) {
        // It fails if the task is done.
        let _ = self.0.send(());
    }
}

/// Until when a body may be read if its request passes although it cannot be read. `None`: such a request is refused.
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
) -> Came
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
{
    if rule.settings.shadow.as_ref().is_some_and(|shadow| shadow.unasked) {
        return Came::InTime(Judgement { evidence, result: Ok(Decision::not_asked(None)) });
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
            shared.judge.judge(&rule.name, &rule.settings.judge, plan, asker, client_deadline, evidence).await
        })
    };
    let in_time = timeout_at(until, poll_fn(|cx| poll(&mut judging, cx, &unjudged))).await;
    if let Ok(judgement) = in_time {
        if judgement.result.as_ref().is_ok_and(Decision::is_sandbox) {
            shared.judge.warn_of_sandbox(&rule.name, &rule.settings.judge, parts);
        }
        return Came::InTime(judgement);
    }
    let (leash, left) = oneshot::channel();
    let finishing = finish(judging, unjudged, left, Arc::clone(shared), Arc::clone(rule));
    drop(tokio::spawn(CurrentSpan::get().around(finishing)));
    Came::Late(Leash(leash))
}

/// Polls a judgement. The clone of a verifier may panic: the request is in shadow all the same.
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
        // Before what a shutdown waits for ends.
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
