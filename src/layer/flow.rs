//! The stages of one request: read, judge, enforce, report.

use std::{
    future::{Future, poll_fn},
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use bytes::Bytes;
use http::{Request, Response, header::UPGRADE, request::Parts};
use http_body::Body;
use tower::BoxError;
use tower_service::Service;

use super::{
    after::{AfterInner, both},
    enforce::{Enforced, Judged, Rejected, enforce},
    later::Later,
    report::{Passed, report, report_passed},
    shadow::{self, ShadowResult},
    shared::Shared,
};
use crate::{
    body::{Kept, RequestBody},
    check::Check,
    decision::{Applied, Asked, Decision},
    denial::{Audience, DenialReason, Refusal},
    headers::ignore_http2_offer,
    judge::Evidence,
    log::Stage,
    observe::Outcome,
    path::ParameterValues,
    phone::Phone,
    proof::{Value, Values},
    reading::{HandedOn, Read, Unread},
    rule::{Choice, Group, InHeaders, Meant, RuleState},
    verdict::{Class, Verdict},
};

/// The future that runs the stages of a guarded request. Boxed, because it waits on the network anyway. It does not depend
/// on the inner service, whose errors pass through unchanged.
pub(super) type GuardFuture<B> = Pin<Box<dyn Future<Output = End<B>> + Send>>;

/// The result of the stages of a guarded request.
pub(super) enum End<B> {
    /// The inner service receives the request.
    Through(Request<RequestBody<B>>, Option<AfterInner>),
    /// The inner service never receives the request.
    Denied(Response<Bytes>),
}

/// What is known of a guarded request before it is read.
pub(super) struct Hints {
    /// The parameters of the path, if it has any.
    pub(super) parameters: Option<Box<ParameterValues>>,
    /// Set if a rule of the group is not enforced for all requests.
    pub(super) meant: Option<Box<Meant>>,
    /// The passes in the head.
    pub(super) in_headers: Option<InHeaders>,
}

/// Decides about a request. If the future is dropped at any await, it releases what it holds and starts no further check; a
/// task finishes a check that has started and holds its place until then.
///
/// Not an `async fn`, which would hold its arguments twice. The box is allocated before the future is made, so that the future
/// is made inside of it: a `Box::pin` copies all of its bytes, most of which are not used yet.
#[inline(never)]
pub(super) fn guard<V, B>(
    shared: Arc<Shared<V>>,
    group: Arc<Group>,
    mut hints: Hints,
    request: Request<B>,
) -> GuardFuture<B>
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
    B: Body<Data = Bytes, Error: 'static> + Send + 'static,
{
    let (mut parts, body) = request.into_parts();
    if parts.headers.keys().any(|name| *name == UPGRADE) {
        ignore_http2_offer(&mut parts.headers);
    }
    let place = Box::new_uninit();
    let guarding = async move {
        group.mark_matched();
        let mut evidence = Evidence::new();
        let result = {
            let stage = Stage::guard();
            let mut stages = pin!(run_stages(&shared, &group, &stage, &mut hints, &mut parts, body, &mut evidence));
            // The panics of closures and verifiers are caught where they occur. Here only the body or the clone of a
            // verifier can panic: the request must not pass, and later requests must not be affected.
            poll_fn(|cx| {
                let polled = catch_unwind(AssertUnwindSafe(|| stage.within(|| stages.as_mut().poll(cx))));
                polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
            })
            .await
        };
        let result = result.unwrap_or_else(|| {
            evidence = Evidence::new();
            Err(Refused::by_panic(&shared, group.first_rule(), &evidence))
        });
        match result {
            Ok((mut body, after)) => {
                body.came_over(parts.version);
                End::Through(Request::from_parts(parts, body), after)
            }
            Err(Refused { rule, refusal }) => {
                let answers = &rule.settings.answers;
                let audience = Audience::of(&parts, group.answers_grpc(parts.version), answers);
                let audience = audience.about(Some(&rule.name), evidence.verdicts(), evidence.about());
                let audience = match refusal.reason() {
                    DenialReason::CaptchaRequired => audience.with_pass(shared.pass_to_step_up(rule, &evidence)),
                    _ => audience,
                };
                if answers.respond.is_some() {
                    shared.strip(&mut parts.headers);
                }
                End::Denied(audience.refuse(&refusal, &parts).finish().await)
            }
        }
    };
    let guarding = Box::write(place, guarding);
    Box::into_pin(guarding)
}

/// The result of [`run_stages`].
type StagesResult<'g, B> = Result<(RequestBody<B>, Option<AfterInner>), Refused<'g>>;

/// A request that does not reach the inner service.
struct Refused<'g> {
    rule: &'g RuleState,
    refusal: Refusal,
}

// === impl Refused ===

impl<'g> Refused<'g> {
    #[cold]
    fn by_panic<V>(shared: &Shared<V>, rule: &'g RuleState, evidence: &Evidence) -> Self {
        let refusal = Refusal::new(DenialReason::Panicked);
        report(&shared.observers, rule, Outcome::Denied(&refusal), evidence);
        Self { rule, refusal }
    }
}

/// The evidence is the caller's: here it would be moved with each result.
async fn run_stages<'g, V, B>(
    shared: &Arc<Shared<V>>,
    group: &'g Group,
    stage: &Stage,
    hints: &mut Hints,
    parts: &mut Parts,
    body: B,
    evidence: &mut Evidence,
) -> StagesResult<'g, B>
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
    B: Body<Data = Bytes, Error: 'static>,
{
    let Hints { parameters, meant, in_headers } = hints;
    let (parameters, meant, in_headers) = (parameters.as_deref_mut(), meant.as_deref(), in_headers.as_ref());
    if group.has_unless() {
        // Before the closure runs, because it must not read a header under our prefix that the client wrote.
        shared.strip(&mut parts.headers);
        if group.lets_by(parts) {
            shared.pass_not_guarded(&mut parts.headers, parts.extensions.get::<Decision>());
            let why = Passed::NotGuarded("`guard_unless` let it pass");
            let record = report_passed(&shared.observers, group.first_rule(), why, evidence);
            return Ok((RequestBody::of(Kept::Untouched(body), group.trailer_filter()), record));
        }
    }
    let until = meant.and_then(|meant| shadow::until(group, parts, meant, evidence.stages().began()));
    let choose = |values: &Values<'_>| group.choose(values, parameters, in_headers);
    let read = {
        let stage = Stage::read();
        let choose_other = |when: Option<&Value<'_>>| group.choose_other(when);
        let mut reading = pin!(group.reading().read(parts, body, until, &choose_other, choose));
        poll_fn(|cx| stage.within(|| reading.as_mut().poll(cx))).await
    };
    shared.look_for_unused(evidence.stages().began());

    let mut changes = BodyChanges::default();
    let applied;
    let mut answers = None;
    let (rule, known, judged) = match read {
        Err(Unread { body, refusal }) => {
            applied = until.map(|_| Applied::Shadow);
            let known = group.only_rule().filter(|_| meant.is_none_or(|meant| meant.others.is_empty()));
            (group.first_rule(), known, Err(Rejected { refusal, body }))
        }
        Ok(Read { body, handed_on, chosen: Choice::Pass, .. }) => {
            let body = match until {
                None => BodyChanges { handed_on, pins: Vec::new() }.finish(body, None, parts),
                Some(_) => body.restored(),
            };
            shared.pass_not_guarded(&mut parts.headers, parts.extensions.get::<Decision>());
            let why = Passed::NotGuarded("no rule names the value of `when`");
            let record = report_passed(&shared.observers, group.first_rule(), why, evidence);
            return Ok((RequestBody::of(body, group.trailer_filter()), record));
        }
        Ok(Read { mut body, handed_on, chosen: Choice::Ask { rule, plan, pins }, client_deadline }) => {
            applied = meant
                .filter(|_| rule.settings.shadow.is_some())
                .map(|meant| group.applied_by(rule, plan.phone(), parts, meant));
            let is_in_shadow = applied == Some(Applied::Shadow);
            if is_in_shadow {
                body = body.restored();
            } else {
                changes = BodyChanges { handed_on, pins };
            }
            stage.rule(&rule.name);
            // The first check of a proof is billed and spends the proof.
            let asked = shared.asked(&rule.name, &plan);
            shared.keep(asked.as_ref(), in_headers, &mut parts.extensions);
            let outer = parts.extensions.get::<Decision>();
            let taken = asked.as_ref().and_then(|asked| outer?.answer_to(asked));
            // The outer service may have been in shadow under another path. A decision that is not verified does not count here.
            if let Some(taken) = taken.filter(|taken| is_in_shadow || !taken.is_shadow() || taken.is_verified()) {
                let phone = taken.phone();
                shared.pass(&mut parts.headers, outer);
                return Ok((RequestBody::of(changes.finish(body, phone, parts), group.trailer_filter()), None));
            }
            if rule.settings.on_demand {
                let grpc_answers = group.answers_grpc(parts.version);
                Later::new(shared, rule, plan, asked, client_deadline, grpc_answers).hand_on(evidence.clone(), parts);
                return Ok((RequestBody::of(changes.finish(body, None, parts), group.trailer_filter()), None));
            }
            let settings = &rule.settings.judge;
            let result = if is_in_shadow {
                answers.clone_from(&asked);
                match shadow::judge(shared, rule, plan, parts, client_deadline, evidence.clone().in_shadow()).await {
                    ShadowResult::InTime(judgement) => judgement.into_result(evidence),
                    ShadowResult::Late(stop_on_drop) => {
                        let reason = DenialReason::Verdict(Class::Unavailable);
                        let decision =
                            Decision::refused_in_shadow(&settings.policy, reason, Vec::new()).under(&settings.policy);
                        shared.decided(parts, decision.answering(answers), false, Some(rule), body.known());
                        return Ok((
                            RequestBody::of(body, group.shadow_trailer_filter()),
                            Some(Box::new(|_| stop_on_drop.answered())),
                        ));
                    }
                }
            } else {
                let from_head = shared.asker(rule, parts);
                let judged = shared.judge.judge(&rule.name, settings, plan, from_head, client_deadline, evidence).await;
                if judged.as_ref().is_ok_and(Decision::is_sandbox) {
                    shared.judge.warn_of_sandbox(&rule.name, settings, parts);
                }
                judged
            };
            let judged = match result {
                Ok(decision) => Ok((body, decision.answering(asked))),
                Err(refusal) => Err(Rejected { refusal, body: Some(body) }),
            };
            (rule, Some(rule), judged)
        }
    };

    let judged = JudgedRequest { rule, known, applied, answers, changes, judged };
    judged.enforce(shared, group, parts, evidence)
}

/// A judged request, and what its head and its record need.
struct JudgedRequest<'g, B> {
    /// The rule that is reported.
    rule: &'g Arc<RuleState>,
    /// The rule, if it is known which one applies.
    known: Option<&'g Arc<RuleState>>,
    /// `None`: the rule is enforced for all requests.
    applied: Option<Applied>,
    /// The checks that a refusal in shadow answers.
    answers: Option<Asked>,
    changes: BodyChanges,
    judged: Judged<B>,
}

// === impl JudgedRequest ===

impl<'g, B> JudgedRequest<'g, B> {
    #[inline]
    #[allow(clippy::result_large_err, reason = "it has one caller, into which it is inlined")]
    fn enforce<V>(
        self,
        shared: &Shared<V>,
        group: &Group,
        parts: &mut Parts,
        evidence: &mut Evidence,
    ) -> StagesResult<'g, B>
    where
        B: Body,
    {
        let Self { rule, known, applied, answers, changes, judged } = self;
        match enforce(applied.unwrap_or_default(), judged) {
            Enforced::Verified(body, decision) => {
                let body = changes.finish(body, decision.phone(), parts);
                let (decision, trailers) = match applied {
                    None => (decision, group.trailer_filter()),
                    Some(Applied::Enforced) => (decision.applied(Applied::Enforced), group.trailer_filter()),
                    Some(Applied::Shadow) => (decision.applied(Applied::Shadow), group.shadow_trailer_filter()),
                };
                let retry = match (&rule.settings.judge.passes, applied) {
                    (None, _) | (_, Some(Applied::Shadow)) => None,
                    (Some(_), _) => shared.retry(rule, evidence, &decision),
                };
                let decision = shared.decided(parts, decision, rule.settings.forward_phone, Some(rule), body.known());
                let record = report_passed(&shared.observers, rule, Passed::By(decision), evidence);
                Ok((RequestBody::of(body, trailers), if retry.is_some() { both(retry, record) } else { record }))
            }
            Enforced::AsItCame(body, refusal) => {
                evidence.pass_in_shadow();
                let policy = &rule.settings.judge.policy;
                let decision =
                    Decision::refused_in_shadow(policy, refusal.reason(), evidence.verdicts().to_vec()).under(policy);
                shared.decided(parts, decision.answering(answers), false, known.map(|known| &**known), body.known());
                let record = report_passed(&shared.observers, rule, Passed::InShadow(refusal), evidence);
                Ok((RequestBody::of(body, group.shadow_trailer_filter()), record))
            }
            Enforced::Denied(refusal) => {
                report(&shared.observers, rule, Outcome::Denied(&refusal), evidence);
                Err(Refused { rule, refusal })
            }
        }
    }
}

/// The changes to a body that was read, before it is passed on.
#[derive(Default)]
struct BodyChanges {
    handed_on: HandedOn,
    /// The ranges of the phone that must be pinned.
    pins: Vec<Range<usize>>,
}

// === impl BodyChanges ===

impl BodyChanges {
    /// Changes body and head to what the inner service receives.
    fn finish<B>(&self, mut body: Kept<B>, proven: Option<Phone>, parts: &mut Parts) -> Kept<B> {
        if let Kept::Whole(whole) = &mut body {
            let pinned = proven.filter(|_| !self.pins.is_empty()).map(|phone| (phone, &*self.pins));
            self.handed_on.finish(whole, pinned, parts);
        }
        body
    }
}
