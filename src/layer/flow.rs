//! One request's story: read, judge, enforce, report.

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
    enforce::{Enforced, Rejected, enforce},
    later::Later,
    report::report,
    shared::Shared,
};
use crate::{
    body::{Kept, RequestBody},
    check::Check,
    decision::Decision,
    denial::{Answering, Audience, DenialReason, Refusal},
    headers::ignore_http2_offer,
    judge::{Evidence, Judgement},
    log::Stage,
    observe::{Decided, Outcome},
    path::ParameterValues,
    phone::Phone,
    proof::{Value, Values},
    reading::{HandedOn, Read, Unread},
    rule::{Choice, Group, RuleState},
    verdict::Verdict,
};

/// The story of a guarded request. It is boxed: it waits on the network anyway, and it does not know the inner service, whose
/// errors pass through untouched.
pub(super) type Story<B> = Pin<Box<dyn Future<Output = End<B>> + Send>>;

/// How the story of a guarded request ends.
pub(super) enum End<B> {
    /// The inner service may have it.
    Through(Request<RequestBody<B>>),
    /// The inner service never sees it.
    Denied(Response<Bytes>),
}

/// Decides about a request. Dropping the future at any await gives back what it holds and asks nothing more; a check that has
/// begun is finished by a task, which holds its place until then. `parameters` are those of the path, where it has any.
///
/// No `async fn`: that would hold its arguments twice. The box is made here, so that a story is copied once.
#[inline(never)]
pub(super) fn guard<V, B>(
    shared: Arc<Shared<V>>,
    group: Arc<Group>,
    mut parameters: Option<Box<ParameterValues>>,
    request: Request<B>,
) -> Story<B>
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
    Box::pin(async move {
        group.mark_matched();
        let told = {
            let stage = Stage::guard();
            let mut story = pin!(tell(&shared, &group, &stage, parameters.as_deref_mut(), &mut parts, body));
            // The panics of closures and verifiers are caught where they arise. What panics here is the body itself or a verifier
            // that is cloned: it must let nothing through, and the next request must not feel it.
            poll_fn(|cx| {
                let polled = catch_unwind(AssertUnwindSafe(|| stage.within(|| story.as_mut().poll(cx))));
                polled.unwrap_or_else(|_| Poll::Ready(Err(Refused::by_panic(&shared, group.first_rule()))))
            })
            .await
        };
        match told {
            Ok(mut body) => {
                body.came_over(parts.version);
                End::Through(Request::from_parts(parts, body))
            }
            Err(Refused { rule, refusal, evidence }) => {
                let audience = Audience::of(&parts.headers, group.answers_grpc(parts.version));
                let audience = audience.about(Some(&rule.name), evidence.verdicts(), evidence.about());
                let respond = rule.settings.respond.as_ref();
                if respond.is_some() {
                    shared.strip(&mut parts.headers);
                }
                End::Denied(audience.refuse(&refusal, &parts, respond).finish().await)
            }
        }
    })
}

/// Refuses a request by its head alone. `group`: what guards its path, where that is known.
pub(super) fn refuse<V, B>(
    shared: &Shared<V>,
    request: Request<B>,
    group: Option<&Group>,
    refusal: &Refusal,
) -> Answering {
    let rule = group.map(Group::first_rule);
    let (evidence, name) = (Evidence::new(), rule.map(|rule| &*rule.name));
    let account = rule.map(|rule| &*rule.settings.judge.account.name);
    let (outcome, began) = (Outcome::Denied(refusal), evidence.began());
    shared.observers.decided(&Decided {
        rule: name,
        account,
        outcome,
        verdicts: evidence.verdicts(),
        phone: None,
        began,
        first_ex_id: None,
    });
    let respond = rule.map_or(shared.respond.as_ref(), |rule| rule.settings.respond.as_ref());
    // Where no rule is known, it is not known either whether a status of 200 would be safe.
    let grpc_answers = group.is_some_and(|group| group.answers_grpc(request.version()));
    let (mut parts, _) = request.into_parts();
    if respond.is_some() {
        shared.strip(&mut parts.headers);
    }
    Audience::of(&parts.headers, grpc_answers)
        .about(rule.map(|rule| &*rule.name), &[], None)
        .refuse(refusal, &parts, respond)
}

/// A request that does not reach the inner service.
struct Refused<'g> {
    rule: &'g RuleState,
    refusal: Refusal,
    evidence: Evidence,
}

// === impl Refused ===

impl<'g> Refused<'g> {
    #[cold]
    fn by_panic<V>(shared: &Shared<V>, rule: &'g RuleState) -> Self {
        let (refusal, evidence) = (Refusal::new(DenialReason::Panicked), Evidence::new());
        report(&shared.observers, rule, Outcome::Denied(&refusal), &evidence);
        Self { rule, refusal, evidence }
    }
}

async fn tell<'g, V, B>(
    shared: &Arc<Shared<V>>,
    group: &'g Group,
    stage: &Stage,
    parameters: Option<&mut ParameterValues>,
    parts: &mut Parts,
    body: B,
) -> Result<RequestBody<B>, Refused<'g>>
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
    B: Body<Data = Bytes, Error: 'static>,
{
    let evidence = Evidence::new();
    if group.has_unless() {
        // Before the closure: it must not read a header of ours that the client wrote.
        shared.strip(&mut parts.headers);
        if group.lets_by(parts) {
            shared.pass_not_guarded(&mut parts.headers, parts.extensions.get::<Decision>());
            report(&shared.observers, group.first_rule(), Outcome::NotGuarded("`guard_unless` let it by"), &evidence);
            return Ok(RequestBody::of(Kept::Untouched(body), group.trailer_filter()));
        }
    }
    let choose = |values: &Values<'_>| group.choose(values, parameters);
    let read = {
        let stage = Stage::read();
        let choose_other = |when: Option<&Value<'_>>| group.choose_other(when);
        let mut reading = pin!(group.reading().read(parts, body, &choose_other, choose));
        poll_fn(|cx| stage.within(|| reading.as_mut().poll(cx))).await
    };
    shared.look_for_unused(evidence.began());

    let mut handing = Handing::default();
    let (rule, evidence, judged) = match read {
        Err(Unread { body, refusal }) => (group.first_rule(), evidence, Err(Rejected { refusal, body })),
        Ok(Read { body, handed_on, chosen: Choice::Pass, .. }) => {
            let body = Handing { handed_on, pins: Vec::new() }.finish(body, None, parts);
            shared.pass_not_guarded(&mut parts.headers, parts.extensions.get::<Decision>());
            let why = Outcome::NotGuarded("no rule names the value of `when`");
            report(&shared.observers, group.first_rule(), why, &evidence);
            return Ok(RequestBody::of(body, group.trailer_filter()));
        }
        Ok(Read { body, handed_on, chosen: Choice::Ask { rule, plan, pins }, client_deadline }) => {
            handing = Handing { handed_on, pins };
            stage.rule(&rule.name);
            // A proof is paid for and used up by its first check.
            let asked = shared.asked(&rule.name, &plan);
            let outer = parts.extensions.get::<Decision>();
            if let Some(taken) = asked.as_ref().and_then(|asked| outer?.answer_to(asked)) {
                let phone = taken.phone();
                shared.pass(&mut parts.headers, outer);
                return Ok(RequestBody::of(handing.finish(body, phone, parts), group.trailer_filter()));
            }
            if rule.settings.on_demand {
                let grpc_answers = group.answers_grpc(parts.version);
                Later::new(shared, rule, plan, asked, client_deadline, grpc_answers).hand_on(evidence, parts);
                return Ok(RequestBody::of(handing.finish(body, None, parts), group.trailer_filter()));
            }
            let judgement =
                shared.judge.judge(&rule.name, &rule.settings.judge, plan, parts, client_deadline, evidence);
            let Judgement { evidence, result } = judgement.await;
            let judged = match result {
                Ok(decision) => Ok((body, decision.answering(asked))),
                Err(refusal) => Err(Rejected { refusal, body: Some(body) }),
            };
            (rule, evidence, judged)
        }
    };

    match enforce(rule.settings.mode, judged) {
        Enforced::Verified(body, decision) => {
            let body = handing.finish(body, decision.phone(), parts);
            let decision = shared.decided(parts, decision, rule.settings.forward_phone);
            report(&shared.observers, rule, Outcome::Passed(&decision), &evidence);
            Ok(RequestBody::of(body, group.trailer_filter()))
        }
        Enforced::AsItCame(body, refusal) => {
            shared.pass(&mut parts.headers, parts.extensions.get::<Decision>());
            report(&shared.observers, rule, Outcome::Denied(&refusal), &evidence);
            Ok(RequestBody::of(body, group.trailer_filter()))
        }
        Enforced::Denied(refusal) => {
            report(&shared.observers, rule, Outcome::Denied(&refusal), &evidence);
            Err(Refused { rule, refusal, evidence })
        }
    }
}

/// What is handed on of a body that was read.
#[derive(Default)]
struct Handing {
    handed_on: HandedOn,
    /// Where the phone is that is to be pinned.
    pins: Vec<Range<usize>>,
}

// === impl Handing ===

impl Handing {
    /// Makes body and head what the inner service gets.
    fn finish<B>(&self, mut body: Kept<B>, proven: Option<Phone>, parts: &mut Parts) -> Kept<B> {
        if let Kept::Whole(whole) = &mut body {
            let pinned = proven.filter(|_| !self.pins.is_empty()).map(|phone| (phone, &*self.pins));
            self.handed_on.finish(whole, pinned, parts);
        }
        body
    }
}
