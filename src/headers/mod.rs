//! The headers that carry a decision to the inner service, and the protection of these headers.
//!
//! A backend that trusts `x-jverify-decision: allow` must never receive one from a client. A client can send such a header
//! in spellings that another server folds into one (CGI converts both `X_Jverify_Decision` and the layer's header to
//! `HTTP_X_JVERIFY_DECISION`) or in trailers, and can make a hop that follows `Connection` or `Proxy-Connection` remove the
//! layer's header. So the layer removes all headers under its prefix from every request before it inserts its own. In front
//! of a foreign backend it also removes headers that name another path or method, and cookies with the name of a phone field.

mod cookies;
mod folding;
mod grpc;
mod names;
mod routing;
mod strip;
#[cfg(test)]
mod tests;
mod url_parts;

use http::HeaderValue;

pub(crate) use self::{
    cookies::remove_cookies,
    folding::{NotOne, aliases, listed, lists_headers, only, remove},
    grpc::{is_grpc, is_grpc_type, is_grpc_web_type},
    names::{Header, Names, USUAL, is_common},
    routing::{ignore_http2_offer, overrides_method},
};

/// The numbers below 1,000, in three digits each.
const DIGITS: &str = {
    const ALL: [u8; 3000] = digits();
    match str::from_utf8(&ALL) {
        Ok(digits) => digits,
        Err(_) => panic!("digits are text"),
    }
};

#[allow(clippy::indexing_slicing, reason = "it runs in the compiler alone")]
const fn digits() -> [u8; 3000] {
    let mut all = [b'0'; 3000];
    let mut at = 3;
    while at < all.len() {
        let [mut hundreds, mut tens, mut ones] = [all[at - 3], all[at - 2], all[at - 1] + 1];
        if ones > b'9' {
            (tens, ones) = (tens + 1, b'0');
        }
        if tens > b'9' {
            (hundreds, tens) = (hundreds + 1, b'0');
        }
        [all[at], all[at + 1], all[at + 2]] = [hundreds, tens, ones];
        at += 3;
    }
    all
}

/// A number as a header's value. `HeaderValue::from(u64)` allocates twice, but a number below 1,000, such as a risk score or the length of
/// a check, needs no allocation.
pub(crate) fn decimal(number: u64) -> HeaderValue {
    let zeros = match number {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    if let Ok(at) = usize::try_from(number)
        && at < 1000
        && let Some(digits) = DIGITS.get(3 * at + zeros..3 * at + 3)
    {
        return HeaderValue::from_static(digits);
    }
    // Digits are a valid value; the fallback is never used.
    HeaderValue::from_str(itoa::Buffer::new().format(number)).unwrap_or_else(|_| HeaderValue::from_static(""))
}
