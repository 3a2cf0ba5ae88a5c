//! The guards of the verifier's accounts: the replay guard, the breakers, the limits, and their handle.

mod attacks;
mod breaker;
mod cancelled;
mod faults;
mod handle;
mod order;
mod replay;
mod spend;

use std::{
    future::pending,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::Service;
use tower_jverify::{CallError, Check, ClientIp, Denial, DenialReason, Rule, Verdict, number};

const PHONE: &str = "13812345678";

/// Why a request was refused.
fn reason<B>(response: &Response<B>) -> DenialReason {
    response.extensions().get::<Denial>().expect("it is refused").reason()
}

/// Another person's phone.
const OTHER: &str = "13900000001";

const MINUTE: Duration = Duration::from_secs(60);

/// Whether a request passes, and otherwise why it does not.
fn outcome<B>(response: &Response<B>) -> Result<(), DenialReason> {
    if response.status() == 200 { Ok(()) } else { Err(reason(response)) }
}

/// Adds the address of the client that [`login`] reads.
fn from(client: &str, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
    request
}

/// A rule that knows who its clients are.
fn login() -> Rule {
    Rule::post("/login", number()).client_ip(ClientIp::forwarded(1))
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
