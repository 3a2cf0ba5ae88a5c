//! What protects the verifier's accounts: the replay guard, the breakers, and the handle that holds them.

mod attacks;
mod breaker;
mod cancelled;
mod faults;
mod handle;
mod replay;
mod spend;

use std::{
    future::pending,
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use tower::Service;
use tower_jverify::{CallError, Check, Denial, DenialReason, Verdict};

const PHONE: &str = "13812345678";

/// Why a request was refused.
fn reason<B>(response: &Response<B>) -> DenialReason {
    response.extensions().get::<Denial>().expect("it is refused").reason()
}

/// Never ready, so that nothing is asked.
#[derive(Clone)]
struct NeverReady;

impl Service<Check> for NeverReady {
    type Response = Verdict;
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<Verdict, CallError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        Poll::Pending
    }

    fn call(&mut self, _: Check) -> Self::Future {
        Box::pin(pending())
    }
}
