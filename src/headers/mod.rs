//! The headers by which a decision travels to the inner service, and how nobody else gets to write them.
//!
//! A backend that trusts `x-jverify-decision: allow` must never see one from outside. A header of ours can arrive under
//! many spellings that some server further on folds into one (`X_Jverify_Decision` becomes `HTTP_X_JVERIFY_DECISION`
//! exactly as ours does), in trailers, or be taken away by a hop that believes `Connection`. So everything under our
//! prefix goes, on every request, before anything of ours is put in. In front of a foreign backend the headers go with it by
//! which one takes another path or method, and cookies with the name of a phone field.

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
    names::{Header, Names, USUAL},
    routing::{ignore_http2_offer, overrides_method},
};

/// The numbers below 100, in two digits each.
const DIGITS: &str = "\
    0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
    5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// A number as a header's value. `HeaderValue::from(u64)` allocates twice, and a number below 100, as risk scores are, needs no
/// allocation.
pub(crate) fn decimal(number: u64) -> HeaderValue {
    if let Ok(at) = usize::try_from(number)
        && at < 100
        && let Some(digits) = DIGITS.get(2 * at + usize::from(at < 10)..2 * at + 2)
    {
        return HeaderValue::from_static(digits);
    }
    // Digits are a value; the fallback is never taken.
    HeaderValue::from_str(itoa::Buffer::new().format(number)).unwrap_or_else(|_| HeaderValue::from_static(""))
}
