//! What protects the verifier's accounts: the replay guard, the breakers, and the handle that holds them.

mod breaker;
mod handle;
mod replay;

use http::Response;
use tower_jverify::{Denial, DenialReason};

const PHONE: &str = "13812345678";

/// Why a request was refused.
fn reason<B>(response: &Response<B>) -> DenialReason {
    response.extensions().get::<Denial>().expect("it is refused").reason()
}
