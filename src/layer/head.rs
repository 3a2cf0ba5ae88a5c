//! Ends a request whose head alone is refused: answers it, or passes it on in shadow.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::ALLOW};
use http_body::Body;

use super::shared::Shared;
use crate::{
    body::{Kept, RequestBody},
    decision::{Decision, Policy},
    denial::{Answering, Audience, Refusal},
    judge::Evidence,
    observe::Outcome,
    rule::{Group, RuleState},
};

/// Refuses a request by its head alone. `group`: the group that guards its path, if it is known.
pub(super) fn refuse<V, B>(
    shared: &Shared<V>,
    request: Request<B>,
    group: Option<&Group>,
    refusal: &Refusal,
) -> Answering {
    let rule = group.map(Group::first_rule);
    report(shared, group, refusal, &Evidence::new());
    let answers = rule.map_or(&shared.answers, |rule| &rule.settings.answers);
    // Without a known rule, it is unknown whether a status of 200 would be safe.
    let grpc_answers = group.is_some_and(|group| group.answers_grpc(request.version()));
    let (mut parts, _) = request.into_parts();
    if answers.respond.is_some() {
        shared.strip(&mut parts.headers);
    }
    Audience::of(&parts, grpc_answers, answers).about(rule.map(|rule| &*rule.name), &[], None).refuse(refusal, &parts)
}

/// Passes on a request whose head is refused: all rules that it may mean are in shadow. `rule`: if it is known which one applies.
#[cold]
pub(super) fn pass_refused<V, B>(
    shared: &Shared<V>,
    request: Request<Kept<B>>,
    (group, rule): (Option<&Group>, Option<&RuleState>),
    refusal: &Refusal,
) -> Request<RequestBody<B>>
where
    B: Body,
{
    let (mut parts, body) = request.into_parts();
    shared.strip_for_all(&mut parts.headers);
    let decision = Decision::refused_in_shadow(&Policy::default(), refusal.reason(), Vec::new());
    shared.decided(&mut parts, decision, false, rule, body.known());
    report(shared, group, refusal, &Evidence::new().in_shadow());
    let trailers = group.map_or_else(|| shared.trailers.clone(), Group::shadow_trailer_filter);
    let mut body = RequestBody::of(body, trailers);
    body.came_over(parts.version);
    Request::from_parts(parts, body)
}

/// RFC 9110 requires `Allow` in a 405, also if a user's closure returns it.
pub(super) fn with_allow(mut response: Response<Bytes>, allow: Option<HeaderValue>) -> Response<Bytes> {
    if response.status() == StatusCode::METHOD_NOT_ALLOWED
        && !response.headers().contains_key(ALLOW)
        && let Some(allow) = allow
    {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

fn report<V>(shared: &Shared<V>, group: Option<&Group>, refusal: &Refusal, evidence: &Evidence) {
    let rule = group.map(Group::first_rule);
    let settings = rule.map(|rule| &rule.settings.judge);
    let names = (rule.map(|rule| &*rule.name), settings.map(|settings| &*settings.account.name));
    let policy = settings.map(|settings| &*settings.policy);
    shared.observers.report(&evidence.record(&shared.observers, names, policy, Outcome::Denied(refusal)));
}
