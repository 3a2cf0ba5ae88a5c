//! Headers that carry proofs, and headers that could remove or add others.

use std::borrow::Cow;

use http::{
    HeaderMap, HeaderName,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use super::{
    plan::Plan,
    value::{Unreadable, Value, Values},
};
use crate::headers::{NotOne, aliases, listed, lists_headers, only};

/// Refuses a `Connection` that would make the next proxy remove a header that the rule reads.
pub(super) fn check_connection(headers: &HeaderMap, proofs: &[HeaderName]) -> Result<(), Unreadable> {
    // Comparing the few names of a request costs less than hashing one.
    if !headers.keys().any(|name| lists_headers(name.as_str())) {
        return Ok(());
    }
    for token in listed(headers) {
        // The names of headers contain only ASCII.
        let token = std::str::from_utf8(token).unwrap_or_default();
        if [&CONTENT_TYPE, &CONTENT_ENCODING].into_iter().chain(proofs).any(|name| aliases(token, name.as_str())) {
            return Err(Unreadable::ProofMalformed("`Connection` names a header that the rule reads"));
        }
    }
    Ok(())
}

/// Reads the header fields.
pub(super) fn read<'v>(plan: &Plan, headers: &'v HeaderMap, values: &mut Values<'v>) -> Result<(), Unreadable> {
    for (name, slot) in plan.headers() {
        let value = only(headers, name).map_err(|not_one| match not_one {
            NotOne::Twice => Unreadable::ProofMalformed("a guarded header twice"),
            NotOne::Aliased => Unreadable::ProofMalformed("a header like a guarded one"),
        })?;
        let Some(value) = value else { continue };
        let text = value.to_str().map_err(|_| Unreadable::ProofMalformed("a guarded header outside of ASCII"))?;
        values.put(slot, Value::text(Cow::Borrowed(text))?)?;
    }
    Ok(())
}

/// Checks trailers: see [`Plan::check_trailers`].
pub(super) fn check_trailers(plan: &Plan, trailers: &HeaderMap) -> Result<(), Unreadable> {
    let framing = [CONTENT_TYPE, CONTENT_ENCODING];
    let framing = if plan.reads_body() { framing.as_slice() } else { &[] };
    let mut guarded = framing.iter().chain(plan.header_names());
    if guarded.any(|name| trailers.keys().any(|trailer| aliases(trailer.as_str(), name.as_str()))) {
        return Err(Unreadable::ProofMalformed("a guarded header in the trailers"));
    }
    Ok(())
}
