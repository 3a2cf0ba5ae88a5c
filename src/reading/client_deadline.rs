//! The deadline that a gRPC client sets for its call.

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tokio::time::Instant;

use crate::{
    denial::{DenialReason, Refusal},
    headers::only,
};

static TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The deadline of a gRPC call, if the client sets one.
///
/// # Errors
///
/// `grpc-timeout` is repeated or has an alias, or is not one to eight digits and a unit.
pub(super) fn client_deadline(headers: &HeaderMap) -> Result<Option<Instant>, Refusal> {
    let timeout = match only(headers, &TIMEOUT) {
        Ok(None) => return Ok(None),
        Ok(Some(timeout)) => timeout.to_str().ok().and_then(parse),
        Err(_) => None,
    };
    let malformed = || Refusal::new(DenialReason::ProofMalformed).with_detail("an invalid `grpc-timeout`");
    // A time that does not fit is later than every other deadline.
    timeout.map(|timeout| Instant::now().checked_add(timeout)).ok_or_else(malformed)
}

/// `TimeoutValue TimeoutUnit` of "gRPC over HTTP2".
fn parse(timeout: &str) -> Option<Duration> {
    let (digits, unit) = timeout.split_at_checked(timeout.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}
