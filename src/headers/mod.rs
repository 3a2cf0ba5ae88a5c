//! The headers that carry a decision to the inner service, and the protection of these headers.
//!
//! A backend that trusts `x-jverify-decision: allow` must never receive one from a client. A client can send such a header
//! in spellings that another server folds into one (CGI converts both `X_Jverify_Decision` and the layer's header to
//! `HTTP_X_JVERIFY_DECISION`) or in trailers, and can make a hop that follows `Connection` remove the layer's header. So
//! the layer removes all headers under its prefix from every request before it inserts its own. In front of a foreign
//! backend it also removes headers that name another path or method, and cookies with the name of a phone field.

mod cookies;
mod folding;
mod grpc;
mod names;
mod routing;
mod strip;
#[cfg(test)]
mod tests;

use http::HeaderValue;

pub(crate) use self::{
    cookies::remove_cookies,
    folding::{NotOne, aliases, only, remove, tokens},
    grpc::{is_grpc, is_grpc_type, is_grpc_web_type},
    names::{Header, Names, USUAL, is_common},
    routing::{ignore_http2_offer, overrides_method},
};

/// The numbers below 100, in two digits each.
const DIGITS: &str = "\
    0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
    5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// A number as a header's value. `HeaderValue::from(u64)` allocates twice, but a number below 100, such as a low risk
/// score, needs no allocation.
pub(crate) fn decimal(number: u64) -> HeaderValue {
    if let Ok(at) = usize::try_from(number)
        && at < 100
        && let Some(digits) = DIGITS.get(2 * at + usize::from(at < 10)..2 * at + 2)
    {
        return HeaderValue::from_static(digits);
    }
    // Digits are a valid value; the fallback is never used.
    HeaderValue::from_str(itoa::Buffer::new().format(number)).unwrap_or_else(|_| HeaderValue::from_static(""))
}
