//! Checks the framing of a request in its head.

use http::{
    HeaderMap, HeaderValue, Method,
    header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, UPGRADE},
    request::Parts,
};
use http_body::Body;

use super::{Reading, input::sends_a_body};
use crate::{
    denial::{DenialReason, Refusal},
    proof,
};

/// What is known about the body of a request before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Nothing,
    /// The body has not ended, and may be empty: over HTTP/2 a client may end a request without a body with an empty DATA frame, of which
    /// `HAProxy` and nginx make an empty chunked body.
    MaybeNothing,
    Something,
}

// === impl Sent ===

impl Sent {
    /// From the head, and what the body says about itself.
    #[inline]
    pub(crate) fn of<B: Body>(headers: &HeaderMap, body: &B) -> Self {
        let is_announced = headers.get_all(CONTENT_LENGTH).iter().any(|length| length != "0")
            || headers.get_all(TRANSFER_ENCODING).iter().any(|coding| body.is_end_stream() || !is_chunked(coding));
        if is_announced || body.size_hint().lower() > 0 {
            Self::Something
        } else if body.is_end_stream() {
            Self::Nothing
        } else {
            Self::MaybeNothing
        }
    }
}

fn is_chunked(coding: &HeaderValue) -> bool {
    coding.as_bytes().eq_ignore_ascii_case(b"chunked")
}

/// Refuses framing that the layer cannot read, before anything is read.
pub(super) fn check(parts: &Parts) -> Result<(), Refusal> {
    if parts.method == Method::CONNECT {
        return Err(Refusal::of_connect());
    }
    // Comparing each name costs less than hashing two.
    let (mut upgrades, mut is_coded) = (false, false);
    for name in parts.headers.keys() {
        upgrades |= *name == UPGRADE;
        is_coded |= *name == TRANSFER_ENCODING;
    }
    if upgrades {
        return Err(Refusal::new(DenialReason::Upgrade).with_detail("an Upgrade header"));
    }
    if is_coded && !parts.headers.get_all(TRANSFER_ENCODING).iter().all(is_chunked) {
        let refusal = Refusal::new(DenialReason::UnsupportedEncoding);
        return Err(refusal.with_detail("a Transfer-Encoding other than chunked"));
    }
    Ok(())
}

/// Refuses a body, or a charset for a body, if fields are read from the query and none from the body.
pub(super) fn check_query_alone(reading: &Reading, parts: &Parts, has_body: bool) -> Result<(), Refusal> {
    if reading.plan.reads_query_alone() {
        // A backend that merges the two lets the body win, and reads the query in the charset that the body's type names.
        if has_body {
            return Err(Refusal::new(DenialReason::ProofMalformed).with_detail("a body next to a proof in the query"));
        }
        if parts.headers.contains_key(CONTENT_TYPE) {
            proof::media_of(&parts.headers, &reading.settings.accept)?;
        }
    }
    Ok(())
}

/// The refusal of a request whose head does not describe a readable body (`refusal`): without a body, and with a method
/// that usually has none or without a media type, the request lacks a proof, not a media type.
pub(super) fn of_bodiless(parts: &Parts, refusal: Refusal) -> Refusal {
    if sends_a_body(&parts.method) {
        if parts.headers.contains_key(CONTENT_TYPE) {
            return refusal;
        }
        return Refusal::new(DenialReason::ProofMissing)
            .with_detail("a request without a body, where the rule reads one");
    }
    Refusal::new(DenialReason::ProofMissing).with_detail(
        "a request without a body, where the rule reads one; under `MethodRouter::layer` in place of `Router::route_layer`, axum \
         itself answers a method that the route does not have with 405",
    )
}

/// Refuses a body whose length differs from its head.
pub(super) fn check_length(headers: &HeaderMap, length: usize) -> Result<(), Refusal> {
    if headers.iter().any(|(name, said)| *name == CONTENT_LENGTH && parse(said) != Some(length)) {
        return Err(
            Refusal::new(DenialReason::BodyMalformed).with_detail("a body of another length than Content-Length says")
        );
    }
    Ok(())
}

/// Parses a Content-Length: digits only.
fn parse(length: &HeaderValue) -> Option<usize> {
    let digits = Some(length.as_bytes()).filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0_usize, |length, byte| {
        let digit = Some(byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9)?;
        length.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_length_is_digits_that_can_be_counted() {
        let length = |text: &'static str| parse(&HeaderValue::from_static(text));
        assert_eq!((length("0"), length("007"), length("154")), (Some(0), Some(7), Some(154)));
        assert_eq!(length(&*usize::MAX.to_string().leak()), Some(usize::MAX));
        for text in ["", "+1", "-1", "1 ", " 1", "0x1", "1,1", "1.0", "18446744073709551616", "99999999999999999999999"]
        {
            assert_eq!(length(text), None, "{text:?}");
        }
        assert_eq!(parse(&HeaderValue::from_bytes(b"\xef\xbc\x91").unwrap()), None);
    }
}
