//! Waits for the end of a body that may be empty.
//!
//! On a guarded path a GET, a HEAD or a CORS preflight passes only without a body. Over HTTP/2 the head alone does not always show
//! that: some clients end such a request with an empty DATA frame, and proxies make an empty chunked body of that. The layer then
//! waits for that frame, and passes on an empty body, so that nothing that the client sends later reaches the application.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body::Body;

use super::{
    flow::{End, GuardFuture},
    head,
    shared::Shared,
};
use crate::{
    body::{Ends, Kept, ReadError, RequestBody, Unread, read},
    decision::{Applied, Decision},
    denial::{Answering, Refusal},
    rule::{Group, IfItEnds, RuleState},
};

/// What happens to the request if it has a body.
pub(super) struct WithBody {
    /// The group that guards the path, if it is known.
    pub(super) group: Option<Arc<Group>>,
    /// Its rule, if it has only one.
    pub(super) only: Option<Arc<RuleState>>,
    pub(super) applied: Applied,
    /// The header for a 405.
    pub(super) allow: Option<HeaderValue>,
}

/// Passes the request on if its body ends without data and trailers.
pub(super) fn wait<V, B>(
    shared: Arc<Shared<V>>,
    request: Request<B>,
    IfItEnds { otherwise, limits }: IfItEnds,
    with_body: WithBody,
) -> GuardFuture<B>
where
    V: Send + Sync + 'static,
    B: Body<Data = Bytes, Error: 'static> + Send + 'static,
{
    Box::pin(async move {
        let (mut parts, body) = request.into_parts();
        let (refusal, body) = match read(Kept::Untouched(body), &limits, Ends::default()).await {
            Ok(whole) if whole.trailers.is_none() => {
                let outer = parts.extensions.get::<Decision>().cloned();
                shared.pass(&mut parts.headers, outer.as_ref());
                let body = RequestBody::of(Kept::Whole(whole), shared.trailers.clone());
                return End::Through(Request::from_parts(parts, body), None);
            }
            Ok(whole) => (otherwise, Some(Kept::Whole(whole))),
            Err(Unread { error: ReadError::TooLarge, body }) => (otherwise, body),
            Err(Unread { error, body }) => (Refusal::from(error), body),
        };
        let WithBody { group, only, applied, allow } = with_body;
        let group = group.as_deref();
        if let (Applied::Shadow, Some(body)) = (applied, body) {
            let request = Request::from_parts(parts, body);
            return End::Through(head::pass_refused(&shared, request, (group, only.as_deref()), &refusal), None);
        }
        let response = match head::refuse(&shared, Request::from_parts(parts, ()), group, &refusal) {
            Answering::Ready(response) => response,
            Answering::Waiting(waiting) => waiting.finish().await,
        };
        End::Denied(head::with_allow(response, allow))
    })
}
