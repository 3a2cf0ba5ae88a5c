//! Steps that follow when the inner service has answered.

use http::{HeaderMap, StatusCode};

/// The head of the inner service's answer.
pub(super) struct Answered<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a mut HeaderMap,
}

/// Called with the inner service's answer; `None` if the service failed. If it is dropped without a call, the client has left, and there is
/// no answer.
pub(super) type AfterInner = Box<dyn FnOnce(Option<Answered<'_>>) + Send>;

/// Calls one after the other.
#[cold]
pub(super) fn both(one: Option<AfterInner>, other: Option<AfterInner>) -> Option<AfterInner> {
    let (one, other) = match (one, other) {
        (Some(one), Some(other)) => (one, other),
        (one, other) => return one.or(other),
    };
    Some(Box::new(|answered| {
        let Some(Answered { status, headers }) = answered else {
            one(None);
            return other(None);
        };
        one(Some(Answered { status, headers: &mut *headers }));
        other(Some(Answered { status, headers }));
    }))
}
